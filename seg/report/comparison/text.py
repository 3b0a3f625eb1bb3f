"""A comparison in sentences that claim no more than was shown."""

from collections.abc import Sequence

from seg.comparison.paired_tests import ALPHA, Pair
from seg.comparison.summary import Comparison, RankedConfiguration
from seg.report.text import counted, interval, probability

NAMED = 3  # configurations in a sentence


def rank(entry: RankedConfiguration) -> str:
    """`1=` where others share it."""
    return f"{entry.rank}{'=' if entry.tied else ''}"


def made_of(entry: RankedConfiguration) -> str:
    """`3 seeds x 5 folds`, `3 seeds`, `1 run`."""
    seeds, folds = len(entry.configuration.tables), len(entry.configuration.folds)
    parts = [f"{seeds} seeds"] if seeds > 1 else []
    parts += [f"{folds} folds"] if folds else []
    return " x ".join(parts) or "1 run"


def about(comparison: Comparison) -> str:
    """How much was compared."""
    runs = sum(len(entry.configuration.runs) for entry in comparison.entries)
    text = f"{counted(len(comparison.entries), 'configuration')}, {counted(runs, 'run')}, "
    text += counted(comparison.cases, "test case")
    if comparison.groups < comparison.cases:
        text += f" in {counted(comparison.groups, 'group')}"
    if comparison.unranked:
        text += f"; {counted(len(comparison.unranked), 'run')} not ranked"
    return text


def family(comparison: Comparison) -> str:
    """How many tests Holm's correction counted."""
    count, entries = len(comparison.pairs), len(comparison.entries)
    if count < 2:
        return "one pair, no correction"
    if comparison.all_pairs:
        return f"Holm over all {count} pairs"
    return f"each with the leader, Holm over all {entries * (entries - 1) // 2} pairs"


def test_name(comparison: Comparison) -> str:
    """The test, and what it swapped or ranked."""
    return {
        "permutation": f"paired permutation test, whole {comparison.unit} swapped",
        "wilcoxon": f"Wilcoxon signed-rank test of the {comparison.unit}' differences",
    }[comparison.test]


def tested(comparison: Comparison) -> str:
    """The test and its correction as a sentence."""
    return f"{test_name(comparison).capitalize()}; {family(comparison)}."


def sentence(pair: Pair, comparison: Comparison) -> str:
    """What was shown of one pair, or that nothing was."""
    a, b = (comparison.entries[i].label for i in (pair.a, pair.b))
    difference = _difference(pair, comparison)
    if pair.shown:
        return f"{a} is better than {b} by {difference}"
    if pair.p_holm < ALPHA:
        return (
            f"{a} and {b}: mean and ranks point in opposite directions, {difference}; "
            "neither is shown"
        )
    return f"no difference between {a} and {b} could be shown: {difference}"


def verdict(comparison: Comparison) -> str:
    """The comparison in one sentence; names a winner only if all others are shown to be worse."""
    first, *others = comparison.entries
    name = comparison.metric.name
    if not others:
        return (
            f"One configuration, nothing to compare it with: {first.label}, "
            f"{name} {interval(*first.figures[name])}."
        )
    if len(comparison.leaders) == 1:
        rest = "" if len(others) == 1 else f", the runner-up of {len(others)}"
        return (
            f"{first.label} is better in {name} than {others[0].label}{rest}, "
            f"by {_difference(comparison.behind[1], comparison)}."
        )
    tied = [i for i, entry in enumerate(comparison.entries) if i and entry.rank == 1]
    names = [comparison.entries[i].label for i in tied]
    return (
        f"{first.label} leads in {name}, but is not shown to be better than {_either(names)}: "
        f"the difference to {names[0]} is {_difference(comparison.behind[tied[0]], comparison)}."
    )


def _difference(pair: Pair, comparison: Comparison) -> str:
    after = " after Holm" if len(comparison.pairs) > 1 else ""
    difference = interval(pair.difference, pair.low, pair.high)
    return f"{difference}, {probability(pair.p_holm)}{after}"


def _either(names: Sequence[str]) -> str:
    if len(names) > NAMED:
        return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
    return " or ".join(names) if len(names) < NAMED else f"{', '.join(names[:-1])} or {names[-1]}"
