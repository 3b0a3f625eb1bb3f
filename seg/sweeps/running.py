"""Jobs handed to Hydra's launcher, but those that are done, and those that cannot start."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from seg.cli import compose as configs
from seg.runs import run as runs
from seg.sweeps import folder as sweep_folder
from seg.sweeps.jobs import Job, is_done, state
from seg.training import tensorboard

log = logging.getLogger(__name__)


def run(jobs: Sequence[Job], *, launcher: Any, config: DictConfig) -> list[dict]:
    """Run what is not done yet; returns what each run.json says then.

    launcher, config: Hydra's. A job that fails, in whatever way, is recorded, and the others go on.
    """
    if not jobs:
        return []
    sweep = jobs[0].folder.parent
    sweep_folder.add_jobs(sweep, jobs)
    missing = [job for job in jobs if not is_done(job.folder)]
    if len(missing) < len(jobs):
        log.info("%d of %d jobs are done already", len(jobs) - len(missing), len(jobs))
    sound = [
        job for job in missing if _may_start(job, config, launcher.hydra_context.config_loader)
    ]
    if sound:
        launcher.launch([_for_hydra(job) for job in sound], initial_job_idx=sound[0].number)
    for job in missing:
        facts = state(job.folder)
        if facts["status"] in (None, "running"):  # the engine lost it
            runs.close(job.folder, status="failed", error="the job never came back")
        if not is_done(job.folder):
            asked = dict(line.lstrip("+").partition("=")[::2] for line in job.overrides)
            tensorboard.add_hparams_of(job.folder, instead=asked)
    return [state(job.folder) for job in jobs]


def _for_hydra(job: Job) -> list[str]:
    return [*job.overrides, f"hydra.sweep.subdir='{job.folder.name}'"]


def _may_start(job: Job, config: DictConfig, loader: Any) -> bool:
    before = HydraConfig.instance().cfg
    try:
        composed = loader.load_sweep_config(config, list(job.overrides))
        HydraConfig.instance().set_config(composed)
        OmegaConf.set_struct(composed, False)
        name = composed.name
        del composed["hydra"]
        composed.name = name
        configs.check(composed)
    except Exception as error:  # whatever cannot be composed
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = "; ".join(lines[1:] if isinstance(error, configs.ConfigError) else lines[:2])
        log.error("job %s cannot start: %s", job.folder.name, reason)
        job.folder.mkdir(parents=True, exist_ok=True)
        runs.close(job.folder, status="failed", error=reason)
        return False
    finally:
        HydraConfig.instance().cfg = before
    return True


def sweep_of(config: DictConfig) -> Path:
    """The folder of the sweep that Hydra runs."""
    return Path(str(config.hydra.sweep.dir))
