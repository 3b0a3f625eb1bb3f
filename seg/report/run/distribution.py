"""How a figure is spread over the test cases: a histogram, the worst cases, the groups."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg.comparison.statistic import LOWER_IS_BETTER
from seg.metrics.overlap import METRICS
from seg.report.comparison.curves import ticks
from seg.report.comparison.html import attribute
from seg.runs.case_table import CaseTable

BINS = 20
WIDTH, HEIGHT = 760, 240
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 22, 38


@dataclass(frozen=True)
class Spread:
    """One figure of every case: column, of the table; values: (M,), mean over its classes; NaN
    where no class has one.
    """

    column: str
    values: NDArray[np.float64]

    @property
    def order(self) -> list[int]:
        """Positions of the cases, the worst first; those without a value are left out."""
        sign = -1 if self.column in LOWER_IS_BETTER else 1
        ranked = np.argsort(sign * self.values, kind="stable").tolist()
        return [i for i in ranked if math.isfinite(self.values[i])]


def spread(table: CaseTable, metric: str) -> Spread:
    """The column that a figure is made of: dice for `dice`, `dice_pooled`, `dice/polyp`; dice as
    well for a figure that no column stands for.
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
    there = np.isfinite(values)
    count = there.sum(1)
    mean = np.where(there, values, 0).sum(1) / np.maximum(count, 1)
    return Spread(column or "dice", np.where(count > 0, mean, np.nan))


def said(found: Spread) -> str:
    """The distribution in a sentence."""
    values = found.values[np.isfinite(found.values)]
    low, quarter, middle, three, high = np.percentile(values, [0, 25, 50, 75, 100])
    return (
        f"{found.column} of {len(values)} cases: median {middle:.3f}, the middle half "
        f"{quarter:.3f} to {three:.3f}, from {low:.3f} to {high:.3f}; mean {values.mean():.3f}."
    )


def histogram(found: Spread) -> str:
    """Bars of the number of cases, median dashed; as SVG."""
    values = found.values[np.isfinite(found.values)]
    end = 1.0 if values.max() <= 1 else float(ticks(0, float(values.max()))[-1])
    counts, edges = np.histogram(values, bins=BINS, range=(min(0.0, float(values.min())), end))
    left, right = float(edges[0]), float(edges[-1])
    y_ticks = [t for t in ticks(0, int(counts.max())) if t == int(t)]
    top = y_ticks[-1]

    def x(value: float) -> float:
        return LEFT + (value - left) / (right - left) * (WIDTH - LEFT - RIGHT)

    def y(count: float) -> float:
        return TOP + (top - count) / top * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg class="curves histogram" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{attribute(found.column)} over the cases">'
    ]
    for tick in y_ticks:
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" '
            f'y2="{y(tick):.1f}"/><text x="{LEFT - 6}" y="{y(tick):.1f}" dy="4" '
            f'text-anchor="end">{tick:g}</text>'
        )
    for count, a, b in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if count:
            parts.append(
                f'<rect x="{x(a) + 1:.1f}" width="{x(b) - x(a) - 2:.1f}" y="{y(count):.1f}" '
                f'height="{y(0) - y(count):.1f}"><title>{a:.3g} to {b:.3g}: {count}</title></rect>'
            )
    for tick in ticks(left, right):
        if left <= tick <= right:
            parts.append(f'<text x="{x(tick):.1f}" y="{HEIGHT - 20}" text-anchor="middle">'
                         f"{tick:g}</text>")  # fmt: skip
    median = x(float(np.median(values)))
    side = "end" if median > WIDTH / 2 else "start"
    offset = -6 if median > WIDTH / 2 else 6
    parts.append(
        f'<line class="best" x1="{median:.1f}" x2="{median:.1f}" y1="{TOP}" '
        f'y2="{HEIGHT - BOTTOM}"/><text x="{median + offset:.1f}" y="14" text-anchor="{side}">'
        f"median {np.median(values):.3f}</text>"
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 4}" text-anchor="middle">'
        f"{attribute(found.column)}</text></svg>"
    )
    return "".join(parts)


def by_group(table: CaseTable, found: Spread) -> list[tuple[str, int, float, float]]:
    """(group, cases, mean over its cases, Dice of all its pixels together, mean over classes), the
    worst first; none where no group has two cases.
    """
    names, of = np.unique(np.asarray(table.groups), return_inverse=True)
    if len(names) == len(table.cases):
        return []
    rows = []
    for index, name in enumerate(names.tolist()):
        chosen = of == index
        values = found.values[chosen]
        values = values[np.isfinite(values)]
        pooled = METRICS["dice"](*np.moveaxis(table.counts[chosen].sum(0), -1, 0))
        mean = float(values.mean()) if len(values) else math.nan
        rows.append((str(name), int(chosen.sum()), mean, float(np.mean(pooled))))
    sign = -1 if found.column in LOWER_IS_BETTER else 1
    return sorted(rows, key=lambda row: (sign * row[2] if math.isfinite(row[2]) else 0, row[0]))


def areas(table: CaseTable, row: int) -> tuple[float, Sequence[float], Sequence[float]]:
    """Valid pixels of a case, and by class those of the reference and of the prediction."""
    tp, fp, fn, tn = np.moveaxis(table.counts[row], -1, 0)
    return float((tp + fp + fn + tn)[0]), (tp + fn).tolist(), (tp + fp).tolist()
