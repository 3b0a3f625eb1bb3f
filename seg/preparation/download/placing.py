"""The folder of a data set: there already, or filled in one step by one process at a time."""

import errno
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seg.data.errors import DataError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

log = logging.getLogger(__name__)

LOCK = "lock"
UNPACKED = "unpacked"


def is_there(folder: Path, has_layout: Callable[[Path], bool]) -> bool:
    """Whether the data are in `folder`; not if it is empty. Raises DataError for other contents."""
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise DataError(folder, "a file, not a folder", "set dataset.root to another path")
    names = sorted(path.name for path in folder.iterdir())
    if not names:
        return False
    if has_layout(folder):
        return True
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    reason = f"not the layout of this data set, it contains {shown}; nothing was overwritten"
    raise DataError(folder, reason, "move that away, or set dataset.root to a new folder")


@contextmanager
def work_folder(folder: Path, *, kept: frozenset[str] = frozenset()) -> Iterator[Path]:
    """`.<name>.download/` beside `folder`, for this process alone.

    The lock is the kernel's, so that it ends with its process, even a killed one. Where there are
    no locks (Windows, some network drives) each process gets a folder of its own and keeps nothing.

    Args:
        folder: of the data set.
        kept: names of files that stay for the next time; all others are removed, before and after.
    """
    work = folder.parent / f".{folder.name}.download"
    try:
        lock = _locked(work)
        if lock is None:
            work = Path(tempfile.mkdtemp(prefix=f"{work.name}-", dir=work.parent))
    except OSError as error:
        reason = error.strerror or str(error)
        fix = "set dataset.root to a folder that can be written"
        raise OSError(f"{work.parent}: {reason}; {fix}") from error
    try:
        _clear(work, {*kept, LOCK})
        yield work
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        detail = f" ({error.strerror})" if error.filename else ""
        fix = "free some space, then run the same command again: it continues"
        raise OSError(f"{work.parent}: the disk is full{detail}; {fix}") from error
    finally:
        # Remove the lock last: a process that then makes a new one finds a clean folder.
        _clear(work, {*kept, LOCK} if lock is not None else set())
        _unlock(work)
        if lock is not None:
            os.close(lock)


def put_in_place(source: Path, folder: Path, has_layout: Callable[[Path], bool]) -> None:
    """Rename `source` to `folder`, unless another process has filled it meanwhile."""
    try:
        os.rename(source, folder)
    except OSError as error:
        if is_there(folder, has_layout):  # without locks another process can have been faster
            return
        fix = "set dataset.root to a folder that is not there yet"
        raise OSError(
            f"{folder}: the data cannot be put there ({error.strerror}); {fix}"
        ) from error


def _locked(work: Path) -> int | None:
    """Make `work` and lock it: the lock's open file, or None where there are no locks."""
    while True:
        work.parent.mkdir(parents=True, exist_ok=True)
        if fcntl is None:
            return None
        try:
            work.mkdir(exist_ok=True)
            handle = os.open(work / LOCK, os.O_CREAT | os.O_RDWR, 0o644)
        except FileNotFoundError:  # another process removed the folder just now
            continue
        try:
            _wait(handle, work)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(work / LOCK)):
                    return handle
        except OSError as error:
            os.close(handle)
            if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
                _unlock(work)
                return None
            raise
        os.close(handle)  # another process finished and removed the lock while this one waited


def _wait(handle: int, work: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.info("another process is filling %s: waiting for it", work)
        fcntl.flock(handle, fcntl.LOCK_EX)


def _unlock(work: Path) -> None:
    (work / LOCK).unlink(missing_ok=True)
    with suppress(OSError):  # not empty: kept files, or the lock of another process
        work.rmdir()


def _clear(work: Path, kept: set[str]) -> None:
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name not in kept:
            path.unlink()
