"""The cases that are evaluated: those of a run's own split, or all of another data set."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seg.data import Progress, no_progress
from seg.data.cache import case_digests
from seg.data.errors import DataErrors
from seg.data.masks import IGNORE
from seg.data.pairs import Pair
from seg.data.sources import Source, read_pairs
from seg.data.split import groups_of
from seg.runs.folder import RunFolder

log = logging.getLogger(__name__)


Change = Callable[[NDArray, NDArray[np.uint8]], tuple[NDArray, NDArray[np.uint8]]]


@dataclass(frozen=True)
class Case:
    """A pair of files, and the group (patient, video) that its figures are resampled with.

    Args:
        change: of image (H, W, C) and mask (H, W) or (H, W, K) after they are read; None leaves
            them as they are.
    """

    pair: Pair
    group: str
    change: Change | None = None


def dataset_cases(source: Source, by: str = "group") -> list[Case]:
    """All cases of a data set.

    Args:
        by: `group` or `file`, what their figures are resampled by (see `split.groups_of`).

    Raises:
        DataErrors: files that cannot be paired.
    """
    pairs, problems = read_pairs(source)
    if problems:
        raise DataErrors(problems)
    return [Case(p, group) for p, group in zip(pairs, groups_of(pairs, by), strict=True)]


def run_cases(
    run: RunFolder,
    source: Source,
    split: str,
    *,
    only: Sequence[str] | None = None,
    progress: Progress = no_progress,
) -> list[Case]:
    """The cases of one split of a run, with its groups, in the order of its split.csv.

    Only the files of that split are opened; others may be missing or changed.

    Args:
        run: with a split.csv.
        source: the run's data set, wherever it lies now.
        split: `train`, `val` or `test`.
        only: the names of some cases; None: all.
        progress: shows how many files are checked.

    Raises:
        FileNotFoundError: the run has no split.csv.
        ValueError: it cannot be read, or has no such cases.
        DataErrors: all files that are missing or are not those of the training.
    """
    path = run.split_path
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; the run ended before its data were split")
    if run.split is None:
        raise ValueError(f"{path}: cannot be read; restore it")
    rows = [
        row
        for row in run.split.rows
        if row["split"] == split and (only is None or row["image"] in only)
    ]
    if not rows:
        raise ValueError(f"split={split}: {path} has no such cases")
    pairs, problems = read_pairs(source)
    by_case = {pair.case: pair for pair in pairs}
    missing = [row["image"] for row in rows if row["image"] not in by_case]
    if missing:
        lines = [f"{case}: of {path}, and not below dataset.root" for case in missing]
        raise DataErrors([*problems, *lines])
    chosen = [by_case[row["image"]] for row in rows]
    changed = _changed(chosen, rows, progress)
    if changed:
        raise DataErrors([f"{p}: is not the file of the training; restore it" for p in changed])
    return [Case(pair, row["group"]) for pair, row in zip(chosen, rows, strict=True)]


def _changed(
    pairs: Sequence[Pair], rows: Sequence[Mapping[str, str]], progress: Progress
) -> list[Path]:
    images, masks = case_digests(pairs, progress=progress)
    changed: list[Path] = []
    for pair, row, image, mask in zip(pairs, rows, images, masks, strict=True):
        changed += pair.images if image != row["image_sha256"] else ()
        changed += pair.mask_paths if mask != row["mask_sha256"] else ()
    return list(dict.fromkeys(changed))  # a volume's file is that of many cases


def match_classes(own: Sequence[str], others: Sequence[str]) -> NDArray[np.uint8] | None:
    """Which class of the network each class of another data set is.

    Equal sets of names are matched by name, others by their order.

    Args:
        own: foreground classes of the network.
        others: foreground classes of the data set.

    Returns:
        (256,) mask index of the data set to that of the network; None where they are the same.

    Raises:
        ValueError: the numbers of classes differ.
    """
    own, others = list(own), list(others)
    if own == others:
        return None
    if len(own) != len(others):
        raise ValueError(
            f"the network knows {len(own)} classes ({', '.join(own)}), the data set has "
            f"{len(others)} ({', '.join(others)}); set dataset.classes to those that it knows"
        )
    if set(own) != set(others):
        log.warning(
            "classes are matched by their order: %s",
            ", ".join(f"{b} is scored as {a}" for a, b in zip(own, others, strict=True)),
        )
        return None
    table = np.zeros(256, dtype=np.uint8)
    table[IGNORE] = IGNORE
    for index, name in enumerate(others, start=1):
        table[index] = own.index(name) + 1
    return table
