"""A text file written whole or not at all."""

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """UTF-8. Written beside its place, then put there: a kill or a full disk leaves the old one.

    Raises OSError that names `path`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # a half of a surrogate pair stands for a byte of a file name that is no UTF-8
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
        os.replace(temporary, path)
    except OSError as error:  # that of a full disk names no file
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
