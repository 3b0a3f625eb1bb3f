"""The effect of a key as an SVG: a row of dots for each value, or dots over a searched range."""

import math
from collections.abc import Sequence

import numpy as np

from seg.comparison.effects import Effect, Value
from seg.comparison.sweep_jobs import MONITOR
from seg.report.comparison.curves import ticks
from seg.report.comparison.html import attribute, escaped
from seg.report.comparison.text import cut, number

WIDTH, ROW, ROWS = 560, 26, 14
LEFT, RIGHT, TOP, BOTTOM = 120, 200, 8, 26
HEIGHT = 220  # of a range
WIDE = 30  # greatest over least number from which an axis is logarithmic


def picture(effect: Effect) -> str:
    """ "" where no job finished."""
    scores = [score for value in effect.values for score in value.scores]
    if not scores:
        return ""
    marks = ticks(min(scores), max(scores))
    low, high = min(marks[0], *scores), max(marks[-1], *scores)
    if effect.is_range:
        return _range(effect, marks, low, high)
    return _rows(effect, marks, low, high)


def _open(effect: Effect, height: int) -> str:
    label = attribute(f"{MONITOR} by {effect.key}")
    return f'<svg class="effect" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">'


def _rows(effect: Effect, marks: Sequence[float], low: float, high: float) -> str:
    shown = effect.values
    if len(shown) > ROWS:  # the best of them, in their order
        kept = {id(value) for value in effect.ranked[:ROWS]}
        shown = [value for value in shown if id(value) in kept]
    bottom = TOP + ROW * len(shown)

    def across(score: float) -> float:
        return LEFT + (score - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    parts = [_open(effect, bottom + BOTTOM)]
    for mark in marks:
        x = f"{across(mark):.1f}"
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(f'<text x="{x}" y="{bottom + 17}" text-anchor="middle">{mark:.4g}</text>')
    for i, value in enumerate(shown):
        y = TOP + ROW * i + ROW / 2
        parts.append(
            f'<text class="name" x="{LEFT - 10}" y="{y}" dy="4" text-anchor="end">'
            f"{escaped(cut(value.text, 17))}<title>{escaped(value.text)}</title></text>"
        )
        parts += [f'<circle cx="{across(s):.1f}" cy="{y}" r="4"/>' for s in value.scores]
        if math.isfinite(value.mean):
            x = f"{across(value.mean):.1f}"
            kind = "mean best" if value is effect.best else "mean"
            parts.append(f'<line class="{kind}" x1="{x}" x2="{x}" y1="{y - 9}" y2="{y + 9}"/>')
        parts.append(
            f'<text class="told" x="{WIDTH - RIGHT + 14}" y="{y}" dy="4">{_told(value)}</text>'
        )
    return "".join(parts) + "</svg>"


def _told(value: Value) -> str:
    """`0.7812 ± 0.0210, 5 of 6`."""
    if not value.scores:
        return f"none of {value.jobs} finished"
    counted = value.paired or value.scores
    spread = f" ± {number(float(np.std(counted, ddof=1)))}" if len(counted) > 1 else ""
    count = len(value.scores)
    of = f"{count} of {value.jobs}"
    if count == value.jobs:
        of = f"{count} job{'' if count == 1 else 's'}"
    return f"{number(value.mean)}{spread}, {of}"


def _range(effect: Effect, marks: Sequence[float], low: float, high: float) -> str:
    points = [(value.number, score) for value in effect.values for score in value.scores]
    x = np.array([point[0] for point in points])
    wide = bool((x > 0).all()) and x.max() / x.min() >= WIDE
    scaled = np.log10(x) if wide else x
    first, last = float(scaled.min()), max(float(scaled.max()), float(scaled.min()) + 1e-12)
    left, right, bottom = 64, 16, HEIGHT - BOTTOM

    def place(at: float, score: float) -> tuple[float, float]:
        return (
            left + (at - first) / (last - first) * (WIDTH - left - right),
            TOP + (high - score) / (high - low) * (bottom - TOP),
        )

    parts = [_open(effect, HEIGHT)]
    for mark in marks:
        y = f"{place(first, mark)[1]:.1f}"
        parts.append(f'<line class="grid" x1="{left}" x2="{WIDTH - right}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{left - 8}" y="{y}" dy="4" text-anchor="end">{mark:.4g}</text>')
    for mark in _powers(first, last) if wide else ticks(first, last):
        if first <= mark <= last:
            across = f"{place(mark, high)[0]:.1f}"
            said = f"{10**mark:.3g}" if wide else f"{mark:.4g}"
            parts.append(f'<text x="{across}" y="{bottom + 17}" text-anchor="middle">{said}</text>')
    best = max(score for _, score in points)
    for (at, score), (value, _) in zip(zip(scaled.tolist(), [p[1] for p in points], strict=True),
                                       points, strict=True):  # fmt: skip
        across, down = place(at, score)
        kind = ' class="best"' if score == best else ""
        parts.append(
            f'<circle{kind} cx="{across:.1f}" cy="{down:.1f}" r="4">'
            f"<title>{value:.4g}: {number(score)}</title></circle>"
        )
    return "".join(parts) + "</svg>"


def _powers(first: float, last: float) -> list[float]:
    """Exponents of ten to mark; of halves of a decade where there are few."""
    whole = [float(k) for k in range(math.floor(first), math.ceil(last) + 1)]
    if len([k for k in whole if first <= k <= last]) > 1:
        return whole
    return sorted({*whole, *(k + math.log10(m) for k in whole for m in (2, 5))})
