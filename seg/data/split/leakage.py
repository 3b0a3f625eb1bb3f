"""What must not lie in two splits: cases of one group, and images that are the same."""

from collections import Counter
from collections.abc import Sequence

# Near-duplicates come in twos and in short runs of video frames. Where they chain up to more of
# the data set than this, its images are simply alike, and joining them would leave one group.
MAX_JOINED = 0.1


def check_disjoint(groups: Sequence[str], labels: Sequence[str]) -> None:
    """Raises ValueError naming a group that lies in two splits."""
    seen: dict[str, str] = {}
    for group, label in zip(groups, labels, strict=True):
        if seen.setdefault(group, label) != label:
            raise ValueError(
                f"group {group} is in both {seen[group]} and {label}: its cases are not "
                "independent; fix the split, or set dataset.split.by=file if they are"
            )


def equal_pairs(hashes: Sequence[str]) -> list[tuple[int, int]]:
    """Index pairs (first, later) of equal digests."""
    first: dict[str, int] = {}
    return [(first[h], i) for i, h in enumerate(hashes) if first.setdefault(h, i) != i]


def join(
    groups: Sequence[str], pairs: Sequence[tuple[int, int]]
) -> tuple[list[str], list[tuple[int, int]]]:
    """Join the groups of paired cases, so that no split can part them.

    Returns the groups, and those of the pairs that lay in different groups.
    """
    parent = {g: g for g in groups}

    def find(g: str) -> str:
        while parent[g] != g:
            parent[g] = parent[parent[g]]
            g = parent[g]
        return g

    joined = []
    for i, j in pairs:
        a, b = find(groups[i]), find(groups[j])
        if groups[i] != groups[j]:
            joined.append((i, j))
        parent[max(a, b)] = min(a, b)  # the name does not hang on the order of the cases
    return [find(g) for g in groups], joined


def chained(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether joining added more than a tenth of all cases (and more than ten) to one group."""
    largest: dict[str, int] = {}
    for (_, a), count in Counter(zip(before, after, strict=True)).items():
        largest[a] = max(count, largest.get(a, 0))
    added = max(count - largest[a] for a, count in Counter(after).items())
    return added > max(10, MAX_JOINED * len(after))
