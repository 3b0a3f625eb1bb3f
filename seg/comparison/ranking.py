"""Configurations ranked by one figure: ties share a rank, and a leader is one only if shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from numpy.typing import NDArray

from seg.comparison import paired_tests
from seg.comparison.configurations import differing
from seg.comparison.paired_tests import Pair
from seg.comparison.runs import Run
from seg.comparison.statistic import Statistic
from seg.comparison.summary import RankedConfiguration, measure

ALL_PAIRS = 10  # up to so many every pair is tested, beyond that each with the leader
BANDS = 10  # ranks told apart among many configurations; what is below shares the last one


@dataclass
class Comparison:
    """entries: best first. pairs: tested pairs, positions among the entries, better one first by
    the figure. all_pairs: else each with the leader. keys: of the configurations that differ.
    """

    metric: Statistic
    test: str
    source: str
    entries: list[RankedConfiguration]
    pairs: list[Pair]
    all_pairs: bool
    unranked: list[Run]
    cases: int
    groups: int
    keys: list[str]
    notes: list[str]

    @property
    def leaders(self) -> list[RankedConfiguration]:
        """Those that share the first rank; the winner alone, if there is one."""
        return [entry for entry in self.entries if entry.rank == 1]


def compare(
    runs: Sequence[Run],
    *,
    metric: str = "dice",
    test: str = "permutation",
    source: str = "test",
    common: bool = False,
) -> Comparison:
    """Rank runs as `runs.read_runs` gives them. Raises ValueError where that would mislead: no run
    to rank, test cases that differ, a figure that the runs do not have.
    """
    found = measure(runs, metric=metric, source=source, common=common)
    entries = found.entries
    pairs, all_pairs = _rank(entries, found.totals, found.metric, test)
    notes = found.notes + _cautions(
        entries, found.groups, found.metric, test, volumes=found.groups < found.cases
    )
    if not all_pairs:
        notes.append(
            "each configuration is tested against the leader alone, and below the first rank "
            "against the best of its rank; the correction counts all pairs, since the same cases "
            "chose these"
        )
    return Comparison(
        metric=found.metric,
        test=test,
        source=source,
        entries=entries,
        pairs=pairs,
        all_pairs=all_pairs,
        unranked=[run for run in runs if run.table is None or run.problem is not None],
        cases=found.cases,
        groups=found.groups,
        keys=differing(e.configuration.runs[0] for e in entries),
        notes=notes,
    )


def _rank(
    entries: list[RankedConfiguration], totals: NDArray, wanted: Statistic, test: str
) -> tuple[list[Pair], bool]:
    """Set rank and tied of entries, best first; returns the tested pairs, after Holm.

    Whichever pairs are tested, the correction counts all: the same cases chose the leader, so any
    pair could have been looked at, and with fewer the best of many equals would seem better than
    the last of them.
    """
    count = len(entries)
    all_pairs, family = count <= ALL_PAIRS, count * (count - 1) // 2

    def tested(heads: Sequence[int], others: Callable[[int], Sequence[int]]) -> list[Pair]:
        pairs = [
            pair
            for i in heads
            for pair in paired_tests.against(i, others(i), totals, wanted, test=test, family=family)
        ]
        adjusted = paired_tests.holm([p.p for p in pairs], family=family)
        return [replace(p, p_holm=float(q)) for p, q in zip(pairs, adjusted, strict=True)]

    pairs = tested(range(count) if all_pairs else [0], lambda i: range(i + 1, count))

    def worse(head: int, others: Sequence[int]) -> set[int]:
        known = pairs if all_pairs or head == 0 else tested([head], lambda _: others)
        return {p.b for p in known if p.a == head and p.shown} & set(others)

    rank = 1
    for band in bands(count, worse):
        for i in band:
            entries[i].rank, entries[i].tied = rank, len(band) > 1
        rank += len(band)
    return pairs, all_pairs


def bands(count: int, worse: Callable[[int, Sequence[int]], set[int]]) -> list[list[int]]:
    """Positions by rank: each begins with the best that is left, and holds those that are not shown
    to be worse than it.

    worse: a head and what comes after it, to those shown to be worse.
    """
    left, found = list(range(count)), []
    while left:
        head, *others = left
        beaten = worse(head, others) if others and len(found) < BANDS else set()
        found.append([i for i in left if i not in beaten])
        left = [i for i in others if i in beaten]
    return found


def _cautions(
    entries: Sequence[RankedConfiguration],
    groups: int,
    wanted: Statistic,
    test: str,
    *,
    volumes: bool,
) -> list[str]:
    notes = []
    family = len(entries) * (len(entries) - 1) // 2
    sampled = test == "permutation" and groups > paired_tests.EXACT_GROUPS
    least = family / (1 + paired_tests.resamples_for(family))
    if family * 2 * 0.5**groups >= paired_tests.ALPHA:
        what = "groups" if volumes else "cases"
        notes.append(f"{groups} {what} are too few: no difference, however large, can be shown")
    elif sampled and wanted.kind == "pooled" and least >= paired_tests.ALPHA:
        notes.append(
            f"{len(entries)} configurations are too many for permutation tests of a pooled figure: "
            "no difference can be shown; compare fewer, or test=wilcoxon"
        )
    if len(entries) > 1 and any(entry.seeds is None for entry in entries):
        notes.append(
            "the tests are about new cases; what another seed would change, only several seeds of "
            "each configuration tell"
        )
    return notes
