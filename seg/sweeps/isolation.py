"""A job in a process of its own, forked: what kills or bloats it leaves the other jobs alone.

A fork inherits what has been imported, so that a job starts at once. It is sound because the parent
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
from seg.runs import lock, run
from seg.sweeps.jobs import state

log = logging.getLogger(__name__)

GRACE = 60.0  # seconds for a job that was told to end: it saves its last batch
ENDED = {-signal.SIGKILL: "killed (SIGKILL); was there memory enough?"}


def isolated(task: Callable[[], object], folder: Path) -> int:
    """Run `task` in a forked process and wait for it; returns its exit status.

    folder: of the job; its run.json tells of a death that the job could not tell of itself.
    A signal to this process goes on to the job, which is waited for. Where processes cannot be
    forked, the task runs here.
    """
    wait_for(folder)
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
        _account(job.exitcode, folder)
        raise
    _account(job.exitcode, folder)
    return job.exitcode or 0


def wait_for(folder: Path, *, seconds: float = GRACE) -> None:
    """A job whose parent was killed ends by itself; what goes on with its folder waits for it."""
    until = time.monotonic() + seconds
    while folder.is_dir() and lock.held(folder):
        if time.monotonic() > until:
            raise ValueError(f"{folder}: another process still works on this job")
        time.sleep(0.5)


def _child(task: Callable[[], object], folder: Path, parent: int) -> None:
    signal.signal(signal.SIGTERM, _terminated)
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    sys.exit(_attempt(task, folder))


def _attempt(task: Callable[[], object], folder: Path) -> int:
    try:
        task()
    except (KeyboardInterrupt, Exception) as error:
        if not isinstance(error, KeyboardInterrupt) and state(folder)["status"] in (
            None,
            "running",
        ):
            run.close(folder, status="failed", error=str(error))
        return report(error)
    return 0


def _terminated(signum: int, frame: object) -> None:
    raise SystemExit(128 + signum)


def _end_with(parent: int) -> None:
    """A job whose parent was killed has nobody to tell of it: it saves, and ends."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _end(job: multiprocessing.process.BaseProcess, *, by_keyboard: bool) -> None:
    try:
        if by_keyboard:  # the terminal has told the job as well
            job.join(3)
        if job.is_alive():
            job.terminate()
        job.join(GRACE)
    except BaseException:  # told twice: at once
        job.kill()
        job.join()
        raise
    finally:
        if job.is_alive():
            job.kill()
            job.join()


def _account(status: int | None, folder: Path) -> None:
    if state(folder)["status"] in (None, "running"):
        if status is not None and status < 0:
            reason = ENDED.get(status, f"ended by signal {-status}")
            run.close(folder, status="failed", error=reason)
        elif status:
            run.close(folder, status="failed", error=f"ended with status {status}")
