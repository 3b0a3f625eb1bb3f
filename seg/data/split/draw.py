"""Which case goes where: by group, stratified by empty and by foreground size, seeded."""

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
    given: Sequence[str | None] | None = None,
) -> list[str]:
    """A split label for every case; a group is never divided.

    groups: the group of each case. foreground: its mask's share of foreground, 0 if empty (False
        and True for a split by empty alone).
    val, test: a fraction of all cases (below 1) or a count of cases (1 and above). Whole groups are
        moved, so that the sizes are met as nearly as the groups allow.
    folds, fold: with k folds, fold number `fold` (0 to k-1) is the test set and `test` is not used.
    given: labels that stand already, None where a case is to be drawn. `test` is drawn only if no
        label is given at all, and `val`, out of the training cases, if none is `val`.

    Groups are ordered by the foreground of their cases, empty ones first, and a split takes one at
    random out of each run of neighbours: systematic sampling, which stratifies without bins. Folds
    are dealt out of the same order.

    Raises ValueError if the groups do not suffice for the splits asked for.
    """
    n = len(groups)
    sizes, shares = _by_group(groups, foreground)
    labels = dict.fromkeys(sizes, "train")
    stands = {g: label for g, label in zip(groups, given or [], strict=False) if label is not None}
    labels |= stands
    if folds is not None:
        if stands:
            raise ValueError(
                "dataset.split.folds: the split is given already, by dataset.split.file or by the "
                "folders; set one of both"
            )
        if len(labels) < folds:
            raise ValueError(
                f"dataset.split.folds={folds} needs as many groups; there are {len(labels)}"
            )
        dealt = _deal(sizes, shares, seed=seed, folds=folds)
        labels |= {g: "test" for g, number in dealt.items() if number == (fold or 0)}
    elif not stands:
        # one group stays for training, and one for validation
        _move(labels, sizes, shares, _count(test, n), "test", seed, keep=1 + (val > 0))
    if "val" not in stands.values():
        _move(labels, sizes, shares, _count(val, n), "val", seed + 1)
    if "train" not in labels.values():
        raise ValueError(
            f"no training cases left: {len(labels)} groups, dataset.split.val={val}, "
            f"dataset.split.test={test}"
        )
    return [labels[g] for g in groups]


def fingerprint(cases: Sequence[str], labels: Sequence[str]) -> str:
    """12 hex digits that are equal for equal splits, in whatever order the cases come."""
    lines = sorted(f"{case}\t{label}" for case, label in zip(cases, labels, strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def _count(share: float, n: int) -> int:
    return max(round(share * n), share > 0) if share < 1 else int(share)


def _by_group(
    groups: Sequence[str], foreground: Sequence[float]
) -> tuple[dict[str, int], dict[str, float]]:
    """Cases, and mean foreground share, of each group; the same in whatever order they come."""
    held: dict[str, list[float]] = defaultdict(list)
    for group, share in zip(groups, foreground, strict=True):
        held[group].append(float(share))
    return {g: len(v) for g, v in held.items()}, {g: math.fsum(v) / len(v) for g, v in held.items()}


def _deal(
    sizes: Mapping[str, int], shares: Mapping[str, float], *, seed: int, folds: int
) -> dict[str, int]:
    """The fold of each group: each run of k neighbours by foreground is dealt to the k folds, its
    largest group to the fold with the fewest cases.
    """
    rng = random.Random(f"{seed}-folds")
    order = sorted(sizes)
    rng.shuffle(order)
    order.sort(key=lambda g: shares[g])  # stable: equal shares stay shuffled
    held, fold_of = [0] * folds, {}
    for start in range(0, len(order), folds):
        run = sorted(order[start : start + folds], key=lambda g: -sizes[g])
        ranked = sorted(range(folds), key=lambda fold: (held[fold], rng.random()))
        for group, fold in zip(run, ranked, strict=False):
            fold_of[group] = fold
            held[fold] += sizes[group]
    return fold_of


def _move(
    labels: dict[str, str],
    sizes: Mapping[str, int],
    shares: Mapping[str, float],
    count: int,
    label: str,
    seed: int,
    *,
    keep: int = 1,
) -> None:
    """Turn about `count` training cases into `label`, evenly along the order of foreground.

    keep: how many groups are to stay as they are, at least.
    """
    if count == 0:
        return
    left = sorted(g for g, held in labels.items() if held == "train")
    total = sum(sizes[g] for g in left)
    if len(left) <= keep or count >= total:
        raise ValueError(
            f"dataset.split.{label} asks for {count} cases, and {total} cases of "
            f"{len(left)} groups are left; a group is never divided: check dataset.group, or ask "
            "for less"
        )
    rng = random.Random(f"{seed}-{label}")
    rng.shuffle(left)
    left.sort(key=lambda g: shares[g])  # stable: equal shares stay shuffled
    wanted = min(max(1, round(count * len(left) / total)), len(left) - keep)
    runs = [run.tolist() for run in np.array_split(np.array(left, dtype=object), wanted)]
    for run in runs:
        rng.shuffle(run)
    # The first of each run is taken; then others of a run in its stead, while that brings the
    # number of cases nearer to the one asked for.
    taken = [run[0] for run in runs]
    while True:
        excess = sum(sizes[g] for g in taken) - count
        if abs(excess) <= max(1, count // 20):
            break
        best = min(
            ((abs(excess + sizes[g] - sizes[taken[i]]), i, k)
             for i, run in enumerate(runs) for k, g in enumerate(run)),
        )  # fmt: skip
        if best[0] >= abs(excess):
            break
        taken[best[1]] = runs[best[1]][best[2]]
    if not any(shares[g] for g in taken) and shares[left[-2]]:
        # a split without any foreground would measure nothing, if another can spare some
        rest = sum(sizes[g] for g in taken[:-1]) - count
        able = (g for g in runs[-1] if shares[g])
        taken[-1] = min(able, key=lambda g: abs(rest + sizes[g]))
    # Where sizes differ greatly, so few may hold too few cases: others are added.
    while len(taken) < len(left) - keep:
        missing = count - sum(sizes[g] for g in taken)
        nearest = min(set(left) - set(taken), key=lambda g: (abs(missing - sizes[g]), g))
        if missing <= max(1, count // 20) or abs(missing - sizes[nearest]) >= missing:
            break
        taken.append(nearest)
    labels.update(dict.fromkeys(taken, label))


def check_sizes(*, val: float, test: float, folds: int | None, fold: int | None) -> None:
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
