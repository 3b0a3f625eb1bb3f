"""Which case is in which split: read from files or folders, or drawn, and checked for leakage."""

from collections.abc import Mapping, Sequence
from typing import Any

from seg.data.pairs import Pair
from seg.data.split import file, leakage
from seg.data.split.draw import draw


def groups_of(pairs: Sequence[Pair], by: str) -> list[str]:
    """The group of every case, under `dataset.split.by`.

    Args:
        by: `group`: what the data say (a patient, a video). `file`: each image by itself, and the
            slices of one volume together, since they are never independent.
    """
    if by != "file":
        return [pair.group for pair in pairs]
    return [pair.case.rpartition("#")[0] if pair.plane else pair.case for pair in pairs]


def assign(
    pairs: Sequence[Pair],
    *,
    foreground: Sequence[float],
    image_sha256: Sequence[str],
    blank: Sequence[bool],
    near: Sequence[tuple[int, int]],
    split: Mapping[str, Any],
) -> tuple[list[str], list[str]]:
    """The group and the split label of every case.

    A drawn split keeps the groups of duplicates together; they stay groups of their own. A preset
    split, from `split.file` or from folders named train, val and test, is refused if it parts
    duplicates, unless `split.duplicates` is `ignore`.

    Args:
        foreground: share of foreground in each mask.
        blank: whether each image is of one value, or nearly; such images are never duplicates.
        near: index pairs of near-duplicate images.
        split: the keys of `dataset.split`.

    Raises:
        ValueError: a group or duplicates in two splits, or no training or validation cases.
    """
    cases = [pair.case for pair in pairs]
    groups = groups_of(pairs, split["by"])
    preset: Sequence[str | None] = [pair.split for pair in pairs]
    if split["file"] is not None:
        preset = file.read(split["file"], cases)
    equal = leakage.equal_pairs(image_sha256, blank)
    refuse = split["duplicates"] != "ignore"
    units = groups  # what the split is drawn from
    if refuse:
        units, near = leakage.join_duplicates(groups, cases, equal, near)
    if any(preset):
        labelled = [i for i, label in enumerate(preset) if label is not None]
        leakage.check_groups([groups[i] for i in labelled], [preset[i] or "" for i in labelled])
        alike = {"the same image": equal, "near-duplicate images": near}
        leakage.check_duplicates(cases, preset, alike, refuse=refuse)
        leakage.check_joined_groups(cases, preset, units)
    sizes = {key: split[key] for key in ("val", "test", "seed", "folds", "fold")}
    sizes["preset"] = preset if any(preset) else None
    try:
        labels = draw(units, foreground, **sizes)
    except ValueError:
        draw(groups, foreground, **sizes)  # raises where the groups are too few by themselves
        pairs_between = leakage.between(groups, [*equal, *near])
        raise ValueError(leakage.too_few(groups, units, cases, pairs_between)) from None
    for name in ("train", "val"):
        if name not in labels:
            raise ValueError(f"no {name} cases: raise dataset.split.{name}, or add data")
    return groups, labels
