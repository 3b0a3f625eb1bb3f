"""Every combination of the swept values, whatever becomes of each."""

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from seg.cli.compose import values_line
from seg.sweeps import folder as sweep_folder
from seg.sweeps.jobs import DONE, Job, folder_name
from seg.sweeps.running import run, sweep_of


class GridSweeper(Sweeper):
    """params: keys to their values, as on the command line, which has the last word.
    max_batch_size: of jobs that a launcher gets at a time, None for all.
    """

    def __init__(
        self, params: dict[str, Any] | None = None, max_batch_size: int | None = None
    ) -> None:
        self.params = params or {}
        self.max_batch_size = max_batch_size

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.config = config
        self.context = hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[dict]:
        """Run all jobs; returns what their run.json say."""
        parser = OverridesParser.create(config_loader=self.context.config_loader)
        lines = [*(f"{key}={values_line(v)}" for key, v in self.params.items()), *arguments]
        (grid,) = BasicSweeper.split_arguments(parser.parse_overrides(lines), None)
        sweep = sweep_of(self.config)
        constant = constant_lines(grid)
        sweep_folder.record(sweep, constant=constant)
        jobs = [
            Job(
                number=number,
                overrides=tuple(overrides),
                folder=sweep / folder_name(number, [o for o in overrides if o not in constant]),
            )
            for number, overrides in enumerate(grid)
        ]
        sweep_folder.add_jobs(sweep, jobs)
        size = self.max_batch_size or len(jobs)
        found = []
        for start in range(0, len(jobs), size):
            batch = jobs[start : start + size]
            found += run(batch, launcher=self.launcher, config=self.config)
        sweep_folder.record(sweep, complete=all(facts["status"] in DONE for facts in found))
        return found


def constant_lines(grid: Sequence[Sequence[str]]) -> list[str]:
    """The overrides that all jobs share."""
    return [line for line in grid[0] if all(line in overrides for overrides in grid)]
