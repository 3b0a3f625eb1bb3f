"""The processes that a run needs: what the loss of one means, and their end when the run fails."""

import contextlib
import multiprocessing
import os
import re
import signal
import threading

MEANINGS = {
    r"DataLoader worker \(pid.*(killed by signal|exited unexpectedly)": (
        "a process that reads the data was killed, as systems do where memory runs out; lower "
        "dataset.num_workers, then give the same command with resume=auto"
    ),
    r"Connection closed by peer|Connection reset by peer|NCCL.*remote process exited": (
        "the process of another device was killed or has failed (see its message, if it left one); "
        "give the same command with resume=auto"
    ),
}


def explained(error: BaseException) -> ChildProcessError | None:
    """The error to raise instead of torch's where a process was lost; None for others."""
    said = str(error)
    for pattern, meaning in MEANINGS.items():
        if isinstance(error, RuntimeError) and re.search(pattern, said):
            return ChildProcessError(f"{meaning} ({said.splitlines()[0][:100]})")
    return None


def end_workers() -> None:
    """Kill the loaders' processes of a run that has failed.

    They would be asked by SIGTERM at the end of this process, which they take for a scheduler's
    and serve on for a minute.
    """
    daemons = [
        child
        for child in multiprocessing.active_children()
        if child.daemon and child._parent_pid == os.getpid()  # a fork lists its parent's as well
    ]
    if not daemons:
        return
    is_main = threading.current_thread() is threading.main_thread()
    # torch's handler would raise an error of its own at each death
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL) if is_main else None
    for child in daemons:
        child.kill()
    for child in daemons:
        with contextlib.suppress(ChildProcessError):
            child.join(timeout=5)
    if before is not None:
        signal.signal(signal.SIGCHLD, before)
