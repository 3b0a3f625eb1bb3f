"""Where a data set is to lie: there already, taken by something else, or filled in one step."""

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
    """Whether the data lie in `folder`; not if it is empty. Raises DataError if others do."""
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
    reason = f"has not the layout of this data set, but holds {shown}; nothing was overwritten"
    raise DataError(folder, reason, "move that away, or set dataset.root to a new folder")


@contextmanager
def work_folder(folder: Path, *, kept: frozenset[str] = frozenset()) -> Iterator[Path]:
    """`.<name>.download/` beside `folder`, for this process alone as long as it lives.

    kept: names of files that are left in it for the next time; all else is removed, before and
    after. The lock is the kernel's, so that it goes with its holder, even a killed one. Where there
    is none (Windows, some network drives) each process has a folder of its own and keeps nothing.
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
        fix = "make room, then run the same command again: it goes on"
        raise OSError(f"{work.parent}: the disk is full{detail}; {fix}") from error
    finally:
        # The lock last: who makes a new one finds nothing that is about to be removed.
        _clear(work, {*kept, LOCK} if lock is not None else set())
        _leave(work)
        if lock is not None:
            os.close(lock)


def put_in_place(source: Path, folder: Path, has_layout: Callable[[Path], bool]) -> None:
    """Rename `source` to `folder`, which is empty or not there, or holds the data by now."""
    try:
        os.rename(source, folder)
    except OSError as error:
        if is_there(folder, has_layout):  # without locks another process can have been quicker
            return
        fix = "set dataset.root to a folder that is not there yet"
        raise OSError(
            f"{folder}: the data cannot be put there ({error.strerror}); {fix}"
        ) from error


def _locked(work: Path) -> int | None:
    """An open file with the lock of `work`, which is made; None where there are no locks."""
    while True:
        work.parent.mkdir(parents=True, exist_ok=True)
        if fcntl is None:
            return None
        try:
            work.mkdir(exist_ok=True)
            handle = os.open(work / LOCK, os.O_CREAT | os.O_RDWR, 0o644)
        except FileNotFoundError:  # its last user removed it just now
            continue
        try:
            _wait(handle, work)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(work / LOCK)):
                    return handle
        except OSError as error:
            os.close(handle)
            if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
                _leave(work)
                return None
            raise
        os.close(handle)  # its user was done with it, and removed it while we waited


def _wait(handle: int, work: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.info("another process fills %s: waiting for it", work)
        fcntl.flock(handle, fcntl.LOCK_EX)


def _leave(work: Path) -> None:
    (work / LOCK).unlink(missing_ok=True)
    with suppress(OSError):  # not empty: what is kept, or another's lock
        work.rmdir()


def _clear(work: Path, kept: set[str]) -> None:
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name not in kept:
            path.unlink()
