"""Results take their places together, and only when all are there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def together(folder: Path, *, last: str) -> Iterator[Path]:
    """A folder to write into, whose files are moved to `folder` in the end, over those of the same
    names; other files there are left alone. After an error nothing has changed.

    last: the file that vouches for the others: it is taken away first and comes last, so that one
    that is there belongs to what lies beside it, whenever this is killed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    temporary.mkdir()
    try:
        yield temporary
        folder.mkdir(exist_ok=True)
        (folder / last).unlink(missing_ok=True)
        files = [p for p in sorted(temporary.rglob("*")) if p.is_file()]
        for file in sorted(files, key=lambda p: p.name == last):
            place = folder / file.relative_to(temporary)
            place.parent.mkdir(exist_ok=True)
            os.replace(file, place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
