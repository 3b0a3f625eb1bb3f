"""What ends a run from outside: full memory, a full disk, or a process that was killed.

Libraries report these in words of their own. Here such an error becomes one that names the file or
the process, and how to go on. A failed run also ends its data-loader processes here.
"""

import contextlib
import errno
import multiprocessing
import os
import re
import signal
import threading
from pathlib import Path

# The user's quota counts as a full disk; so does a file larger than the limit of the shell.
MAX_ERROR = 4000  # letters of an error; run.json keeps to the space that is reserved for it
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FIX_FULL = "free some, then give the same command with resume=auto"
LESS = (
    "lower dataset.num_workers (0 needs none), or give a container more (docker run --shm-size=2g),"
    " then give the same command with resume=auto"
)
LOST_PROCESSES = {
    r"DataLoader worker \(pid.*(killed by signal|exited unexpectedly)": (
        "a process that reads the data was killed, as systems do where memory or /dev/shm, the "
        f"memory that processes share, is full; {LESS}"
    ),
    r"shared memory\(shm\)|unable to (write to|resize) file </torch_": (
        "/dev/shm, the memory through which the processes that read the data hand it over, is "
        f"full; {LESS}"
    ),
    r"Connection closed by peer|Connection reset by peer|NCCL.*remote process exited": (
        "the process of another device was killed or has failed (see its message, if it left one); "
        "give the same command with resume=auto"
    ),
}


def explained(error: BaseException, folder: Path) -> OSError | None:
    """The error to raise instead of one that a full disk or a lost process has caused.

    Args:
        error: what was raised.
        folder: named for a full disk where the system named no file.
    Returns:
        An error whose text says how to go on; None for errors of other causes.
    """
    full = full_disk(error)
    if full is not None:
        path = full.filename if full.filename else str(folder)
        return OSError(full.errno, f"{os.strerror(full.errno)}; {FIX_FULL}", os.fsdecode(path))
    if isinstance(error, RuntimeError):
        text = str(error)
        for pattern, meaning in LOST_PROCESSES.items():
            for line in text.splitlines():  # what a process raised has its traceback before it
                if re.search(pattern, line):
                    return ChildProcessError(f"{meaning} ({line.strip()[:150]})")
    return None


def text_of(error: BaseException | None) -> str:
    """An error as run.json keeps it."""
    text = f"{error.filename}: {error.strerror}" if getattr(error, "filename", None) else str(error)
    return text[:MAX_ERROR]


def full_disk(error: BaseException | None) -> OSError | None:
    """The system's own error about a full disk behind `error`, which libraries often wrap."""
    while error is not None:
        if is_full_disk(error):
            return error
        error = error.__cause__ or error.__context__
    return None


def is_full_disk(error: BaseException) -> bool:
    """Whether this error itself is the system's error about a full disk."""
    return isinstance(error, OSError) and error.errno in FULL


def report_thread(failure: threading.ExceptHookArgs) -> None:
    """No traceback of a writer's thread on a full disk: the main thread fails too, and says so."""
    if not is_full_disk(failure.exc_value):
        threading.__excepthook__(failure)


def end_workers() -> None:
    """Kill the data-loader processes of a run that has failed.

    At its exit Python would send them SIGTERM, after which they serve on for a minute (see
    `_settle` in data/datamodule.py).
    """
    workers = [
        child
        for child in multiprocessing.active_children()
        if child.daemon and child._parent_pid == os.getpid()  # a fork lists its parent's as well
    ]
    if not workers:
        return
    is_main = threading.current_thread() is threading.main_thread()
    # torch's handler would raise an error of its own at each death
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL) if is_main else None
    for worker in workers:
        worker.kill()
    for worker in workers:
        with contextlib.suppress(ChildProcessError):
            worker.join(timeout=5)
    if before is not None:
        signal.signal(signal.SIGCHLD, before)
