"""A full disk, said in one message: which file, and how to go on."""

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType

# The user's quota counts as a full disk; so does a file larger than the limit of the shell.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MEND = "free some, then give the same command with resume=auto"


def explained(error: BaseException, folder: Path) -> OSError | None:
    """The error to raise instead of one that a full disk has caused; None for others.

    Libraries wrap the system's error, or lose the file's name with it: here the file is the one
    below `folder` that was being written where the error arose, `folder` itself if none is found.
    """
    cause = next((e for e in _chain(error) if is_full(e)), None)
    if cause is None:
        return None
    named = getattr(cause, "filename", None)
    path = str(named) if named else _written(cause, folder) or str(folder)
    path = os.path.join(os.path.dirname(path), _final_name(os.path.basename(path)))
    number = cause.errno if isinstance(cause, OSError) and cause.errno else errno.ENOSPC
    return OSError(number, f"{os.strerror(number)}; {MEND}", path)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def is_full(error: BaseException) -> bool:
    """Whether the system has said so, in this error itself."""
    return isinstance(error, OSError) and error.errno in FULL


def _written(error: BaseException, folder: Path) -> str | None:
    for frame in _frames(error.__traceback__):
        for value in frame.f_locals.values():
            paths = [value, *(getattr(value, key, None) for key in ("name", "filename"))]
            for path in paths:
                if isinstance(path, str | bytes | Path):
                    text = os.fsdecode(path)
                    if text.startswith(f"{folder}{os.sep}"):
                        return text
    return None


def _frames(trace: TracebackType | None) -> list[FrameType]:
    """The frames, innermost first."""
    frames = []
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    return frames[::-1]


def _final_name(name: str) -> str:
    """`.last.ckpt.4711`, the file beside, is `last.ckpt` to the user."""
    found = re.fullmatch(r"\.(.+)\.(?:\d+|reserve)", name)
    return found[1] if found else name
