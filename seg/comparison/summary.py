"""Configurations measured on the same cases: each figure with its interval, seeds and folds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seg.comparison import paired_tests
from seg.comparison.configurations import ComparedRun, Configuration
from seg.comparison.paired_tests import Pair
from seg.comparison.same_cases import common_groups, cut_to_common, require_same_cases
from seg.comparison.statistic import Spread, Statistic, available
from seg.evaluation.bootstrap import group_weights
from seg.runs.case_table import CaseTable
from seg.runs.results import Interval


@dataclass
class RankedConfiguration:
    """A configuration with its figures and its rank.

    Args:
        configuration: with its tables.
        figures: by name, with a bootstrap interval by group.
        rank: from 1.
        tied: whether others share the rank.
        seeds: of the metric, None without several.
        folds: of the metric, None without several.
        untabled: figures that only the runs' JSON has, mean over runs.
    """

    configuration: Configuration
    figures: dict[str, Interval] = field(default_factory=dict)
    rank: int = 1
    tied: bool = False
    seeds: Spread | None = None
    folds: Spread | None = None
    untabled: dict[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The configuration's name in tables."""
        return self.configuration.label


@dataclass
class Comparison:
    """Configurations on the same cases, from `measure`; ranked by `ranking.compare`.

    Args:
        metric: by which they are ranked.
        entries: best first.
        totals: (entries, G, C, K), what each group adds to the metric.
        cases: how many.
        groups: how many of them are independent.
        notes: what to know about the figures and the tests.
        test: `permutation` or `wilcoxon`.
        source: of the runs' results.
        pairs: the tested pairs, the better one first.
        all_pairs: whether all were tested, else each with the leader.
        unranked: runs that cannot be ranked.
        keys: in which the configurations differ.
    """

    metric: Statistic
    entries: list[RankedConfiguration]
    totals: NDArray[np.float64]
    cases: int
    groups: int
    notes: list[str]
    test: str = "permutation"
    source: str = "test"
    pairs: list[Pair] = field(default_factory=list)
    all_pairs: bool = True
    unranked: list[ComparedRun] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    @property
    def leaders(self) -> list[RankedConfiguration]:
        """Those that share the first rank; the winner alone, if there is one."""
        return [entry for entry in self.entries if entry.rank == 1]

    @property
    def behind(self) -> dict[int, Pair]:
        """The leader against each other entry, by that entry's position."""
        return {pair.b: pair for pair in self.pairs if pair.a == 0}

    @property
    def unit(self) -> str:
        """What is drawn and swapped as a whole: `groups`, or `cases` where each is its own."""
        return "groups" if self.groups < self.cases else "cases"


def measure(
    configurations: Sequence[Configuration], *, metric: str = "dice", common: bool = False
) -> Comparison:
    """The figures of configurations, all on the same cases.

    Args:
        configurations: from `same_cases.pool_runs`, at least one.
        metric: name of a `Statistic`.
        common: whether they are cut to the cases that all have.
    Raises:
        ValueError: their test cases differ, or the metric is not there.
    """
    notes = [f"{c.label}: {note}" for c in configurations for note in c.notes]
    if common and (note := cut_to_common(configurations)):
        notes.append(note)
    tables = [table for c in configurations for table in c.tables]
    require_same_cases(configurations, column=Statistic.named(metric, tables[:1]).column)
    statistic = Statistic.named(metric, tables)
    first = tables[0]
    if absent := [c for c, exists in zip(first.classes, first.existing, strict=True) if not exists]:
        notes.append(f"class {', '.join(absent)} has no pixel in these cases: no figure of it")
    groups, names, regrouped = common_groups(configurations)
    if regrouped:
        notes.append(f"the runs group the cases differently; the coarsest, {len(names)}, is used")
    entries = _entries(configurations, statistic, groups, volumes=len(names) < len(groups))
    if not all(math.isfinite(entry.figures[metric].value) for entry in entries):
        raise ValueError(f"metric={metric}: no test case has what it is made of")
    entries.sort(key=lambda e: (-statistic.sign * e.figures[metric].value, e.label))
    return Comparison(
        metric=statistic,
        entries=entries,
        totals=np.stack([statistic.totals(e.configuration.tables, groups) for e in entries]),
        cases=len(groups),
        groups=len(names),
        notes=notes,
    )


def _entries(
    configurations: Sequence[Configuration],
    ranked: Statistic,
    groups: NDArray[np.intp],
    *,
    volumes: bool,
) -> list[RankedConfiguration]:
    tables = [table for c in configurations for table in c.tables]
    names = dict.fromkeys([ranked.name, *available(tables, volumes=volumes)])
    if ranked.index is None and len(tables[0].classes) > 1:
        names |= dict.fromkeys(f"{ranked.name}/{c}" for c in tables[0].classes)
    weights = group_weights(int(groups.max()) + 1)
    entries = [RankedConfiguration(c) for c in configurations]
    for name in names:
        statistic = Statistic.named(name, tables)
        totals = np.stack([statistic.totals(c.tables, groups) for c in configurations])
        low, high = paired_tests.bounds(paired_tests.resampled(totals, statistic, weights))
        for i, value in enumerate(statistic.of(totals.sum(1)).tolist()):
            ends = (float(low[i]), float(high[i])) if statistic.has_interval(totals[i]) else ()
            entries[i].figures[name] = Interval(value, *ends)
    for entry in entries:
        c = entry.configuration
        if len(c.tables) > 1:
            values = [_alone(ranked, table) for table in c.tables]
            entry.seeds = Spread.over(values, within=ranked.range)
        if c.folds:
            means = [float(np.mean([_alone(ranked, t) for t in fold])) for fold in c.folds]
            entry.folds = Spread.over(means)  # folds share training cases: no interval
        stated = [run.result.metrics for run in c.runs]
        entry.untabled = {
            name: float(np.mean([metrics[name].value for metrics in stated]))
            for name in sorted(set.intersection(*map(set, stated)) - names.keys())
        }
    return entries


def _alone(statistic: Statistic, table: CaseTable) -> float:
    """The statistic of one table, grouped as its own run has it."""
    _, groups = np.unique(np.asarray(table.groups), return_inverse=True)
    return float(statistic.of(statistic.totals([table], groups).sum(0)))
