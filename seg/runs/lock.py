"""One process a folder: a lock that any death of its process gives back.

Not the package filelock: it cannot ask without taking the lock, before version 4 a forked child
keeps its parent's lock, and it makes the watchdog half as large again (20 MB instead of 13).
"""

import logging
import os
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

NAME = ".lock"
PATIENCE = 0.3  # seconds; `is_locked` takes a shared lock for some microseconds

_descriptors: set[int] = set()  # open files of this process's locks
_warned: set[int] = set()  # devices without locks


class Lock:
    """A folder's lock, until `release` or the end of the process. Also a context."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._descriptor is not None:
            _descriptors.discard(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


def acquire(folder: Path) -> Lock | None:
    """Lock a folder, by `flock` on the file .lock in it.

    Returns:
        The lock; None if another process has it, or this one. Where the file system has no locks, a
        lock that keeps nobody out, and a warning in the log.
    Raises:
        OSError: the file cannot be made.
    """
    path = folder / NAME
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    deadline = time.monotonic() + PATIENCE
    try:
        while not _take(descriptor, shared=False):
            if time.monotonic() > deadline:
                os.close(descriptor)
                return None
            time.sleep(0.02)
    except OSError as error:
        os.close(descriptor)
        path.unlink(missing_ok=True)  # without it others go by the process's number
        _warn_once(folder, error)
        return Lock(None)
    _descriptors.add(descriptor)
    return Lock(descriptor)


def is_locked(folder: Path) -> bool | None:
    """Whether any process has the folder's lock; None where that cannot be told.

    It cannot in a folder that was made where there are no locks.
    """
    try:
        descriptor = os.open(folder / NAME, os.O_RDONLY)
    except OSError:
        return None
    try:
        return not _take(descriptor, shared=True)  # shared, so that two can ask at once
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _take(descriptor: int, *, shared: bool) -> bool:
    if fcntl is None:
        raise OSError("this system has no flock")
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _warn_once(folder: Path, error: OSError) -> None:
    device = folder.stat().st_dev
    if device not in _warned:
        _warned.add(device)
        log.warning("%s: no locks there (%s); start no two runs in one folder", folder, error)


def _close_copies() -> None:
    # A flock belongs to the open file, which a fork shares: a data-loader process that outlives its
    # parent would keep the folder locked. Closing the copy leaves the parent's lock as it is.
    for descriptor in _descriptors:
        os.close(descriptor)
    _descriptors.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_copies)
