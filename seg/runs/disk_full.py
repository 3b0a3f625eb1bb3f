"""A full disk, reported in one message: which file could not be written, and how to go on."""

import errno
import os
from pathlib import Path

# The user's quota counts as a full disk; so does a file larger than the limit of the shell.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FIX = "free some, then give the same command with resume=auto"


def explained(error: BaseException, folder: Path) -> OSError | None:
    """The error to raise instead of one that a full disk has caused; None for other errors.

    It names the file that `seg.runs.atomic` was writing, or `folder` where the system named none.
    """
    full = cause(error)
    if full is None:
        return None
    path = full.filename if full.filename else str(folder)
    return OSError(full.errno, f"{os.strerror(full.errno)}; {FIX}", os.fsdecode(path))


def cause(error: BaseException | None) -> OSError | None:
    """The system's own error about a full disk behind `error`, which libraries often wrap."""
    while error is not None:
        if is_full(error):
            return error
        error = error.__cause__ or error.__context__
    return None


def is_full(error: BaseException) -> bool:
    """Whether this error itself is the system's error about a full disk."""
    return isinstance(error, OSError) and error.errno in FULL
