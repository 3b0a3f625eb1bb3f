"""Configurations ranked by one figure: ties share a rank, and a leader is one only if shown."""

from collections.abc import Callable, Sequence

from seg.comparison import paired_tests
from seg.comparison.configurations import ComparedRun, Configuration, by_config, differing
from seg.comparison.paired_tests import ALPHA, Pair, corrected
from seg.comparison.same_cases import pool_runs
from seg.comparison.summary import Comparison, measure

ALL_PAIRS = 10  # up to so many every pair is tested, beyond that each with the leader
BANDS = 10  # ranks told apart among many configurations; what is below shares the last one
LISTED = 12  # runs in a message


def compare(
    runs: Sequence[ComparedRun],
    *,
    metric: str = "dice",
    test: str = "permutation",
    source: str = "test",
    common: bool = False,
) -> Comparison:
    """Group, measure, test and rank runs.

    Args:
        runs: from `configurations.read_runs`.
        metric: name of a `Statistic`.
        test: `permutation` or `wilcoxon`.
        source: of the runs' results, for messages.
        common: whether to compare on the cases that all have.
    Raises:
        ValueError: a ranking would mislead: no run can be ranked, test cases differ, or the runs
            do not have the metric.
    """
    rankable = [run for run in runs if run.table is not None]
    if not rankable:
        lines = "".join(f"\n  {run.name}: {run.status}: {run.problem}" for run in runs[:LISTED])
        raise ValueError(f"none of {len(runs)} runs can be ranked by source={source}{lines}")
    pooled = [pool_runs(c.label, c.runs, common=common) for c in by_config(rankable)]
    comparison = ranked(pooled, metric=metric, test=test, common=common)
    comparison.source = source
    comparison.unranked = [run for run in runs if run.table is None]
    comparison.keys = differing(entry.configuration.runs[0] for entry in comparison.entries)
    return comparison


def ranked(
    configurations: Sequence[Configuration], *, metric: str, test: str, common: bool
) -> Comparison:
    """Measure, test and rank configurations that are pooled; arguments and errors as `compare`."""
    comparison = measure(configurations, metric=metric, common=common)
    comparison.test = test
    _rank(comparison)
    comparison.notes += _cautions(comparison)
    return comparison


def _rank(comparison: Comparison) -> None:
    """Test the pairs, and set rank and tied of the entries.

    Whichever pairs are tested, the correction counts all: the same cases chose the leader, so any
    pair could have been looked at, and with fewer the best of many equals would seem better than
    the last of them.
    """
    count = len(comparison.entries)
    all_pairs, family = count <= ALL_PAIRS, count * (count - 1) // 2

    def tested(head: int, others: Sequence[int]) -> list[Pair]:
        measured = comparison.totals, comparison.metric
        return paired_tests.against(head, others, *measured, test=comparison.test, family=family)

    heads = range(count) if all_pairs else [0]
    pairs = corrected([p for i in heads for p in tested(i, range(i + 1, count))], family=family)

    def worse(head: int, others: Sequence[int]) -> set[int]:
        is_known = all_pairs or head == 0
        known = pairs if is_known else corrected(tested(head, others), family=family)
        return {p.b for p in known if p.a == head and p.shown} & set(others)

    rank = 1
    for band in bands(count, worse):
        for i in band:
            comparison.entries[i].rank, comparison.entries[i].tied = rank, len(band) > 1
        rank += len(band)
    comparison.pairs, comparison.all_pairs = pairs, all_pairs


def bands(count: int, worse: Callable[[int, Sequence[int]], set[int]]) -> list[list[int]]:
    """Positions by rank: each band begins with the best that is left, and has those that are not
    shown to be worse than it.

    Args:
        count: how many positions there are, best first.
        worse: of a position and those after it, the ones that are shown to be worse.
    """
    left, ranked = list(range(count)), []
    while left:
        head, *others = left
        beaten = worse(head, others) if others and len(ranked) < BANDS else set()
        ranked.append([i for i in left if i not in beaten])
        left = [i for i in others if i in beaten]
    return ranked


def _cautions(comparison: Comparison) -> list[str]:
    notes, count, groups = [], len(comparison.entries), comparison.groups
    family = count * (count - 1) // 2
    sampled = comparison.test == "permutation" and groups > paired_tests.EXACT_GROUPS
    least = family / (1 + paired_tests.resamples_for(family))
    if family * 2 * 0.5**groups >= ALPHA:
        notes.append(
            f"{groups} {comparison.unit} are too few: no difference, however large, can be shown"
        )
    elif sampled and comparison.metric.kind == "pooled" and least >= ALPHA:
        notes.append(
            f"{count} configurations are too many for permutation tests of a pooled figure: "
            "no difference can be shown; compare fewer, or test=wilcoxon"
        )
    if count > 1 and any(entry.seeds is None for entry in comparison.entries):
        notes.append(
            "the tests are about new cases; what another seed would change, only several seeds of "
            "each configuration tell"
        )
    if not comparison.all_pairs:
        notes.append(
            "each configuration is tested against the leader alone, and below the first rank "
            "against the best of its rank; the correction counts all pairs, since the same cases "
            "chose these"
        )
    return notes
