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


class Area(NamedTuple):
    """Shares of the valid pixels of a case that are of a class, 0 to 1."""

    reference: float
    predicted: float


class Case(NamedTuple):
    """A test case. areas: one for each class."""

    name: str
    group: str
    value: float
    areas: list[Area]


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
        values: (M,), mean over the classes that have one; NaN where none has.
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

    def worst(self, count: int) -> list[Case]:
        """The first `count` cases, the worst first, without those that have no value."""
        ranked = np.argsort(self._sign * self.values, kind="stable")
        kept = ranked[np.isfinite(self.values[ranked])][:count].tolist()
        return [self._case(i) for i in kept]

    @property
    def _sign(self) -> int:
        return -1 if self.column in LOWER_IS_BETTER else 1

    def _case(self, row: int) -> Case:
        tp, fp, fn, tn = np.moveaxis(self.table.counts[row], -1, 0)
        pixels = max(float((tp + fp + fn + tn)[0]), 1)
        areas = [
            Area(a / pixels, b / pixels)
            for a, b in zip((tp + fn).tolist(), (tp + fp).tolist(), strict=True)
        ]
        table = self.table
        return Case(table.cases[row], table.groups[row], float(self.values[row]), areas)

    @property
    def is_grouped(self) -> bool:
        """Whether any group has two cases."""
        return len(set(self.table.groups)) < len(self.table.cases)

    def groups(self) -> list[Group]:
        """Every group, the worst first; none where groups are single cases."""
        if not self.is_grouped:
            return []
        names, group_of = np.unique(np.asarray(self.table.groups), return_inverse=True)
        groups = []
        for index, name in enumerate(names.tolist()):
            members = group_of == index
            values = self.values[members]
            values = values[np.isfinite(values)]
            pooled = METRICS["dice"](*np.moveaxis(self.table.counts[members].sum(0), -1, 0))
            mean = float(values.mean()) if len(values) else math.nan
            groups.append(Group(str(name), int(members.sum()), mean, float(np.mean(pooled))))
        return sorted(groups, key=lambda g: (self._sign * g.mean if math.isfinite(g.mean) else 0,
                                             g.name))  # fmt: skip

    def histogram(self) -> Markup:
        """Bars of the number of cases, the median dashed."""
        values = self.finite
        end = 1.0 if values.max() <= 1 else float(values.max())
        counts, edges = np.histogram(values, bins=BINS, range=(min(0.0, float(values.min())), end))

        def draw(axes: Axes) -> None:
            tips = [
                f"{a:.3g} to {b:.3g}: {n}" if n else "_"
                for n, a, b in zip(counts, edges[:-1], edges[1:], strict=True)
            ]
            width = edges[1] - edges[0]
            axes.bar(edges[:-1], counts, 0.95 * width, align="edge", color=charts.SERIES[0],
                     label=tips)  # fmt: skip
            median = float(np.median(values))
            axes.axvline(median, color=charts.INK, lw=1, ls="--")
            at = (median - edges[0]) / (edges[-1] - edges[0])
            axes.set_title(f"median {median:.3f}", x=at, ha="right" if at > 0.5 else "left")
            axes.set_xlabel(self.column)
            axes.set_xlim(edges[0], edges[-1])
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
    return CaseFigures(table, column or "dice", _finite_mean(values))


def _finite_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M, C) to (M,): the mean of the finite ones, NaN where there is none."""
    finite = np.isfinite(values)
    count = finite.sum(1)
    mean = np.where(finite, values, 0).sum(1) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.nan)
