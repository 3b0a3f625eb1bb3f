"""Configurations measured on the same cases: each figure with its interval, seeds and folds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seg.comparison import paired_tests
from seg.comparison.configurations import Configuration, gather, spread
from seg.comparison.runs import Run
from seg.comparison.same_cases import common_groups, cut_to_common, require_same
from seg.comparison.statistic import Statistic, available, statistic
from seg.evaluation.bootstrap import group_weights, t_interval
from seg.runs.case_table import CaseTable


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
class RankedConfiguration:
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
class Measured:
    """entries: best first by the figure. totals: (entries, G, C, K), in their order, what each
    group adds to the figure. cases, groups: how many.
    """

    metric: Statistic
    entries: list[RankedConfiguration]
    totals: NDArray[np.float64]
    cases: int
    groups: int
    notes: list[str]


def measure(
    runs: Sequence[Run], *, metric: str = "dice", source: str = "test", common: bool = False
) -> Measured:
    """Runs as `runs.read_runs` gives them, by configuration. Raises ValueError where figures beside
    each other would mislead: no run to rank, test cases that differ, a figure that is not there.
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
    wanted = statistic(metric, [tables[0]])
    require_same(configurations, column=wanted.column)
    wanted = statistic(metric, tables)
    groups, names, regrouped = common_groups(configurations)
    if regrouped:
        notes.append(f"the runs group the cases differently; the coarsest, {len(names)}, is used")
    volumes = len(names) < len(groups)
    entries = _entries(configurations, wanted, groups, volumes=volumes)
    if not all(math.isfinite(entry.figures[metric][0]) for entry in entries):
        raise ValueError(f"metric={metric}: no test case has what it is made of")
    entries.sort(key=lambda e: (-wanted.sign * e.figures[metric][0], e.label))
    return Measured(
        metric=wanted,
        entries=entries,
        totals=np.stack([wanted.totals(e.configuration.tables, groups) for e in entries]),
        cases=len(groups),
        groups=len(names),
        notes=notes,
    )


def _entries(
    configurations: Sequence[Configuration],
    wanted: Statistic,
    groups: NDArray[np.intp],
    *,
    volumes: bool,
) -> list[RankedConfiguration]:
    tables = [table for c in configurations for table in c.tables]
    names = dict.fromkeys([wanted.name, *available(tables, volumes=volumes)])
    if wanted.index is None and len(tables[0].classes) > 1:
        names |= dict.fromkeys(f"{wanted.name}/{c}" for c in tables[0].classes)
    weights = group_weights(int(groups.max()) + 1)
    entries = [RankedConfiguration(c, {}) for c in configurations]
    for name in names:
        each = statistic(name, tables)
        totals = np.stack([each.totals(c.tables, groups) for c in configurations])
        low, high = paired_tests.bounds(paired_tests.resampled(totals, each, weights))
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


def _alone(wanted: Statistic, table: CaseTable) -> float:
    """The figure of one table; NaN where it has nothing to stand on."""
    _, groups = np.unique(np.asarray(table.groups), return_inverse=True)
    return float(wanted.of(wanted.totals([table], groups).sum(0)))
