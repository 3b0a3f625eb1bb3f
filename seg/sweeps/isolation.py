"""A job in a forked process of its own: what kills or bloats it leaves the other jobs alone.

A fork inherits what has been imported, so that a job starts at once. It is safe because the parent
has run no tensor operation and never touched a GPU.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from seg.cli.console import report
from seg.runs import lock, watchdog
from seg.runs.folder import RunFolder
from seg.sweeps.jobs import ENDED

CAN_FORK = sys.platform == "linux"
GRACE = 60.0  # seconds for a job to end after SIGTERM: it saves its last batch
REASONS = {-signal.SIGKILL: "killed (SIGKILL); was there memory enough?"}


@dataclass(frozen=True)
class IsolatedJob:
    """A job that works in a process of its own.

    Args:
        process: forked from this one.
        folder: the job's run folder; its run.json gets the reason of an end that the job itself
            could not record.
    """

    process: multiprocessing.process.BaseProcess
    folder: Path

    @property
    def is_alive(self) -> bool:
        return self.process.is_alive()

    def record_end(self) -> int:
        """Say in run.json how an ended job ended, where it could not; returns its exit status."""
        _record_end(self.process.exitcode, self.folder)
        return self.process.exitcode or 0


def run_isolated(task: Callable[[], object], folder: Path) -> int:
    """Run `task` in a forked process and wait for it.

    A signal to this process is passed on to the job, which is waited for. Where processes cannot be
    forked, the task runs in this one.

    Args:
        task: what the job does.
        folder: the job's run folder.

    Returns:
        The exit status of the job.
    """
    if not CAN_FORK:
        wait_until_free(folder)
        return _attempt(task, folder)
    job = start_isolated(task, folder)
    with ending([job]):
        job.process.join()
    return job.record_end()


def start_isolated(
    task: Callable[[], object], folder: Path, *, threads: int | None = None
) -> IsolatedJob:
    """Start `task` in a forked process.

    Args:
        task: what the job does.
        folder: the job's run folder.
        threads: its number of threads, for a job that has others beside it; what it prints then
            goes to a file in its folder. None: as this process.
    """
    wait_until_free(folder)
    process = multiprocessing.get_context("fork").Process(
        target=_child, args=(task, folder, os.getpid(), threads)
    )
    process.start()
    return IsolatedJob(process, folder)


@contextmanager
def ending(jobs: Collection[IsolatedJob]) -> Iterator[None]:
    """End these jobs, and wait for them, where the block is left by a signal or an error."""
    try:
        yield
    except BaseException as error:
        _end(jobs, by_keyboard=isinstance(error, KeyboardInterrupt))
        raise


def wait_until_free(folder: Path, *, seconds: float = GRACE) -> None:
    """Wait for a job of an earlier command whose parent was killed: it ends by itself.

    Raises:
        ValueError: it has not ended after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while folder.is_dir() and lock.is_locked(folder):
        if time.monotonic() > deadline:
            raise ValueError(f"{folder}: another process still works on this job")
        time.sleep(0.5)


def _child(task: Callable[[], object], folder: Path, parent: int, threads: int | None) -> None:
    signal.signal(signal.SIGTERM, _exit_by_signal)
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # nohup ignores it, and so must the job
        signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    if threads is not None:
        _stand_beside_others(threads, RunFolder(folder).log_path)
    sys.exit(_attempt(task, folder))


def _stand_beside_others(threads: int, log_path: Path) -> None:
    """Compute with so many threads, and print to a file: lines of several jobs would mix."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # the number is not to be changed later
    torch.set_num_threads(threads)
    threadpool_limits(threads, user_api="blas")
    with suppress(OSError):  # as on a full disk: it prints where its parent does
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)


def _attempt(task: Callable[[], object], folder: Path) -> int:
    try:
        task()
    except (KeyboardInterrupt, Exception) as error:
        if not isinstance(error, KeyboardInterrupt) and RunFolder(folder).status not in ENDED:
            watchdog.record_death(folder, status="failed", error=str(error))
        return report(error)
    return 0


def _exit_by_signal(signum: int, frame: object) -> None:
    raise SystemExit(128 + signum)


def _end_with_parent(parent: int) -> None:
    """Save and end when the parent was killed: nobody waits for this job any more."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _end(jobs: Collection[IsolatedJob], *, by_keyboard: bool) -> None:
    try:
        if by_keyboard:  # the terminal has sent SIGINT to the jobs as well
            _join(jobs, 3)
        for job in jobs:
            job.process.terminate()
        _join(jobs, GRACE)
    finally:  # also after a second Ctrl-C: at once
        for job in jobs:
            job.process.kill()
        for job in jobs:
            job.process.join()
            job.record_end()


def _join(jobs: Collection[IsolatedJob], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for job in jobs:
        job.process.join(max(0.0, deadline - time.monotonic()))


def _record_end(exit_status: int | None, folder: Path) -> None:
    if not exit_status or RunFolder(folder).status in ENDED:
        return
    reason = f"ended with status {exit_status}"
    if exit_status < 0:
        reason = REASONS.get(exit_status, f"ended by signal {-exit_status}")
    watchdog.record_death(folder, status="failed", error=reason)
