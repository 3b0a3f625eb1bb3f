"""How a figure is spread over the test cases: histogram, worst cases, groups."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from numpy.typing import NDArray

from seg.comparison.statistic import LOWER_IS_BETTER
from seg.metrics.overlap import METRICS
from seg.report import charts
from seg.runs.case_table import CaseTable

BINS = 20


class Case(NamedTuple):
    """A test case. areas: shares of its pixels, of the reference and predicted, class by class."""

    name: str
    group: str
    value: float
    areas: list[float]


class Group(NamedTuple):
    """A group of test cases. mean: over its cases. pooled: Dice of all its pixels together."""

    name: str
    cases: int
    mean: float
    pooled: float


@dataclass(frozen=True)
class CaseFigures:
    """One figure of every test case.

    Args:
        table: the cases.
        column: the figure, a column of the table.
        values: (M,), mean over the classes that any case has; NaN where none has a value.
    """

    table: CaseTable
    column: str
    values: NDArray[np.float64]

    @property
    def finite(self) -> NDArray[np.float64]:
        """The values without the NaN."""
        return self.values[np.isfinite(self.values)]

    @property
    def quartiles(self) -> list[float]:
        """Least value, the three quartiles, greatest value."""
        return np.percentile(self.finite, [0, 25, 50, 75, 100]).tolist()

    @property
    def is_grouped(self) -> bool:
        """Whether any group has two cases."""
        return len(set(self.table.groups)) < len(self.table.cases)

    def worst(self, count: int) -> list[Case]:
        """The first `count` cases, the worst first, without those that have no value."""
        ranked = np.argsort(self._sign * self.values, kind="stable")
        rows = ranked[np.isfinite(self.values[ranked])][:count].tolist()
        tp, fp, fn, tn = np.moveaxis(self.table.counts, -1, 0)  # each (M, C)
        pixels = np.maximum((tp + fp + fn + tn)[:, :1], 1)
        areas = np.stack([tp + fn, tp + fp], axis=-1).reshape(len(pixels), -1) / pixels
        table = self.table
        return [
            Case(table.cases[i], table.groups[i], float(self.values[i]), areas[i].tolist())
            for i in rows
        ]

    def groups(self) -> list[Group]:
        """Every group, the worst first; none where groups are single cases."""
        if not self.is_grouped:
            return []
        names, group_of = np.unique(np.asarray(self.table.groups), return_inverse=True)
        groups = []
        for index, name in enumerate(names.tolist()):
            members = group_of == index
            pooled = METRICS["dice"](*np.moveaxis(self.table.counts[members].sum(0), -1, 0))
            mean = float(_finite_mean(self.values[None, members])[0])
            dice = float(pooled[self.table.existing].mean())
            groups.append(Group(name, int(members.sum()), mean, dice))
        means = {g.name: self._sign * g.mean if math.isfinite(g.mean) else 0 for g in groups}
        return sorted(groups, key=lambda group: (means[group.name], group.name))

    @property
    def _sign(self) -> int:
        return -1 if self.column in LOWER_IS_BETTER else 1

    def histogram(self) -> Markup:
        """Bars of the number of cases, the median dashed."""
        values = self.finite
        median = float(np.median(values))
        first, last = min(0.0, float(values.min())), max(1.0, float(values.max()))
        counts, edges = np.histogram(values, bins=BINS, range=(first, last))

        def draw(axes: Axes) -> None:
            tips = [
                f"{a:.3g} to {b:.3g}: {n}" if n else "_"
                for n, a, b in zip(counts, edges[:-1], edges[1:], strict=True)
            ]
            width = 0.95 * (edges[1] - edges[0])
            color = charts.SERIES[0]
            axes.bar(edges[:-1], counts, width, align="edge", color=color, label=tips)
            axes.axvline(median, color=charts.INK, lw=1, ls="--")
            at = (median - first) / (last - first)
            axes.set_title(f"median {median:.3f}", x=at, ha="right" if at > 0.5 else "left")
            axes.set_xlim(first, last)
            axes.set_xlabel(self.column)
            axes.yaxis.get_major_locator().set_params(integer=True)

        label = f"{self.column} over the cases"
        return charts.svg(draw, label=label, width=760, height=240)


def case_figures(table: CaseTable, metric: str) -> CaseFigures:
    """The column that a figure is made of: dice for `dice`, `dice_pooled`, `dice/polyp`; also for a
    figure that no column stands for.
    """
    stem, _, class_name = metric.partition("/")
    names = (stem, stem.rpartition("_")[0], "dice")
    column = next((n for n in names if n in table.values), None)
    if column is None:
        values = METRICS["dice"](*np.moveaxis(table.counts, -1, 0))
    else:
        values = table.values[column]
    if class_name in table.classes:
        values = values[:, [table.classes.index(class_name)]]
    else:
        values = values[:, table.existing]
    return CaseFigures(table, column or "dice", _finite_mean(values))


def _finite_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M, C) to (M,): the mean of the finite ones, NaN where there is none."""
    return np.ma.masked_invalid(values).mean(1).filled(math.nan)
