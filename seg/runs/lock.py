"""One process a folder: a lock that is given back by any death of its process."""

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
PATIENCE = 0.3  # seconds; who asks `held` has the lock for some microseconds

_descriptors: set[int] = set()  # those of this process's locks
_told: set[str] = set()


class Lock:
    """A folder's lock, until `release` or the end of the process. Also a context."""

    def __init__(self, folder: Path, descriptor: int | None) -> None:
        self.folder = folder
        self.descriptor = descriptor

    def release(self) -> None:
        """Give it back; a second call does nothing."""
        if self.descriptor is not None:
            _descriptors.discard(self.descriptor)
            os.close(self.descriptor)
            self.descriptor = None

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


def acquire(folder: Path) -> Lock | None:
    """The folder's lock, or None if it is held already, by another process or by this one.

    The lock is `flock` on FOLDER/.lock. Where the file system has no locks, the lock given holds
    nothing, and one line of the log says so.

    Raises OSError if the file cannot be made.
    """
    path = folder / NAME
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            taken = _take(descriptor, shared=False)
        except OSError as error:
            os.close(descriptor)
            path.unlink(missing_ok=True)  # no file, so that others go by the process's number
            _tell_once(folder, error)
            return Lock(folder, None)
        if taken:
            _descriptors.add(descriptor)
            return Lock(folder, descriptor)
        if time.monotonic() > deadline:
            os.close(descriptor)
            return None
        time.sleep(0.02)


def held(folder: Path) -> bool:
    """Whether any process holds the folder's lock; False where there are no locks."""
    try:
        descriptor = os.open(folder / NAME, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _take(descriptor, shared=True)  # two that ask at once do not see one another
    except OSError:
        return False
    finally:
        os.close(descriptor)


def exists(folder: Path) -> bool:
    """Whether `held` can tell: not so in a folder that was made where there are no locks."""
    return (folder / NAME).is_file()


def _take(descriptor: int, *, shared: bool) -> bool:
    if fcntl is None:
        raise OSError("this system has no flock")
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _tell_once(folder: Path, error: OSError) -> None:
    device = str(folder.stat().st_dev)
    if device not in _told:
        _told.add(device)
        log.warning("%s: no locks there (%s); start no two runs in one folder", folder, error)


def _let_go() -> None:
    # A flock belongs to the open file, which a fork shares: a loader's worker that outlives its
    # parent would keep the folder locked. Closing the copy leaves the parent's lock as it is.
    for descriptor in _descriptors:
        os.close(descriptor)
    _descriptors.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
