"""Jobs handed to Hydra's launcher, except those that are done and those that cannot start."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from seg.cli.check import check
from seg.cli.compose import ConfigError, drop_hydra
from seg.runs import watchdog
from seg.runs.folder import RunFolder
from seg.sweeps import folder as sweep_folder
from seg.sweeps.folder import Job
from seg.training import tensorboard

log = logging.getLogger(__name__)

DONE = ("finished", "pruned")  # a job with one of these statuses is not run again
ENDED = (*DONE, "failed", "interrupted")


def is_done(folder: Path) -> bool:
    """Whether a job has nothing left to do."""
    return RunFolder(folder).status in DONE


def run_jobs(jobs: Sequence[Job], *, launcher: Any, config: DictConfig) -> list[RunFolder]:
    """Run the jobs that are not done. A job that fails, in whatever way, does not stop the others.

    Args:
        jobs: jobs of one sweep.
        launcher: Hydra's launcher.
        config: the sweep's configuration, with its `hydra` node.

    Returns:
        The run folder of every job.
    """
    if not jobs:
        return []
    sweep_folder.add_jobs(jobs[0].folder.parent, jobs)
    missing = [job for job in jobs if not is_done(job.folder)]
    if len(missing) < len(jobs):
        log.info("%d of %d jobs are done already", len(jobs) - len(missing), len(jobs))
    loader = launcher.hydra_context.config_loader
    startable = [job for job in missing if _can_start(job, config, loader)]
    if startable:
        launcher.launch(
            [[*job.overrides, f"hydra.sweep.subdir='{job.folder.name}'"] for job in startable],
            initial_job_idx=startable[0].number,
        )
    for job in missing:
        if RunFolder(job.folder).status not in ENDED:
            watchdog.record_death(job.folder, status="failed", error="the job never came back")
        if not is_done(job.folder):
            config_of_job = dict(line.lstrip("+").partition("=")[::2] for line in job.overrides)
            tensorboard.add_hparams_of(job.folder, instead=config_of_job)
    return [RunFolder(job.folder) for job in jobs]


def _can_start(job: Job, config: DictConfig, loader: Any) -> bool:
    """Whether a job's configuration is sound; if not, its run.json says why."""
    try:
        check(compose_job(config, loader, job.overrides)[0])
    except Exception as error:  # Hydra and OmegaConf raise many types
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = "; ".join(lines[1:] if isinstance(error, ConfigError) else lines[:2])
        log.error("job %s cannot start: %s", job.folder.name, reason)
        job.folder.mkdir(parents=True, exist_ok=True)
        watchdog.record_death(job.folder, status="failed", error=reason)
        return False
    return True


def compose_job(
    config: DictConfig, loader: Any, overrides: Sequence[str]
) -> tuple[DictConfig, dict[str, str]]:
    """The configuration of a job as it will get it, and its choice of each config group."""
    holder = HydraConfig.instance()
    before = holder.cfg
    try:
        composed = loader.load_sweep_config(config, list(overrides))
        holder.set_config(composed)  # the interpolation of `name` reads the choices from there
        choices = OmegaConf.to_container(composed.hydra.runtime.choices)
        drop_hydra(composed)
        return composed, choices
    finally:
        holder.cfg = before
