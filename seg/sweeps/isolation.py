"""A job in a forked process of its own: what kills or bloats it leaves the other jobs alone.

A fork inherits what has been imported, so that a job starts at once. It is safe because the parent
has run no tensor operation and never touched a GPU.
"""

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from seg.cli.console import report
from seg.runs import lock, watchdog
from seg.runs.folder import RunFolder
from seg.sweeps.jobs import ENDED

log = logging.getLogger(__name__)

GRACE = 60.0  # seconds for a job to end after SIGTERM: it saves its last batch
REASONS = {-signal.SIGKILL: "killed (SIGKILL); was there memory enough?"}


def run_isolated(task: Callable[[], object], folder: Path) -> int:
    """Run `task` in a forked process and wait for it.

    A signal to this process is passed on to the job, which is waited for. Where processes cannot be
    forked, the task runs in this one.

    Args:
        task: what the job does.
        folder: the job's run folder; its run.json gets the reason of an end that the job itself
            could not record.

    Returns:
        The exit status of the job.
    """
    wait_until_free(folder)
    if sys.platform != "linux":
        return _attempt(task, folder)
    job = multiprocessing.get_context("fork").Process(
        target=_child, args=(task, folder, os.getpid())
    )
    job.start()
    try:
        job.join()
    except BaseException as error:
        _end(job, by_keyboard=isinstance(error, KeyboardInterrupt))
        _record_end(job.exitcode, folder)
        raise
    _record_end(job.exitcode, folder)
    return job.exitcode or 0


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


def _child(task: Callable[[], object], folder: Path, parent: int) -> None:
    signal.signal(signal.SIGTERM, _exit_by_signal)
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # nohup ignores it, and so must the job
        signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    sys.exit(_attempt(task, folder))


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


def _end(job: multiprocessing.process.BaseProcess, *, by_keyboard: bool) -> None:
    try:
        if by_keyboard:  # the terminal has sent SIGINT to the job as well
            job.join(3)
        if job.is_alive():
            job.terminate()
        job.join(GRACE)
    except BaseException:  # a second Ctrl-C: at once
        job.kill()
        job.join()
        raise
    finally:
        if job.is_alive():
            job.kill()
            job.join()


def _record_end(exit_status: int | None, folder: Path) -> None:
    if not exit_status or RunFolder(folder).status in ENDED:
        return
    reason = f"ended with status {exit_status}"
    if exit_status < 0:
        reason = REASONS.get(exit_status, f"ended by signal {-exit_status}")
    watchdog.record_death(folder, status="failed", error=reason)
