"""A grid: every combination of the swept values, one job each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from seg.cli.overrides import values_line
from seg.runs.folder import RunFolder
from seg.sweeps import folder as sweep_folder
from seg.sweeps.folder import Job, folder_name
from seg.sweeps.jobs import DONE, run_jobs


class GridSweeper(Sweeper):
    """Hydra's sweeper for a grid.

    Args:
        params: key to its values, as on the command line; the command line replaces them.
        max_batch_size: how many jobs the launcher gets at a time, None for all.
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

    def sweep(self, arguments: list[str]) -> list[RunFolder]:
        """Run the jobs that are not done; returns the run folder of every job."""
        parser = OverridesParser.create(config_loader=self.context.config_loader)
        lines = [*(f"{key}={values_line(v)}" for key, v in self.params.items()), *arguments]
        (grid,) = BasicSweeper.split_arguments(parser.parse_overrides(lines), None)
        sweep = Path(str(self.config.hydra.sweep.dir))
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
        runs: list[RunFolder] = []
        for start in range(0, len(jobs), size):
            batch = jobs[start : start + size]
            runs += run_jobs(batch, launcher=self.launcher, config=self.config)
        sweep_folder.record(sweep, complete=all(run.status in DONE for run in runs))
        return runs


def constant_lines(grid: Sequence[Sequence[str]]) -> list[str]:
    """The overrides that all jobs share."""
    return [line for line in grid[0] if all(line in overrides for overrides in grid)]
