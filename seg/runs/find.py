"""Run folders by path, by glob, or at any depth below a folder."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from seg.runs.folder import MARKS


def find(where: str | Sequence[str]) -> list[Path]:
    """Absolute paths of run folders, sorted, each once.

    Args:
        where: a run folder, a folder that holds some, a glob (`**` as well), or a list of them.
    Raises:
        FileNotFoundError: nothing matches, or no match is or holds a run folder.
    """
    folders: dict[Path, None] = {}
    for pattern in [where] if isinstance(where, str) else where:
        path = os.path.expanduser(pattern)
        # the folder of a job of a sweep may have brackets in its name, which a glob would read
        matches = [path] if os.path.exists(path) else sorted(glob.glob(path, recursive=True))
        if not matches:
            raise FileNotFoundError(f"runs={pattern}: no such folder; give a run, a folder, a glob")
        below = [folder for match in matches for folder in _below(Path(match))]
        if not below:
            marks = ", ".join(MARKS)
            raise FileNotFoundError(
                f"runs={pattern}: no run in it or below it (a run folder has {marks})"
            )
        folders |= dict.fromkeys(folder.absolute() for folder in below)
    return sorted({folder.resolve(): folder for folder in folders}.values())


def _below(root: Path) -> Iterator[Path]:
    for path, folders, files in os.walk(root):
        if any(mark in files for mark in MARKS):
            folders.clear()  # nothing in a run folder is a run
            yield Path(path)
        else:
            folders[:] = sorted(f for f in folders if not f.startswith("."))
