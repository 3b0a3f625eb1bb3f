"""Draw a split: by group, stratified by empty masks and by foreground size, seeded."""

import hashlib
import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

SPLITS = ("train", "val", "test")


def draw(
    groups: Sequence[str],
    foreground: Sequence[float],
    *,
    val: float,
    test: float,
    seed: int,
    folds: int | None = None,
    fold: int | None = None,
    preset: Sequence[str | None] | None = None,
) -> list[str]:
    """A split label for every case; a group is never divided.

    Groups are ordered by the foreground of their cases, empty ones first, and a split takes one
    group at random from each run of neighbours: systematic sampling, which stratifies without bins.
    Folds are dealt in the same order.

    Args:
        groups: the group of each case.
        foreground: share of foreground in each mask, 0 if it is empty (or False and True, to
            stratify by empty masks alone).
        val: a fraction of all cases (below 1) or a number of cases. Whole groups are moved, so the
            size is met as nearly as they allow. Likewise `test`, which is not used with `folds`.
        folds: number of folds for cross-validation; `fold`, from 0, is the test split.
        preset: labels that are decided already, None for a case to draw. With any preset label no
            test split is drawn, and no validation split if one of them is `val`.

    Raises:
        ValueError: there are too few groups.
    """
    count = len(groups)
    sizes, shares = _by_group(groups, foreground)
    labels = dict.fromkeys(sizes, "train")
    preset_labels = {g: s for g, s in zip(groups, preset or [], strict=False) if s is not None}
    labels |= preset_labels
    if folds is not None:
        if preset_labels:
            raise ValueError(
                "dataset.split.folds: the split is given already, by dataset.split.file or by the "
                "folders; set one of both"
            )
        if len(labels) < folds:
            raise ValueError(
                f"dataset.split.folds={folds} needs as many groups; there are {len(labels)}"
            )
        fold_of = _deal(sizes, shares, seed=seed, folds=folds)
        labels |= {g: "test" for g, number in fold_of.items() if number == (fold or 0)}
    elif not preset_labels:
        # one group stays for training, and one for validation
        _move(labels, sizes, shares, _size(test, count), "test", seed, keep=1 + (val > 0))
    if "val" not in preset_labels.values():
        _move(labels, sizes, shares, _size(val, count), "val", seed + 1)
    if "train" not in labels.values():
        raise ValueError(
            f"no training cases left: {len(labels)} groups, dataset.split.val={val}, "
            f"dataset.split.test={test}"
        )
    return [labels[g] for g in groups]


def fingerprint(cases: Sequence[str], labels: Sequence[str]) -> str:
    """12 hex digits, equal for equal splits in whatever order the cases come."""
    lines = sorted(f"{case}\t{label}" for case, label in zip(cases, labels, strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def _size(share: float, count: int) -> int:
    return max(round(share * count), int(share > 0)) if share < 1 else int(share)


def _by_group(
    groups: Sequence[str], foreground: Sequence[float]
) -> tuple[dict[str, int], dict[str, float]]:
    """Number of cases and mean foreground of each group; the order of the cases has no effect."""
    shares: dict[str, list[float]] = defaultdict(list)
    for group, share in zip(groups, foreground, strict=True):
        shares[group].append(float(share))
    means = {g: math.fsum(s) / len(s) for g, s in shares.items()}
    return {g: len(s) for g, s in shares.items()}, means


def _shuffled(groups: Sequence[str], shares: Mapping[str, float], rng: random.Random) -> list[str]:
    """In order of foreground; groups with equal shares in random order."""
    order = sorted(groups)
    rng.shuffle(order)
    return sorted(order, key=lambda g: shares[g])  # stable


def _deal(
    sizes: Mapping[str, int], shares: Mapping[str, float], *, seed: int, folds: int
) -> dict[str, int]:
    """The fold of each group.

    Each run of k neighbours by foreground is dealt to the k folds, its largest group to the fold
    with the fewest cases.
    """
    rng = random.Random(f"{seed}-folds")
    order = _shuffled(list(sizes), shares, rng)
    cases_in, fold_of = [0] * folds, {}
    for start in range(0, len(order), folds):
        run = sorted(order[start : start + folds], key=lambda g: -sizes[g])
        ranked = sorted(range(folds), key=lambda fold: (cases_in[fold], rng.random()))
        for group, fold in zip(run, ranked, strict=False):
            fold_of[group] = fold
            cases_in[fold] += sizes[group]
    return fold_of


def _move(
    labels: dict[str, str],
    sizes: Mapping[str, int],
    shares: Mapping[str, float],
    size: int,
    label: str,
    seed: int,
    *,
    keep: int = 1,
) -> None:
    """Give about `size` training cases the label, evenly along the order of foreground.

    keep: the least number of groups that stay in training.
    """
    if size == 0:
        return
    rng = random.Random(f"{seed}-{label}")
    candidates = _shuffled([g for g, split in labels.items() if split == "train"], shares, rng)
    total = sum(sizes[g] for g in candidates)
    if len(candidates) <= keep or size >= total:
        raise ValueError(
            f"dataset.split.{label} asks for {size} cases, and {total} cases of {len(candidates)} "
            "groups are left; a group is never divided: check dataset.group, or ask for less"
        )
    group_count = min(max(1, round(size * len(candidates) / total)), len(candidates) - keep)
    runs = [run.tolist() for run in np.array_split(np.array(candidates, dtype=object), group_count)]
    for run in runs:
        rng.shuffle(run)
    # Take the first group of each run; then exchange it for another of its run, as long as that
    # brings the number of cases nearer to `size`.
    selection = [run[0] for run in runs]
    while True:
        excess = sum(sizes[g] for g in selection) - size
        if abs(excess) <= max(1, size // 20):
            break
        best = min(
            (abs(excess + sizes[g] - sizes[selection[i]]), i, k)
            for i, run in enumerate(runs)
            for k, g in enumerate(run)
        )
        if best[0] >= abs(excess):
            break
        selection[best[1]] = runs[best[1]][best[2]]
    if not any(shares[g] for g in selection) and shares[candidates[-2]]:
        # a split without any foreground would measure nothing, if another can spare some
        rest = sum(sizes[g] for g in selection[:-1]) - size
        with_foreground = (g for g in runs[-1] if shares[g])
        selection[-1] = min(with_foreground, key=lambda g: abs(rest + sizes[g]))
    # Where sizes differ greatly, so few groups may have too few cases: add others.
    while len(selection) < len(candidates) - keep:
        missing = size - sum(sizes[g] for g in selection)
        nearest = min(set(candidates) - set(selection), key=lambda g: (abs(missing - sizes[g]), g))
        if missing <= max(1, size // 20) or abs(missing - sizes[nearest]) >= missing:
            break
        selection.append(nearest)
    labels.update(dict.fromkeys(selection, label))


def check_sizes(*, val: float, test: float, folds: int | None, fold: int | None) -> None:
    """Raise ValueError for sizes that no data set can satisfy."""
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
