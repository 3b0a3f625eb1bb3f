"""Which cases are evaluated: of a run's own split, as it was then, or of another data set."""

import csv
import hashlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seg.data import Progress, no_progress
from seg.data.cache import THREADS
from seg.data.errors import DataErrors
from seg.data.masks import IGNORE
from seg.data.pairs import Pair

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Case:
    """A pair of files, and the group (patient, video) that its figures are resampled with."""

    pair: Pair
    group: str


def of_set(found: tuple[Sequence[Pair], Sequence[str]]) -> list[Case]:
    """All cases of a data set. found: `datamodule.read_pairs`. Raises DataErrors."""
    pairs, problems = found
    if problems:
        raise DataErrors(list(problems))
    return [Case(pair, pair.group) for pair in pairs]


def of_run(
    found: tuple[Sequence[Pair], Sequence[str]],
    table: Path,
    split: str,
    *,
    progress: Progress = no_progress,
) -> list[Case]:
    """The cases of one split of a run's split.csv, with its groups, in its order.

    Only the files of that split are opened; others may have gone or changed.

    Raises FileNotFoundError or ValueError, and DataErrors naming every file that is missing or is
    not what the run was made with.
    """
    if not table.is_file():
        raise FileNotFoundError(f"{table}: no such file; the run ended before its data were split")
    with table.open(newline="", encoding="utf-8") as handle:
        rows = [row for row in csv.DictReader(handle) if row["split"] == split]
    if not rows:
        raise ValueError(f"split={split}: {table} has no such cases")
    pairs, problems = found
    by_case = {pair.case: pair for pair in pairs}
    missing = [row["image"] for row in rows if row["image"] not in by_case]
    if missing:
        lost = [f"{case}: of {table}, and not below dataset.root" for case in missing]
        raise DataErrors([*problems, *lost])
    chosen = [by_case[row["image"]] for row in rows]
    changed = _changed(chosen, rows, progress)
    if changed:
        raise DataErrors(
            [f"{path}: is not the file of the training; restore it" for path in changed]
        )
    return [Case(pair, row["group"]) for pair, row in zip(chosen, rows, strict=True)]


def _changed(pairs: Sequence[Pair], rows: Sequence[dict], progress: Progress) -> list[Path]:
    expected: dict[Path, str] = {}
    for pair, row in zip(pairs, rows, strict=True):
        expected[pair.image] = row["image_sha256"]
        expected[pair.mask] = row["mask_sha256"]

    def digest(path: Path) -> str:
        try:
            with path.open("rb") as handle:
                return hashlib.file_digest(handle, "sha256").hexdigest()
        except OSError:
            return "unreadable"

    with ThreadPoolExecutor(THREADS) as pool:
        found = progress(pool.map(digest, expected), len(expected), "checking files")
        return [p for p, now in zip(expected, found, strict=True) if now != expected[p]]


def match_classes(own: Sequence[str], theirs: Sequence[str]) -> NDArray[np.uint8] | None:
    """What turns the mask indices of another data set into the network's; None: nothing has to.

    Classes of the same names are matched by name, others by their order if there are equally many.
    Raises ValueError naming both.
    """
    own, theirs = list(own), list(theirs)
    if own == theirs:
        return None
    if len(own) != len(theirs):
        raise ValueError(
            f"the network knows {len(own)} classes ({', '.join(own)}), the data set has "
            f"{len(theirs)} ({', '.join(theirs)}); set dataset.classes to those that it knows"
        )
    if set(own) != set(theirs):
        log.warning(
            "classes are matched by their order: %s",
            ", ".join(f"{b} is scored as {a}" for a, b in zip(own, theirs, strict=True)),
        )
        return None
    table = np.zeros(256, dtype=np.uint8)
    table[IGNORE] = IGNORE
    for index, name in enumerate(theirs, start=1):
        table[index] = own.index(name) + 1
    return table
