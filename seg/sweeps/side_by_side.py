"""Jobs of a sweep side by side on this machine, each with its share of the cores."""

import logging
import multiprocessing
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, run_job, setup_globals
from omegaconf import open_dict

from seg.cli.compose import ConfigError
from seg.cli.rule import count
from seg.data.cores import usable_cores
from seg.inference.memory import available
from seg.runs.folder import RunFolder
from seg.sweeps.command import may_use_gpu, result
from seg.sweeps.gpus import visible_gpus
from seg.sweeps.isolation import CAN_FORK, IsolatedJob, ending

log = logging.getLogger(__name__)

MEMORY = 4 << 30  # bytes that `auto` leaves to each job
POLL = 0.05  # seconds between two looks at the jobs


@dataclass(frozen=True)
class Share:
    """How many jobs run at a time, and the threads of each."""

    jobs: int
    threads: int


def share(stated: Any, *, jobs: int, accelerator: str) -> Share:
    """What each job gets.

    Args:
        stated: `hydra.launcher.jobs`.
        jobs: how many there are.
        accelerator: of the jobs, as in `trainer.accelerator`.

    Raises:
        ConfigError: `stated` is neither `auto` nor a number.
    """
    rule = count(1)
    if stated != "auto" and not rule.allows(stated):
        raise ConfigError([f"hydra.launcher.jobs={stated}: must be auto, or {rule.wanted}"])
    cores, threads = usable_cores(), os.environ.get("OMP_NUM_THREADS", "")
    fixed = int(threads) if threads.isdigit() and int(threads) else None
    if jobs == 1 or not CAN_FORK:
        return Share(1, fixed or cores)
    if stated == "auto":
        gpus = _count_gpus() if may_use_gpu(accelerator) else 0
        stated = gpus or max(1, min(cores // (fixed or 1), available() // MEMORY))
    at_once = min(stated, jobs)
    return Share(at_once, fixed or max(1, cores // at_once))


def _count_gpus() -> int:
    """Asked in another process: a driver that has been started here fails in forked jobs."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return len(pool.apply(visible_gpus))


def launch(
    launcher: Any, job_overrides: Sequence[Sequence[str]], first_number: int, given: Share
) -> list[JobReturn]:
    """Run jobs as Hydra's launchers do, several at a time, and begun in their order.

    Args:
        launcher: Hydra's, with its configuration, context and task.
        job_overrides: of each job.
        first_number: of the first job.
        given: from `share`.
    """
    setup_globals()
    log.info(
        "%d jobs at a time, %d thread(s) each; each prints to %s in its folder "
        "(hydra.launcher.jobs=1: one after another)",
        given.jobs, given.threads, RunFolder(Path()).log_path.name,
    )  # fmt: skip
    task = partial(launcher.task_function.start, threads=given.threads)
    returned: list[JobReturn] = []
    running: dict[int, IsolatedJob] = {}
    with ending(running.values()):
        for number, overrides in enumerate(job_overrides):
            while len(running) >= given.jobs:
                _take_ended(running, returned)
            config = launcher.hydra_context.config_loader.load_sweep_config(
                launcher.config, list(overrides)
            )
            with open_dict(config):
                config.hydra.job.id = config.hydra.job.num = first_number + number
            started = run_job(
                hydra_context=launcher.hydra_context,
                task_function=task,
                config=config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
            returned.append(started)
            if isinstance(started._return_value, IsolatedJob):
                running[number] = started._return_value
        while running:
            _take_ended(running, returned)
    return returned


def _take_ended(running: dict[int, IsolatedJob], returned: Sequence[JobReturn]) -> None:
    """Wait until a job ends; put its result in the place of its process."""
    while not (ended := [number for number, job in running.items() if not job.is_alive]):
        time.sleep(POLL)
    for number in ended:
        job = running[number]
        job.record_end()
        if error := RunFolder(job.folder).facts.get("error"):
            log.error("%s: %s", job.folder.name, error)
        returned[number].return_value = result(job.folder)
        del running[number]
