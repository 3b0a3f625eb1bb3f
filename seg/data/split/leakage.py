"""What must not be in two splits: cases of one group, and duplicate images."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

log = logging.getLogger(__name__)

# Near-duplicates come in twos and in short runs of video frames. Where they chain up to more of
# the data set than this, its images are simply alike, and joining them would leave one group.
MAX_JOINED = 0.1

IndexPairs = Sequence[tuple[int, int]]
Labels = Sequence[str | None]  # None where a case has no label yet


def equal_pairs(digests: Sequence[str]) -> list[tuple[int, int]]:
    """Index pairs (first, later) of equal digests."""
    first: dict[str, int] = {}
    return [(first[d], i) for i, d in enumerate(digests) if first.setdefault(d, i) != i]


def join(groups: Sequence[str], pairs: IndexPairs) -> tuple[list[str], list[tuple[int, int]]]:
    """Join the groups of paired cases, so that no split can separate them.

    Returns:
        The new groups, and those pairs whose cases were in different groups.
    """
    parent = {g: g for g in groups}

    def root(g: str) -> str:
        while parent[g] != g:
            parent[g] = parent[parent[g]]
            g = parent[g]
        return g

    joined = []
    for i, j in pairs:
        a, b = root(groups[i]), root(groups[j])
        if groups[i] != groups[j]:
            joined.append((i, j))
        parent[max(a, b)] = min(a, b)  # so the name does not depend on the order of the cases
    return [root(g) for g in groups], joined


def is_chained(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether joining added more than a tenth of all cases (and more than ten) to one group."""
    largest: dict[str, int] = {}
    for (_, group), count in Counter(zip(before, after, strict=True)).items():
        largest[group] = max(count, largest.get(group, 0))
    added = max(count - largest[group] for group, count in Counter(after).items())
    return added > max(10, MAX_JOINED * len(after))


def join_duplicates(
    groups: list[str], cases: Sequence[str], equal: IndexPairs, near: IndexPairs
) -> tuple[list[str], IndexPairs]:
    """Join the groups of equal and of near-duplicate images, with a warning for each kind.

    Returns:
        The groups, and the pairs of `near`; none of them where too many images are alike.
    """
    groups, joined = join(groups, equal)
    if joined:
        _warn("byte-equal images under two names", joined, cases)
    by_near, joined = join(groups, near)
    if joined and is_chained(groups, by_near):
        log.warning(
            "%d pairs of images are so alike that they cannot be told from duplicates (such as %s "
            "and %s); they are split as they come",
            len(joined), cases[joined[0][0]], cases[joined[0][1]],
        )  # fmt: skip
        return groups, []
    if joined:
        _warn("near-duplicate images", joined, cases)
    return by_near, near


def _warn(kind: str, joined: IndexPairs, cases: Sequence[str]) -> None:
    a, b = (cases[i] for i in joined[0])
    log.warning("%d %s (%s = %s); they are kept in one split", len(joined), kind, a, b)


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


def check_joined_groups(cases: Sequence[str], labels: Labels, groups: Sequence[str]) -> None:
    """Raise ValueError for two labels in one group, which a case without a label has joined."""
    first: dict[str, int] = {}
    for i, label in enumerate(labels):
        j = i if label is None else first.setdefault(groups[i], i)
        if labels[j] != label:
            raise ValueError(
                f"{cases[j]} ({labels[j]}) and {cases[i]} ({label}): a case that the split does "
                "not name is a duplicate of both, or of their groups; name it, or let them pass "
                "with dataset.split.duplicates=ignore"
            )
