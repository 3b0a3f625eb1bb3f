"""Which case is in which split: read from files or folders, or drawn, and checked for leakage."""

from collections.abc import Mapping, Sequence
from typing import Any

from seg.data.pairs import Pair
from seg.data.split import file, leakage
from seg.data.split.draw import draw


def assign(
    pairs: Sequence[Pair],
    *,
    foreground: Sequence[float],
    image_sha256: Sequence[str],
    near: Sequence[tuple[int, int]],
    split: Mapping[str, Any],
) -> tuple[list[str], list[str]]:
    """The group and the split label of every case.

    A drawn split keeps duplicates together. A preset one, from `split.file` or from folders named
    train, val and test, is refused if it does not, unless `split.duplicates` is `ignore`.

    Args:
        foreground: share of foreground in each mask.
        near: index pairs of near-duplicate images.
        split: the keys of `dataset.split`.

    Raises:
        ValueError: a group or duplicates in two splits, or no training or validation cases.
    """
    cases = [pair.case for pair in pairs]
    own_groups = [_file_of(pair) if split["by"] == "file" else pair.group for pair in pairs]
    preset: Sequence[str | None] = [pair.split for pair in pairs]
    if split["file"] is not None:
        preset = file.read(split["file"], cases)
    equal = leakage.equal_pairs(image_sha256)
    refuse = split["duplicates"] != "ignore"
    groups = own_groups
    if refuse:
        groups, near = leakage.join_duplicates(own_groups, cases, equal, near)
    if any(preset):
        labelled = [i for i, label in enumerate(preset) if label is not None]
        leakage.check_groups([own_groups[i] for i in labelled], [preset[i] or "" for i in labelled])
        alike = {"the same image": equal, "near-duplicate images": near}
        leakage.check_duplicates(cases, preset, alike, refuse=refuse)
        leakage.check_joined_groups(cases, preset, groups)
    sizes = {key: split[key] for key in ("val", "test", "seed", "folds", "fold")}
    labels = draw(groups, foreground, preset=preset if any(preset) else None, **sizes)
    for name in ("train", "val"):
        if name not in labels:
            raise ValueError(f"no {name} cases: raise dataset.split.{name}, or add data")
    return groups, labels


def _file_of(pair: Pair) -> str:
    """The case, or the volume of a slice: slices of one file are never independent."""
    return pair.case.rpartition("#")[0] if pair.plane else pair.case
