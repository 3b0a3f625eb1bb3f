"""What must not be in two splits: cases of one group, and duplicate images."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

log = logging.getLogger(__name__)

# Near-duplicates connect groups in twos, and a few in a row. Where they chain up more of all groups
# than this, the images are simply alike, and keeping them together would leave nothing to divide.
MAX_JOINED = 0.1

IndexPairs = Sequence[tuple[int, int]]
Labels = Sequence[str | None]  # None where a case has no label yet


def equal_pairs(digests: Sequence[str], blank: Sequence[bool]) -> list[tuple[int, int]]:
    """Index pairs (first, later) of equal digests, blank images left out."""
    first: dict[str, int] = {}
    kept = [(i, d) for i, (d, none) in enumerate(zip(digests, blank, strict=True)) if not none]
    return [(first[d], i) for i, d in kept if first.setdefault(d, i) != i]


def between(groups: Sequence[str], pairs: IndexPairs) -> list[tuple[int, int]]:
    """The pairs whose cases are in different groups."""
    return [(i, j) for i, j in pairs if groups[i] != groups[j]]


def join(groups: Sequence[str], pairs: IndexPairs) -> list[str]:
    """What a split must not part: the groups that pairs of cases connect, directly or in a chain.

    Returns:
        For each case the first group, by name, of those that are connected to its own.
    """
    # here, since every command imports this file, and help must come at once
    from scipy.sparse import coo_array  # noqa: PLC0415
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    names, index = np.unique(np.asarray(groups, dtype=object), return_inverse=True)
    a, b = index[np.array(pairs, dtype=np.int64).reshape(-1, 2)].T
    links = coo_array((np.ones(len(a)), (a, b)), shape=(len(names), len(names)))
    part = connected_components(links, directed=False)[1]
    _, first = np.unique(part, return_index=True)  # names are in order
    return names[first[part[index]]].tolist()


def is_chained(groups: Sequence[str], units: Sequence[str]) -> bool:
    """Whether more than a tenth of all groups, and more than ten, are joined to another one."""
    sizes = Counter(unit for _, unit in set(zip(groups, units, strict=True)))
    return max(sizes.values()) - 1 > max(10, MAX_JOINED * len(set(groups)))


def join_duplicates(
    groups: list[str], cases: Sequence[str], equal: IndexPairs, near: IndexPairs
) -> tuple[list[str], IndexPairs]:
    """What a split must not part, since images are equal or nearly; a warning for each kind.

    Returns:
        The unit of each case, see `join`; and the pairs of `near`, none where too many are alike.
    """
    if parted := between(groups, equal):
        _warn("byte-equal images", parted, cases)
    units = join(groups, equal)
    by_near = join(groups, [*equal, *near])
    if (parted := between(units, near)) and is_chained(units, by_near):
        log.warning(
            "%d pairs of images are so alike that they cannot be told from duplicates (such as %s "
            "and %s); they are split as they come",
            len(parted), cases[parted[0][0]], cases[parted[0][1]],
        )  # fmt: skip
        return units, []
    if parted:
        _warn("near-duplicate images", parted, cases)
    return by_near, near


def _warn(kind: str, pairs: IndexPairs, cases: Sequence[str]) -> None:
    a, b = (cases[i] for i in pairs[0])
    log.warning(
        "%d %s in different groups (%s = %s); these groups are kept in one split",
        len(pairs), kind, a, b,
    )  # fmt: skip


def too_few(
    groups: Sequence[str], units: Sequence[str], cases: Sequence[str], pairs: IndexPairs
) -> str:
    """The message where duplicates between groups leave too little to divide.

    Args:
        pairs: of duplicates in different groups.
    """
    count, left = len(set(groups)), len(set(units))
    (i, j), more = pairs[0], f" and {len(pairs) - 1} more" if len(pairs) > 1 else ""
    return (
        f"duplicate images connect {count} groups to {left}, too few to split: "
        f"{cases[i]} = {cases[j]}{more}; remove the copies (seg.prepare lists them), or set "
        "dataset.split.duplicates=ignore"
    )


def check_groups(groups: Sequence[str], labels: Sequence[str]) -> None:
    """Raise ValueError for a group in two splits."""
    seen: dict[str, str] = {}
    for group, label in zip(groups, labels, strict=True):
        if seen.setdefault(group, label) != label:
            raise ValueError(
                f"group {group} is in both {seen[group]} and {label}: its cases are not "
                "independent; fix the split, or set dataset.split.by=file if they are"
            )


def check_duplicates(
    cases: Sequence[str], labels: Labels, alike: Mapping[str, IndexPairs], *, refuse: bool
) -> None:
    """Raise ValueError, or warn unless `refuse`, for pairs (by kind) with two labels."""
    lines = [
        f"{cases[i]} ({labels[i]}) and {cases[j]} ({labels[j]}): {kind}"
        for kind, pairs in alike.items()
        for i, j in pairs
        if labels[i] is not None and labels[j] is not None and labels[i] != labels[j]
    ]
    if lines and not refuse:
        log.warning("%d duplicates lie in two splits, such as %s", len(lines), lines[0])
    elif lines:
        fix = "fix the split, or let them pass with dataset.split.duplicates=ignore"
        more = [f"... and {len(lines) - 12} more"] if len(lines) > 12 else []
        head = f"{len(lines)} duplicates lie in two splits; {fix}:"
        raise ValueError("\n".join([head, *lines[:12], *more]))


def check_joined_groups(cases: Sequence[str], labels: Labels, units: Sequence[str]) -> None:
    """Raise ValueError for two labels in one unit, which a case without a label has joined."""
    first: dict[str, int] = {}
    for i, label in enumerate(labels):
        j = i if label is None else first.setdefault(units[i], i)
        if labels[j] != label:
            raise ValueError(
                f"{cases[j]} ({labels[j]}) and {cases[i]} ({label}): a case that the split does "
                "not name is a duplicate of both, or of their groups; name it, or let them pass "
                "with dataset.split.duplicates=ignore"
            )
