"""leaderboard.html of a sweep: what to take, why, and what became of every job."""

import math
import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from seg.comparison.configurations import Configuration
from seg.comparison.effects import Effect, Value, effects
from seg.comparison.statistic import Spread
from seg.comparison.sweep_jobs import METRIC, SHARED, Plan, failed, swept_keys
from seg.comparison.sweep_test import SweepTest, validation_cautions
from seg.report import charts, embedded, pages
from seg.report.comparison.page import validation_curves
from seg.report.sweep import text
from seg.report.text import counted, cut, number
from seg.runs.folder import CONFIG_FILE, MONITOR

BEST = 3  # configurations with their command
BESIDE = ("dice_group",)  # figures of the test; leaderboard.csv has all
LONG = 25  # rows of jobs; more scroll within the page, so that what comes below is seen
ROW, ROWS = 26, 14  # height of a value in the chart of an effect, and most of them
WIDE = 30  # greatest over least number from which an axis is logarithmic


def page(
    sweep: Path,
    *,
    plan: Plan,
    configurations: Sequence[Configuration],
    test: SweepTest,
    rows: Sequence[dict[str, Any]],
) -> str:
    """The whole page.

    Args:
        sweep: its folder.
        plan: from `sweep_jobs.read_plan`.
        configurations: from `configurations.by_validation`.
        test: from `sweep_test.compare_with_first`.
        rows: from `sweep_jobs.make_rows`.
    """
    several = any(row[f"{SHARED}jobs"] > 1 for row in rows)
    best = [c for c in configurations if c.finished][:BEST]
    return pages.render(
        "sweep.html",
        sweep=sweep,
        plan=plan,
        test=test,
        rows=rows,
        keys=swept_keys(rows),
        failed=failed(rows),
        several=several,
        compared=not several and any("behind" in row for row in rows),
        beside=[name for name in BESIDE if any(name in row for row in rows)],
        long=len(rows) > LONG,
        scale_of=lambda name: _scale(rows, name),
        monitor=MONITOR,
        metric=METRIC,
        shared=SHARED,
        text=text,
        effects=[(e.key, effect_chart(e), text.effect(e)) for e in effects(rows)],
        curves=validation_curves(configurations, METRIC, count=len(configurations)),
        pictures=list(map(_picture, sorted(sweep.glob("search_*.png")))),
        commands=[(c.label, [repeat(run.folder.path) for run in c.finished]) for c in best],
        cautions=validation_cautions(configurations),
        finished=sum(bool(c.finished) for c in configurations),
    )


def _scale(rows: Sequence[dict[str, Any]], name: str) -> tuple[float, float]:
    """The least and the greatest end of all intervals of a figure."""
    ends = [row[name + end] for row in rows for end in ("_low", "_high") if name + end in row]
    return min(ends, default=0.0), max(ends, default=1.0)


def repeat(run: Path) -> str:
    """The command that trains a run once more, in a folder of its own."""
    name = Path(CONFIG_FILE).stem
    return f"python -m seg.train --config-path {shlex.quote(str(run))} --config-name {name}"


def _picture(path: Path) -> embedded.Picture | str:
    """A picture that a search has drawn, or the name of a file that is none."""
    try:
        return embedded.read(path, path.stem.removeprefix("search_").replace("_", " "))
    except (OSError, ValueError):
        return path.name


def effect_chart(effect: Effect) -> Markup | None:
    """The jobs' val/dice by the value of a key, a dot each; None if none finished."""
    if not effect.ranked:
        return None
    if effect.is_range:
        draw, height = partial(_draw_range, effect=effect), 220
    else:
        best = effect.ranked[:ROWS]
        values = [v for v in effect.values if v in best or len(effect.values) <= ROWS]
        draw, height = partial(_draw_values, values=values, best=best[0]), ROW * len(values) + 34
    return charts.svg(draw, label=f"{MONITOR} by {effect.key}", width=560, height=height)


def _draw_values(axes: Axes, values: Sequence[Value], best: Value) -> None:
    """A row for each value: its dots, a bar at the mean, and both in figures."""
    for i, value in enumerate(values):
        axes.plot(value.scores, [i] * len(value.scores), "o", color=charts.ACCENT, alpha=0.4, ms=6)
        if math.isfinite(value.mean):
            colour, width = (charts.GOOD, 4) if value is best else (charts.INK, 2.5)
            axes.vlines(value.mean, i - 0.35, i + 0.35, color=colour, linewidth=width)
        note = axes.text(
            1.03, i, _figures(value), transform=axes.get_yaxis_transform(), va="center"
        )
        note.set_label(value.text)
    axes.set_yticks(range(len(values)), [cut(value.text, 17) for value in values])
    axes.tick_params(axis="y", labelcolor=charts.INK)
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", visible=True)


def _figures(value: Value) -> str:
    """`0.7812 ± 0.0210, 5 of 6`."""
    if not value.scores:
        return f"none of {value.jobs} finished"
    scores, count = value.paired or value.scores, len(value.scores)
    spread = f" ± {number(Spread.over(scores).deviation)}" if len(scores) > 1 else ""
    share = counted(count, "job") if count == value.jobs else f"{count} of {value.jobs}"
    return f"{number(value.mean)}{spread}, {share}"


def _draw_range(axes: Axes, effect: Effect) -> None:
    """A dot for each job over the range that was searched."""
    points = [(value.number, score) for value in effect.values for score in value.scores]
    best = max(score for _, score in points)
    for x, score in points:
        colour, alpha = (charts.GOOD, 1) if score == best else (charts.ACCENT, 0.4)
        axes.plot(x, score, "o", color=colour, alpha=alpha, ms=6, label=f"{x:.4g}: {number(score)}")
    low, high = min(points)[0], max(points)[0]
    if low > 0 and high / low >= WIDE:
        axes.set_xscale("log", subs=[])
        axes.xaxis.set_major_locator(LogLocator(subs=(1,) if high / low >= 100 else (1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:.3g}")
