"""From pairs to split labels: groups, duplicates, and splits that are given or drawn."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from seg.data.pairs import Pair
from seg.data.split import draw as drawn
from seg.data.split import file, leakage

log = logging.getLogger(__name__)


def assign(
    pairs: Sequence[Pair],
    *,
    foreground: Sequence[float],
    image_sha256: Sequence[str],
    near: Sequence[tuple[int, int]],
    split: Mapping[str, Any],
) -> tuple[list[str], list[str]]:
    """The group and the split label of every case.

    foreground: share of each mask. near: index pairs of near-duplicate images. split: the keys of
        `dataset.split`. A drawn split keeps duplicates together; a given one (`split.file`, or
        folders named train, val, test) that parts them is refused, unless `split.duplicates` is
        `ignore`.

    Raises ValueError for groups or duplicates in two splits, and where train or val is empty.
    """
    cases = [pair.case for pair in pairs]
    own = [_file(pair) if split["by"] == "file" else pair.group for pair in pairs]
    given: Sequence[str | None] = [pair.split for pair in pairs]
    if split["file"] is not None:
        given = file.read(split["file"], cases)
    equal = leakage.equal_pairs(image_sha256)
    keep = split["duplicates"] != "ignore"
    groups, near = _together(own, cases, equal, near) if keep else (own, near)
    if any(given):
        known = [i for i, label in enumerate(given) if label is not None]
        leakage.check_disjoint([own[i] for i in known], [given[i] or "" for i in known])
        _refuse_parted(cases, given, equal, near, keep=keep)
        _refuse_between(cases, given, groups)
    sizes = {key: split[key] for key in ("val", "test", "seed", "folds", "fold")}
    labels = drawn.draw(groups, foreground, given=given if any(given) else None, **sizes)
    for name in ("train", "val"):
        if name not in labels:
            raise ValueError(f"no {name} cases: raise dataset.split.{name}, or add data")
    return groups, labels


def _file(pair: Pair) -> str:
    """The case, and of a slice its volume: slices of one file are never independent."""
    return pair.case.rpartition("#")[0] if pair.plane else pair.case


def _together(
    own: list[str],
    cases: Sequence[str],
    equal: Sequence[tuple[int, int]],
    near: Sequence[tuple[int, int]],
) -> tuple[list[str], Sequence[tuple[int, int]]]:
    """Groups joined by equal and near-duplicate images, with a word on each; the pairs to go by."""
    groups, joined = leakage.join(own, equal)
    if joined:
        _say("byte-equal images under two names", joined, cases)
    closer, joined = leakage.join(groups, near)
    if joined and leakage.chained(groups, closer):
        log.warning(
            "%d pairs of images are so alike that they cannot be told from duplicates (such as %s "
            "and %s); they are split as they come",
            len(joined), cases[joined[0][0]], cases[joined[0][1]],
        )  # fmt: skip
        return groups, []
    if joined:
        _say("near-duplicate images", joined, cases)
    return closer, near


def _say(kind: str, joined: Sequence[tuple[int, int]], cases: Sequence[str]) -> None:
    i, j = joined[0]
    log.warning(
        "%d %s (%s = %s); they are kept in one split", len(joined), kind, cases[i], cases[j]
    )


def _refuse_parted(
    cases: Sequence[str],
    given: Sequence[str | None],
    equal: Sequence[tuple[int, int]],
    near: Sequence[tuple[int, int]],
    *,
    keep: bool,
) -> None:
    lines = [
        f"{cases[i]} ({given[i]}) and {cases[j]} ({given[j]}): {kind}"
        for kind, found in (("the same image", equal), ("near-duplicate images", near))
        for i, j in found
        if given[i] is not None and given[j] is not None and given[i] != given[j]
    ]
    if not lines:
        return
    if not keep:
        log.warning("%d duplicates lie in two splits, such as %s", len(lines), lines[0])
        return
    more = [f"... and {len(lines) - 12} more"] if len(lines) > 12 else []
    fix = "fix the split, or let them pass with dataset.split.duplicates=ignore"
    head = f"{len(lines)} duplicates lie in two splits; {fix}:"
    raise ValueError("\n".join([head, *lines[:12], *more]))


def _refuse_between(
    cases: Sequence[str], given: Sequence[str | None], groups: Sequence[str]
) -> None:
    """Refuse groups whose cases of two given splits are joined by one that no list names."""
    first: dict[str, int] = {}
    for i, label in enumerate(given):
        if label is None:
            continue
        j = first.setdefault(groups[i], i)
        if given[j] != label:
            raise ValueError(
                f"{cases[j]} ({given[j]}) and {cases[i]} ({label}): a case that the split does not "
                "name is a duplicate of both, or of their groups; name it, or let them pass with "
                "dataset.split.duplicates=ignore"
            )
