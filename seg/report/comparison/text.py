"""What a comparison says, in sentences and numbers that claim no more than was shown."""

import math
import re
from collections.abc import Sequence

from seg.comparison.paired_tests import ALPHA, Pair
from seg.comparison.ranking import Comparison
from seg.comparison.summary import RankedConfiguration

NAMED = 3


def number(value: float, digits: int = 4) -> str:
    """So many decimals for shares, two for distances; a dash for what is not there."""
    if not math.isfinite(value):
        return "-"
    return f"{value:.{digits if abs(value) < 10 else 2}f}"


def cut(text: str, length: int) -> str:
    """On one line, searched numbers rounded; the middle of what is longer is left out."""
    whole = re.sub(r"\d+\.\d{6,}(e-?\d+)?", lambda m: f"{float(m[0]):.4g}", " ".join(text.split()))
    if len(whole) <= length:
        return whole
    head = (length - 1) // 2
    return f"{whole[:head]}…{whole[head + 1 - length :]}"


def chance(p: float) -> str:
    """A p-value as a cell has it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def probability(p: float) -> str:
    """A p-value as a sentence has it."""
    return f"p {chance(p)}" if p < 0.001 else f"p = {chance(p)}"


def rank(entry: RankedConfiguration) -> str:
    """`1=` where others share it."""
    return f"{entry.rank}{'=' if entry.tied else ''}"


def amount(pair: Pair, *, corrected: bool) -> str:
    after = " after Holm" if corrected else ""
    return (
        f"{number(pair.difference)} ({number(pair.low)} to {number(pair.high)}), "
        f"{probability(pair.p_holm)}{after}"
    )


def sentence(pair: Pair, comparison: Comparison) -> str:
    """One pair: what was shown, or that nothing was."""
    a, b = (comparison.entries[i].label for i in (pair.a, pair.b))
    said = amount(pair, corrected=len(comparison.pairs) > 1)
    if pair.shown:
        return f"{a} is better than {b} by {said}"
    if pair.p_holm < ALPHA:
        return f"{a} and {b}: mean and ranks point in opposite directions, {said}; neither is shown"
    return f"no difference between {a} and {b} could be shown: {said}"


def family(comparison: Comparison) -> str:
    """What Holm's correction went over."""
    count = len(comparison.pairs)
    if count < 2:
        return "one pair, no correction"
    if comparison.all_pairs:
        return f"Holm over all {count} pairs"
    entries = len(comparison.entries)
    return f"each with the leader, Holm over all {entries * (entries - 1) // 2} pairs"


def test_name(comparison: Comparison) -> str:
    unit = "groups" if comparison.groups < comparison.cases else "cases"
    return {
        "permutation": f"paired permutation test, whole {unit} swapped",
        "wilcoxon": f"Wilcoxon signed-rank test of the {unit}' differences",
    }[comparison.test]


def verdict(comparison: Comparison) -> str:
    """The comparison in one sentence; names a winner only if all others are shown to be worse."""
    first, *rest = comparison.entries
    value, low, high = first.figures[comparison.metric.name]
    name = comparison.metric.name
    if not rest:
        return (
            f"One configuration, nothing to compare it with: {first.label}, "
            f"{name} {number(value)} ({number(low)} to {number(high)})."
        )
    with_first = {pair.b: pair for pair in comparison.pairs if pair.a == 0}
    corrected = len(comparison.pairs) > 1
    if len(comparison.leaders) == 1:
        others = "" if len(rest) == 1 else f", the runner-up of {len(rest)}"
        return (
            f"{first.label} is better in {name} than {rest[0].label}{others}, "
            f"by {amount(with_first[1], corrected=corrected)}."
        )
    open_ = [i for i, entry in enumerate(comparison.entries) if i and entry.rank == 1]
    tied = [comparison.entries[i].label for i in open_]
    return (
        f"{first.label} leads in {name}, but is not shown to be better than {_some(tied)}: "
        f"the difference to {tied[0]} is {amount(with_first[open_[0]], corrected=corrected)}."
    )


def _some(names: Sequence[str]) -> str:
    if len(names) > NAMED:
        return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
    return " or ".join(names) if len(names) < NAMED else f"{', '.join(names[:-1])} or {names[-1]}"


def made_of(entry: RankedConfiguration) -> str:
    """`3 seeds x 5 folds`, `3 seeds`, `1 run`."""
    seeds, folds = len(entry.configuration.tables), len(entry.configuration.folds)
    parts = [f"{seeds} seeds"] if seeds > 1 else []
    parts += [f"{folds} folds"] if folds else []
    return " x ".join(parts) or "1 run"


def about(comparison: Comparison) -> str:
    """How much was compared."""
    runs = sum(len(entry.configuration.runs) for entry in comparison.entries)
    text = f"{_count(len(comparison.entries), 'configuration')}, {_count(runs, 'run')}, "
    text += f"{_count(comparison.cases, 'test case')}"
    if comparison.groups < comparison.cases:
        text += f" in {_count(comparison.groups, 'group')}"
    if comparison.unranked:
        text += f"; {_count(len(comparison.unranked), 'run')} not ranked"
    return text


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
