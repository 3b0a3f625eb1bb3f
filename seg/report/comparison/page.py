"""leaderboard.html and leaderboard.md of a comparison, and the validation curves of any runs."""

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes

from seg.comparison.configurations import Configuration, as_text
from seg.comparison.summary import Comparison
from seg.report import charts, pages
from seg.report.comparison import text
from seg.report.text import cut, number

BESIDE = ("dice", "iou", "precision", "recall", "dice_pooled", "dice_group", "hd95", "nsd")
BY_CLASS = 3  # figures of classes beside the ranked one
COLUMNS = 5  # figures beside the ranked one in all; leaderboard.csv has all that there are
PAIRS = 60
VALUE = 26  # characters of a value of a configuration
DRAWN = 40  # configurations with a curve
POINTS = 120  # of a curve


def page(comparison: Comparison) -> str:
    """The whole page: who leads, what was shown, and what the others differ in."""
    name, entries = comparison.metric.name, comparison.entries
    known = [figure for figure in entries[0].figures if figure != name]
    beside = [figure for figure in known if "/" in figure][:BY_CLASS]
    beside += [figure for figure in BESIDE if figure in known]
    ends = [end for e in entries for end in e.figures[name][1:] if math.isfinite(end)]
    configurations = [entry.configuration for entry in entries]
    return pages.render(
        "comparison.html",
        comparison=comparison,
        name=name,
        text=text,
        beside=beside[:COLUMNS],
        scale=(min(ends, default=0.0), max(ends, default=1.0)),
        pairs=comparison.pairs[:PAIRS],
        more_pairs=max(len(comparison.pairs) - PAIRS, 0),
        curves=validation_curves(configurations[:DRAWN], name, count=len(entries)),
        configs=[configuration.runs[0].config for configuration in configurations],
        setting=_setting,
    )


def markdown(comparison: Comparison) -> str:
    """The leaderboard for a README or an issue."""
    name = comparison.metric.name
    return pages.render("leaderboard.md", comparison=comparison, name=name, text=text)


def validation_curves(
    configurations: Sequence[Configuration], metric: str, *, count: int
) -> tuple[Markup, list[tuple[str, str]]] | None:
    """The runs' curves over the epochs, and the chart's legend; None if no run has any.

    Args:
        configurations: best first; the first ones have colours of their own.
        metric: that was validated.
        count: how many configurations there are in all.
    """
    curves = [
        (i, f"{configuration.label}: {run.name}", _thinned(curve))
        for i, configuration in enumerate(configurations)
        for run in configuration.runs
        if len(curve := run.curve(metric)) > 1
    ]
    if not curves:
        return None
    coloured = len(charts.SERIES)

    def draw(axes: Axes) -> None:
        for i, title, points in reversed(curves):  # the best on top
            colour, width = (charts.SERIES[i], 1.8) if i < coloured else (charts.REST, 1.0)
            tip = f"{title}, highest {number(max(y for _, y in points))}"
            axes.plot(*zip(*points, strict=True), color=colour, linewidth=width, label=tip)
        axes.margins(x=0.01)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.set_xlabel("epoch")

    legend = [(c.label, f"s{i}") for i, c in enumerate(configurations[:coloured])]
    if len(configurations) > coloured:
        legend.append((f"ranks below, up to the {len(configurations)}th of {count}", "rest"))
    chart = charts.svg(draw, label=f"{metric} over the epochs", width=1120, height=360)
    return chart, legend


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most POINTS of them, and the last one."""
    kept = list(points[:: math.ceil(len(points) / POINTS)])
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def _setting(config: dict[str, Any], key: str) -> dict[str, Any] | None:
    """A value of a configuration as a cell; None where it has no such key."""
    if key not in config:
        return None
    value = config[key]
    whole = as_text(value)
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    short = whole.rpartition(".")[2] if key.endswith("_target_") else whole  # the class is enough
    return {"whole": whole, "short": cut(short, VALUE), "key": value if numeric else whole}
