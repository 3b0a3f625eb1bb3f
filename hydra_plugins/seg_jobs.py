"""Where Hydra looks for the launcher of a sweep: it takes none that is defined elsewhere.

Hydra imports this file at every start, of any command: what a sweep needs is imported by a sweep.
"""

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn


class SegJobsLauncher(BasicLauncher):
    """`seg.sweeps.side_by_side`. jobs: the key of conf/hydra/launcher/seg_jobs.yaml."""

    def __init__(self, jobs: Any) -> None:
        super().__init__()
        self.jobs = jobs

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        from seg.sweeps.side_by_side import launch, share  # noqa: PLC0415

        compose = self.hydra_context.config_loader.load_sweep_config
        first = compose(self.config, list(job_overrides[0]))
        given = share(self.jobs, jobs=len(job_overrides), accelerator=first.trainer.accelerator)
        if given.jobs == 1:
            return super().launch(job_overrides, initial_job_idx)
        return launch(self, job_overrides, initial_job_idx, given)
