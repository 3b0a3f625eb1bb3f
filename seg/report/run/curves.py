"""The training's curves as SVG that stands in a page: loss, Dice, learning rate."""

import math
from collections.abc import Sequence

from seg.report.comparison.curves import thinned, ticks
from seg.report.comparison.html import attribute, escaped
from seg.report.run.evidence import Evidence

WIDTH, HEIGHT = 380, 240
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 12, 38
RATE = "learning rate"
CHARTS = (
    ("loss", (("train", "train/loss", "s1"), ("validation", "val/loss", "s0"))),
    ("Dice, mean over images", (("train", "train/dice", "s1"), ("validation", "val/dice", "s0"))),
    (RATE, (("rate", "lr", "s2"),)),
)

Line = tuple[str, str, list[tuple[float, float]]]  # name, style, (epoch, value)


def curves(evidence: Evidence) -> str:
    """A chart each, the best epoch dashed, the beginning of a stage dotted; "" without epochs."""
    stages = [r.get("stage") for r in evidence.epochs]
    starts = [
        float(evidence.epochs[i]["epoch"]) - 0.5
        for i in range(1, len(stages))
        if stages[i] != stages[i - 1]
    ]
    charts = []
    for title, keys in CHARTS:
        lines: list[Line] = [
            (name, style, [(r["epoch"], r[key]) for r in evidence.epochs
                           if isinstance(r.get(key), float)])
            for name, key, style in keys
        ]  # fmt: skip
        lines = [line for line in lines if line[2]]
        if lines:
            shown = _scaled(lines) if title == RATE else (title, lines)
            charts.append(_figure(*shown, evidence.best_epoch, starts))
    return f'<div class="charts">{"".join(charts)}</div>' if charts else ""


def _scaled(lines: Sequence[Line]) -> tuple[str, list[Line]]:
    """Rates as multiples of a power of ten that the title names; they are too small for an axis."""
    top = max((y for _, _, points in lines for _, y in points), default=0.0)
    if top <= 0:
        return RATE, list(lines)
    power = math.floor(math.log10(top))
    scaled = [
        (name, style, [(x, y / 10**power) for x, y in points]) for name, style, points in lines
    ]
    return f"{RATE}, in 1e{power}", scaled


def _figure(title: str, lines: Sequence[Line], best: int | None, starts: Sequence[float]) -> str:
    legend = "".join(
        f'<li><span class="key {style}"></span>{escaped(name)}</li>' for name, style, _ in lines
    )
    shown = f'<ul class="legend">{legend}</ul>' if len(lines) > 1 else ""
    return (
        f"<figure><figcaption>{escaped(title)}</figcaption>"
        f"{_chart(title, lines, best, starts)}{shown}</figure>"
    )


def _chart(title: str, lines: Sequence[Line], best: int | None, starts: Sequence[float]) -> str:
    across = [x for _, _, points in lines for x, _ in points]
    up = [y for _, _, points in lines for _, y in points]
    x_low, x_high = min(across), max(*across, min(across) + 1)
    y_ticks = ticks(0 if title.startswith(RATE) else min(up), max(up))
    y_low, y_high = y_ticks[0], y_ticks[-1]

    def x(value: float) -> str:
        return f"{LEFT + (value - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT):.1f}"

    def y(value: float) -> str:
        return f"{TOP + (y_high - value) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM):.1f}"

    parts = [
        f'<svg class="curves" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{attribute(title)} over the epochs">'
    ]
    for tick in y_ticks:
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick)}" y2="{y(tick)}"/>'
            f'<text x="{LEFT - 6}" y="{y(tick)}" dy="4" text-anchor="end">{tick:.4g}</text>'
        )
    for tick in ticks(x_low, x_high):
        if x_low <= tick <= x_high and tick == int(tick):
            parts.append(
                f'<text x="{x(tick)}" y="{HEIGHT - 20}" text-anchor="middle">{tick:g}</text>'
            )
    for start in starts:
        parts.append(_upright("stage", x(start), "a stage begins"))
    if best is not None and x_low <= best <= x_high:
        parts.append(_upright("best", x(best), f"best epoch, {best}"))
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 4}" '
                 'text-anchor="middle">epoch</text>')  # fmt: skip
    for name, style, points in lines:
        tip = f"<title>{escaped(name)}, last {points[-1][1]:.4g}</title>"
        if len(points) == 1:
            ((a, b),) = points
            parts.append(f'<circle class="{style}" cx="{x(a)}" cy="{y(b)}" r="4">{tip}</circle>')
            continue
        path = " ".join(f"{x(a)},{y(b)}" for a, b in thinned(points))
        parts.append(f'<polyline class="{style}" points="{path}">{tip}</polyline>')
    return "".join([*parts, "</svg>"])


def _upright(kind: str, across: str, said: str) -> str:
    return (
        f'<line class="{kind}" x1="{across}" x2="{across}" y1="{TOP}" y2="{HEIGHT - BOTTOM}">'
        f"<title>{escaped(said)}</title></line>"
    )
