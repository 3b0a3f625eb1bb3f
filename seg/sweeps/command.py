"""A sweep, from its command line to its leaderboard."""

import importlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from seg.cli import compose, console
from seg.cli.review import Review
from seg.report import sweep as leaderboard
from seg.runs import lock
from seg.runs.atomic import fresh_folder
from seg.runs.folder import MONITOR, RunFolder
from seg.sweeps import folder as sweep_folder
from seg.sweeps.gpus import take_gpu, visible_gpus
from seg.sweeps.isolation import IsolatedJob, run_isolated, start_isolated

log = logging.getLogger(__name__)

LOG_WIDTH = 132  # columns of a table where there is no terminal

_errors: list[Exception] = []


@contextmanager
def keep_errors() -> Iterator[None]:
    """Keep the error of a sweeper for `sweep`; Hydra would print its own account of it."""
    try:
        yield
    except Exception as error:
        _errors.append(error)


def sweep(
    start: Callable[[list[str]], None],
    review: Review,
    *,
    lines: Sequence[str],
    flags: Sequence[str],
) -> int:
    """Run a sweep, or the jobs of it that are missing.

    Args:
        start: runs Hydra with these overrides.
        review: of the command line.
        lines: its overrides.
        flags: its flags.

    Returns:
        How many jobs are not done.
    """
    require_one_device(review.configurations)
    first = review.configurations[0]
    for problem in review.problems:
        log.warning("%s; the jobs with it will fail", problem)
    lines = [line for line in lines if not line.lstrip("+").startswith("resume=")]
    sweeps = Path(first.output_dir).expanduser().absolute() / "multirun"
    sweep_identity = sweep_folder.identity(lines, flags)
    folder, folder_lock = sweep_folder.open_folder(
        first.resume, sweep_identity, sweeps,
        overrides=lines, acquire=lock.acquire, fresh=fresh_folder,
    )  # fmt: skip
    if sweep_folder.is_complete(folder, lines):
        log.info("%s is finished; nothing to do", folder)
        return 0
    log.info("sweep folder: %s", folder)
    _errors.clear()
    try:
        sweep_folder.begin(folder, sweep_identity, lines)
        sweeper = f"hydra.sweeper._target_={review.sweeper}"
        start([*lines, sweeper, f"hydra.sweep.dir='{folder}'", "hydra.mode=MULTIRUN"])
    finally:
        missing = finish(folder)
        del folder_lock
    if _errors:
        raise _errors[0]
    return missing


def finish(folder: Path) -> int:
    """Write and print the leaderboard, also of an interrupted sweep; returns the jobs not done."""
    try:
        rows = leaderboard.write(folder)
    except OSError as error:  # the error that ended the sweep is the one to raise
        log.error("no leaderboard: %s", error)
        return 1
    terminal = Console() if sys.stdout.isatty() else Console(width=LOG_WIDTH)
    leaderboard.show(rows, folder, terminal)
    return len(leaderboard.unfinished(rows))


def require_one_device(configurations: Sequence[DictConfig]) -> None:
    """Raises ConfigError for a job that would train on several devices."""
    if any(cfg.trainer.devices != 1 or cfg.trainer.num_nodes != 1 for cfg in configurations):
        raise compose.ConfigError([
            "trainer.devices: the jobs of a sweep train on one device each, since further ranks "
            "would start the whole sweep again; jobs run side by side, one on each GPU "
            "(hydra.launcher.jobs), and runs over several devices are started one by one"
        ])  # fmt: skip


def as_job(task: Callable[[DictConfig], object]) -> Callable[[DictConfig], float]:
    """`task` as Hydra's launchers take it, for this process or for a worker on another machine.

    Returns:
        A function from a job's configuration to its best val/dice, NaN if it has none.
    """
    module, name = task.__module__, task.__name__  # workers import it by these
    working_directory, import_paths = os.getcwd(), list(sys.path)

    def prepared(cfg: DictConfig) -> tuple[Callable[[], None], Path]:
        prepare_worker(working_directory, import_paths)
        folder = compose.job_folder()
        log.info("job %s", folder.name)

        def work() -> None:
            gpu_lock = (
                take_gpu(folder.parent, visible_gpus())
                if may_use_gpu(cfg.trainer.accelerator)
                else None
            )
            function = getattr(importlib.import_module(module), name)
            console.quiet_libraries()
            function(cfg)
            del gpu_lock

        return work, folder

    def job(cfg: DictConfig) -> float:
        work, folder = prepared(cfg)
        run_isolated(work, folder)
        return result(folder)

    def start(cfg: DictConfig, *, threads: int) -> IsolatedJob:
        work, folder = prepared(cfg)
        return start_isolated(work, folder, threads=threads)

    job.start = start  # for side_by_side.py, which does not wait for it
    return job


def result(folder: Path) -> float:
    """The best val/dice of a job that has ended, NaN if it has none; a line says how it ended."""
    run = RunFolder(folder)
    best = f", {MONITOR} {run.facts[MONITOR]:.4f}" if MONITOR in run.facts else ""
    seconds = run.facts.get("seconds", "-")
    log.info("job %s %s%s, %s s", folder.name, run.status, best, seconds)
    return run.facts.get(MONITOR, float("nan"))


def may_use_gpu(accelerator: str) -> bool:
    """Whether `trainer.accelerator` allows a GPU."""
    return accelerator in ("auto", "gpu", "cuda")


def prepare_worker(working_directory: str, import_paths: Sequence[str]) -> None:
    """Bring a worker process to the directory, the import paths and the log of the command."""
    if not logging.getLogger("seg").handlers:
        console.set_up_logging()
    if os.getcwd() != working_directory and os.path.isdir(working_directory):
        os.chdir(working_directory)
    sys.path.extend(p for p in import_paths if p not in sys.path)
