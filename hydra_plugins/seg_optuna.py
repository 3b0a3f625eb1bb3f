"""Where Hydra looks for the sweeper of sweep=optuna: it takes none that is defined elsewhere.

Hydra imports this file at every start, of any command: what a search needs is imported by a search.
"""

from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class SegOptunaSweeper(Sweeper):
    """`seg.sweeps.search`. options: the keys of conf/hydra/sweeper/seg_optuna.yaml."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.context = hydra_context
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        from seg.sweeps.command import keep_errors  # noqa: PLC0415
        from seg.sweeps.search.sweeper import sweep  # noqa: PLC0415

        with keep_errors():
            sweep(
                arguments,
                options=self.options,
                config=self.config,
                context=self.context,
                launcher=self.launcher,
            )
