"""Configurations ranked by one figure: ties share a rank, and a leader is one only if shown."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from seg.reporting.comparison import significance
from seg.reporting.comparison.cases import CaseTable
from seg.reporting.comparison.configurations import Configuration, differing, gather, spread
from seg.reporting.comparison.figures import Figure, available, figure
from seg.reporting.comparison.runs import Run
from seg.reporting.comparison.sameness import common_groups, cut_to_common, require_same
from seg.reporting.comparison.significance import Pair
from seg.reporting.statistics import group_weights, t_interval

ALL_PAIRS = (
    10  # up to so many configurations every pair is tested, beyond that each with the leader
)
BANDS = 10  # ranks told apart among many configurations; what is below shares the last one


@dataclass(frozen=True)
class Spread:
    """Of a figure over n seeds or folds; low and high: t-interval of the mean (NaN for folds, which
    share training cases).
    """

    n: int
    mean: float
    deviation: float
    low: float = math.nan
    high: float = math.nan


@dataclass
class Entry:
    """figures: name to (value, low, high), bootstrap by group. rank: from 1; tied: whether others
    share it. told: figures of the runs' JSON that the table cannot give, mean over runs.
    """

    configuration: Configuration
    figures: dict[str, tuple[float, float, float]]
    rank: int = 1
    tied: bool = False
    seeds: Spread | None = None
    folds: Spread | None = None
    told: dict[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.configuration.label


@dataclass
class Comparison:
    """entries: best first. pairs: tested pairs, positions among the entries, better one first by
    the figure. all_pairs: else each with the leader. keys: of the configurations that differ.
    """

    metric: Figure
    test: str
    source: str
    entries: list[Entry]
    pairs: list[Pair]
    all_pairs: bool
    unranked: list[Run]
    cases: int
    groups: int
    keys: list[str]
    notes: list[str]

    @property
    def leaders(self) -> list[Entry]:
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
    ranked = [run for run in runs if run.table is not None and run.problem is None]
    if not ranked:
        seen = "".join(f"\n  {run.name}: {run.status}: {run.problem}" for run in runs[:12])
        raise ValueError(f"none of {len(runs)} runs can be ranked by source={source}{seen}")
    configurations = gather(ranked, common=common)
    notes = [f"{c.label}: {note}" for c in configurations for note in c.notes]
    if common:
        done = cut_to_common(configurations)
        notes += [done] if done else []
    tables = [table for c in configurations for table in c.tables]
    wanted = figure(metric, [tables[0]])
    require_same(configurations, column=wanted.column)
    wanted = figure(metric, tables)
    groups, names, regrouped = common_groups(configurations)
    if regrouped:
        notes.append(f"the runs group the cases differently; the coarsest, {len(names)}, is used")
    volumes = len(names) < len(groups)
    entries = _entries(configurations, wanted, groups, volumes=volumes)
    if not all(math.isfinite(entry.figures[metric][0]) for entry in entries):
        raise ValueError(f"metric={metric}: no test case has what it is made of")
    entries.sort(key=lambda e: (-wanted.sign * e.figures[metric][0], e.label))
    totals = np.stack([wanted.totals(e.configuration.tables, groups) for e in entries])
    pairs, all_pairs = _rank(entries, totals, wanted, test)
    notes += _cautions(entries, len(names), wanted, test, volumes=volumes)
    if not all_pairs:
        notes.append(
            "each configuration is tested against the leader alone, and below the first rank "
            "against the best of its rank; the correction counts all pairs, since the same cases "
            "chose these"
        )
    return Comparison(
        metric=wanted,
        test=test,
        source=source,
        entries=entries,
        pairs=pairs,
        all_pairs=all_pairs,
        unranked=[run for run in runs if run.table is None or run.problem is not None],
        cases=len(groups),
        groups=len(names),
        keys=differing(e.configuration.runs[0] for e in entries),
        notes=notes,
    )


def _entries(
    configurations: Sequence[Configuration],
    wanted: Figure,
    groups: NDArray[np.intp],
    *,
    volumes: bool,
) -> list[Entry]:
    tables = [table for c in configurations for table in c.tables]
    names = dict.fromkeys([wanted.name, *available(tables, volumes=volumes)])
    if wanted.index is None and len(tables[0].classes) > 1:
        names |= dict.fromkeys(f"{wanted.name}/{c}" for c in tables[0].classes)
    weights = group_weights(int(groups.max()) + 1)
    entries = [Entry(c, {}) for c in configurations]
    for name in names:
        each = figure(name, tables)
        totals = np.stack([each.totals(c.tables, groups) for c in configurations])
        low, high = significance.bounds(significance.resampled(totals, each, weights))
        for i, value in enumerate(each.of(totals.sum(1))):
            entries[i].figures[name] = float(value), float(low[i]), float(high[i])
    for entry in entries:
        c = entry.configuration
        if len(c.tables) > 1:
            values = [_alone(wanted, table) for table in c.tables]
            entry.seeds = Spread(len(values), *spread(values), *t_interval(values))
        if c.folds:
            values = [float(np.mean([_alone(wanted, t) for t in fold])) for fold in c.folds]
            entry.folds = Spread(len(values), *spread(values))
        shared = set.intersection(*(set(run.figures) for run in c.runs)) - names.keys()
        entry.told = {
            name: float(np.mean([run.figures[name] for run in c.runs])) for name in sorted(shared)
        }
    return entries


def _alone(wanted: Figure, table: CaseTable) -> float:
    """The figure of one table; NaN where it has nothing to stand on."""
    _, groups = np.unique(np.asarray(table.groups), return_inverse=True)
    return float(wanted.of(wanted.totals([table], groups).sum(0)))


def _rank(
    entries: list[Entry], totals: NDArray, wanted: Figure, test: str
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
            for pair in significance.against(i, others(i), totals, wanted, test=test, family=family)
        ]
        adjusted = significance.holm([p.p for p in pairs], family=family)
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
    entries: Sequence[Entry], groups: int, wanted: Figure, test: str, *, volumes: bool
) -> list[str]:
    notes = []
    family = len(entries) * (len(entries) - 1) // 2
    sampled = test == "permutation" and groups > significance.EXACT_GROUPS
    least = family / (1 + significance.resamples_for(family))
    if family * 2 * 0.5**groups >= significance.ALPHA:
        what = "groups" if volumes else "cases"
        notes.append(f"{groups} {what} are too few: no difference, however large, can be shown")
    elif sampled and wanted.kind == "pooled" and least >= significance.ALPHA:
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
