"""Files and folders that are written whole or not at all.

A file is written beside its target, as `.<name>.<pid>`, and renamed when it is complete: after a
kill or on a full disk the target is the old one. Every file that other commands rely on is written
here, so that the message of a full disk can name it.
"""

import csv
import datetime
import errno
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from seg.runs import failures


def temporary_path(path: Path) -> Path:
    """Where this process writes what will become `path`."""
    return path.with_name(f".{path.name}.{os.getpid()}")


@contextmanager
def replacing(path: Path, *, sync: bool = False) -> Iterator[IO[bytes]]:
    """A binary file that becomes `path` when the block ends without an error.

    Args:
        path: the target; its folder is made if it is missing.
        sync: whether to wait until the bytes are on the disk, against a power cut.
    Raises:
        OSError: the file cannot be written; it names `path`, also where the cause is a full disk
            that a library has reported as another error.
    """
    temporary = temporary_path(path)
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as handle:
                yield handle
                if sync:
                    handle.flush()
                    os.fsync(handle.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, UTF-8, line ends as they are in `text`."""
    # half of a surrogate pair stands for a byte of a file name that is not UTF-8
    with replacing(path) as handle:
        handle.write(text.encode("utf-8", errors="backslashreplace"))


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file, indented."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file. The first row holds the names of the columns."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    write_text(path, text.getvalue())


@contextmanager
def replacing_files(folder: Path, *, last: str, owned: Iterable[str] = ()) -> Iterator[Path]:
    """A temporary folder whose files are moved to `folder` when the block ends without an error.

    Files of the same names are replaced, others in `folder` are left alone, except `owned` ones.

    Args:
        folder: the target; its parents are made if they are missing.
        last: the file that marks the set as complete. It is removed before the others are replaced
            and written after them, so that a kill never leaves it beside files of another set.
        owned: files, relative to the folder, that are removed where an earlier set has left them
            and this one has none of their name.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(folder)
    temporary.mkdir()
    try:
        yield temporary
        folder.mkdir(exist_ok=True)
        if (folder / last).exists():  # else `owned` ones may be anybody's
            (folder / last).unlink()
            for name in owned:
                if not (temporary / name).exists():
                    (folder / name).unlink(missing_ok=True)
        files = [p for p in sorted(temporary.rglob("*")) if p.is_file()]
        for file in sorted(files, key=lambda p: p.name == last):
            target = folder / file.relative_to(temporary)
            target.parent.mkdir(exist_ok=True)
            os.replace(file, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def require_writable(folder: Path, key: str = "output_dir") -> None:
    """Raise OSError, with the key to set, if a folder cannot be made or filled there.

    Asked before anything long begins.
    """
    # os.path.exists is false, where Path.exists raises, below a folder that may not be entered
    existing = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    number = 0 if os.access(existing, os.W_OK | os.X_OK) else errno.EACCES
    if not existing.is_dir():
        number = errno.ENOTDIR
    elif hasattr(os, "statvfs") and os.statvfs(existing).f_flag & os.ST_RDONLY:
        number = errno.EROFS
    if number:
        raise OSError(number, f"{os.strerror(number)}; give another {key}", str(existing))


def fresh_folder(parent: Path) -> Path:
    """Make `parent/<date>_<time>[-n]`; two launches in one second get two folders.

    Raises:
        OSError: it names the folder that cannot be made.
    """
    stamp = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    n = 1
    try:
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            folder = parent / (stamp if n == 1 else f"{stamp}-{n}")
            with suppress(FileExistsError):
                folder.mkdir()
                return folder
            n += 1
    except OSError as error:
        full = failures.is_full_disk(error)
        fix = failures.FIX_FULL if full else "give another output_dir"
        raise OSError(error.errno, f"{error.strerror}; {fix}", error.filename) from error


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that a killed process has left: a checkpoint's can be large.

    Only for a process that has the folder alone.
    """
    for path in folder.glob(".*.*"):
        if path.suffix[1:].isdigit():
            path.unlink(missing_ok=True)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let an error of a full disk, and any error about the temporary file, name `path`."""
    try:
        yield
    except Exception as error:
        cause = failures.full_disk(error) or error
        if isinstance(cause, OSError) and (
            failures.is_full_disk(cause) or cause.filename in (None, str(temporary_path(path)))
        ):
            raise OSError(cause.errno, cause.strerror, str(path)) from error
        raise
