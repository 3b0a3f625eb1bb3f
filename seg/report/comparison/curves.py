"""Validation curves as an SVG that stands in a page: no library, no network."""

import math
from collections.abc import Sequence

import numpy as np

from seg.comparison.summary import RankedConfiguration
from seg.report.comparison.html import attribute, escaped, shortened
from seg.report.comparison.text import number

COLOURED = 8  # the best ones; the page's style gives their colours, s0 to s7
DRAWN = 40  # configurations
POINTS = 120  # a curve
WIDTH, HEIGHT = 1120, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 14, 44


def curves(entries: Sequence[RankedConfiguration], name: str, *, drawn: int = DRAWN) -> str:
    """Curves of the best `drawn` configurations, a line a run; "" if no run has any. name: of the
    axis.
    """
    shown = entries[:drawn]
    lines = [
        (i, run.name, thinned(run.curve))
        for i, entry in enumerate(shown)
        for run in entry.configuration.runs
        if len(run.curve) > 1
    ]
    if not lines:
        return ""
    x = np.array([p[0] for _, _, points in lines for p in points])
    y = np.array([p[1] for _, _, points in lines for p in points])
    y_ticks, x_ticks = (
        ticks(float(y.min()), float(y.max())),
        ticks(float(x.min()), float(x.max())),
    )
    x_low, x_high = float(x.min()), max(float(x.max()), float(x.min()) + 1)
    y_low, y_high = min(y_ticks[0], float(y.min())), max(y_ticks[-1], float(y.max()))

    def place(point: tuple[float, float]) -> str:
        across = LEFT + (point[0] - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)
        down = TOP + (y_high - point[1]) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)
        return f"{across:.1f},{down:.1f}"

    parts = [
        f'<svg class="curves" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{attribute(name)} over the epochs">'
    ]
    for tick in y_ticks:
        down = place((x_low, tick)).split(",")[1]
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down}" y2="{down}"/>'
        )
        parts.append(f'<text x="{LEFT - 8}" y="{down}" dy="4" text-anchor="end">{tick:.4g}</text>')
    for tick in x_ticks:
        if x_low <= tick <= x_high and tick == int(tick):
            across = place((tick, y_low)).split(",")[0]
            parts.append(
                f'<text x="{across}" y="{HEIGHT - 22}" text-anchor="middle">{tick:g}</text>'
            )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">epoch</text>')
    for i, run, points in reversed(lines):  # the best on top
        best = number(max(p[1] for p in points))
        tip = f"{shown[i].label}: {run}, highest {best}"
        parts.append(
            f'<polyline class="{_style(i)}" points="{" ".join(map(place, points))}">'
            f"<title>{escaped(tip)}</title></polyline>"
        )
    parts.append("</svg>")
    return "".join(parts) + _legend(shown, len(entries))


def _style(position: int) -> str:
    return f"s{position}" if position < COLOURED else "rest"


def _legend(shown: Sequence[RankedConfiguration], count: int) -> str:
    items = [
        f'<li><span class="key {_style(i)}"></span>{shortened(entry.label, 44)}</li>'
        for i, entry in enumerate(shown[:COLOURED])
    ]
    if len(shown) > COLOURED:
        others = f"ranks below, up to the {len(shown)}th of {count}"
        items.append(f'<li><span class="key rest"></span>{others}</li>')
    return f'<ul class="legend">{"".join(items)}</ul>'


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most POINTS of them, the last one kept."""
    step = math.ceil(len(points) / POINTS)
    kept = list(points[::step])
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def ticks(low: float, high: float) -> list[float]:
    """About five round numbers that hold low and high."""
    if high - low < 1e-6:
        low, high = low - 0.05, high + 0.05
    width = high - low
    raw = width / 5
    scale = 10 ** math.floor(math.log10(raw))
    step = next(m * scale for m in (1, 2, 5, 10) if m * scale >= raw)
    first = math.floor(low / step)
    return [round(i * step, 10) for i in range(first, math.ceil(high / step) + 1)]
