"""Which case goes where: by group, stratified, seeded, or as a file says."""

import csv
import math
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from sklearn.model_selection import StratifiedGroupKFold

SPLITS = ("train", "val", "test")


def assign(
    groups: Sequence[str],
    positive: Sequence[bool],
    *,
    val: float,
    test: float,
    seed: int,
    folds: int | None = None,
    fold: int | None = None,
) -> list[str]:
    """A split label for every case; a group is never divided.

    groups: the group of each case. positive: whether its mask has foreground.
    val, test: a fraction of all cases (below 1) or a count of cases (1 and above). Whole groups are
        moved, so that the sizes are met as nearly as the groups allow.
    folds, fold: with k folds, fold number `fold` (0 to k-1) is the test set and `test` is not used.

    Raises ValueError if the groups do not suffice for the splits asked for.
    """
    n = len(groups)
    strata = _strata(groups, positive)
    labels = dict.fromkeys(strata, "train")
    if folds is not None:
        if len(labels) < folds:
            raise ValueError(
                f"dataset.split.folds={folds} needs as many groups; there are {len(labels)}"
            )
        for group in _fold_groups(groups, positive, seed=seed, folds=folds, fold=fold or 0):
            labels[group] = "test"
    else:
        _move(labels, groups, strata, _count(test, n), "test", seed)
    _move(labels, groups, strata, _count(val, n), "val", seed + 1)
    if "train" not in labels.values():
        raise ValueError(
            f"no training cases left: {len(labels)} groups, dataset.split.val={val}, "
            f"dataset.split.test={test}"
        )
    return [labels[g] for g in groups]


def _count(share: float, n: int) -> int:
    return max(round(share * n), share > 0) if share < 1 else int(share)


def _strata(groups: Sequence[str], positive: Sequence[bool]) -> dict[str, bool]:
    strata: dict[str, bool] = {}
    for group, has_foreground in zip(groups, positive, strict=True):
        strata[group] = strata.get(group, False) or bool(has_foreground)
    return strata


def _fold_groups(
    groups: Sequence[str], positive: Sequence[bool], *, seed: int, folds: int, fold: int
) -> set[str]:
    kfold = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    parts = list(kfold.split(groups, [int(p) for p in positive], groups))
    return {groups[i] for i in parts[fold][1]}


def _move(
    labels: dict[str, str],
    groups: Sequence[str],
    strata: Mapping[str, bool],
    count: int,
    label: str,
    seed: int,
) -> None:
    """Turn about `count` training cases into `label`, the same share of every stratum."""
    if count == 0:
        return
    sizes = Counter(groups)
    members: dict[bool, list[str]] = defaultdict(list)
    for group, stratum in strata.items():
        if labels[group] == "train":
            members[stratum].append(group)
    total = sum(sizes[g] for names in members.values() for g in names)
    if len([g for g in labels if labels[g] == "train"]) < 2 or count >= total:
        raise ValueError(
            f"dataset.split.{label} asks for {count} cases, and {total} cases of "
            f"{sum(len(m) for m in members.values())} groups are left; a group is never "
            "divided: check dataset.group, or ask for less"
        )
    moved_any = False
    for stratum in sorted(members):
        names = sorted(members[stratum])
        random.Random(f"{seed}-{label}-{stratum}").shuffle(names)
        wanted = count * sum(sizes[g] for g in names) / total
        moved = 0
        for group in names:
            # A group is taken while it brings the size nearer to what is wanted.
            if abs(moved + sizes[group] - wanted) < abs(moved - wanted):
                labels[group] = label
                moved += sizes[group]
                moved_any = True
    if (
        not moved_any
    ):  # every group is larger than twice the share: take the smallest one that has foreground
        candidates = members.get(True) or members[False]
        labels[min(sorted(candidates), key=lambda g: sizes[g])] = label


def read(path: Path, cases: Sequence[str]) -> list[str]:
    """The labels of a written split.csv (columns image, split), for `cases` in their order.

    Raises ValueError naming the cases that the file lacks, or a label that is none of train, val,
    test.
    """
    if not path.is_file():
        raise ValueError(f"dataset.split.file={path}: no such file")
    with path.open(newline="", encoding="utf-8-sig") as handle:
        rows = list(csv.DictReader(handle))
    if not rows or not {"image", "split"} <= rows[0].keys():
        raise ValueError(f"dataset.split.file={path}: needs the columns image and split")
    wrong = sorted({row["split"] for row in rows} - set(SPLITS))
    if wrong:
        raise ValueError(
            f"dataset.split.file={path}: split {wrong[0]!r} is none of {', '.join(SPLITS)}"
        )
    labels = {row["image"]: row["split"] for row in rows}
    missing = [case for case in cases if case not in labels]
    if missing:
        raise ValueError(
            f"dataset.split.file={path}: {len(missing)} cases are not in it, "
            f"the first is {missing[0]}"
        )
    return [labels[case] for case in cases]


def check_disjoint(groups: Sequence[str], labels: Sequence[str]) -> None:
    """Raises ValueError naming a group that lies in two splits."""
    seen: dict[str, str] = {}
    for group, label in zip(groups, labels, strict=True):
        if seen.setdefault(group, label) != label:
            raise ValueError(
                f"group {group} is in both {seen[group]} and {label}: its cases are not "
                "independent; mend the split file, or set dataset.split.by=file if they are"
            )


def merge_equal(
    groups: Sequence[str], hashes: Sequence[str]
) -> tuple[list[str], list[tuple[int, int]]]:
    """Join the groups of byte-equal images, so that no split can part them.

    Returns the groups, and the index pairs of equal images that lay in different groups.
    """
    parent = {g: g for g in groups}

    def find(g: str) -> str:
        while parent[g] != g:
            g = parent[g]
        return g

    first: dict[str, int] = {}
    joined = []
    for i, digest in enumerate(hashes):
        j = first.setdefault(digest, i)
        a, b = find(groups[j]), find(groups[i])
        if a != b:
            parent[b] = a
            joined.append((j, i))
    return [find(g) for g in groups], joined


def validate(*, val: float, test: float, folds: int | None, fold: int | None) -> None:
    """Raises ValueError for sizes that no data set can satisfy."""
    for name, share in (("val", val), ("test", test)):
        if not math.isfinite(share) or share < 0:
            raise ValueError(
                f"dataset.split.{name}={share}: a fraction below 1, or a count, is needed"
            )
    if val < 1 and test < 1 and folds is None and val + test >= 1:
        raise ValueError(
            f"dataset.split.val + dataset.split.test = {val + test:g} leaves nothing to train on"
        )
    if (folds is None) != (fold is None):
        raise ValueError("dataset.split.folds and dataset.split.fold go together")
    if folds is not None and (folds < 2 or not 0 <= (fold or 0) < folds):
        raise ValueError(
            f"dataset.split.fold={fold} must lie in 0 to folds-1, dataset.split.folds={folds}"
        )
