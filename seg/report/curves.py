"""The training over its epochs: curves.png of a run, and the charts of its report."""

import math
from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seg.report import charts, figures, palette
from seg.runs.folder import MONITOR, RunFolder

CURVES = (("loss", "loss"), ("dice", "Dice, mean over images"), ("iou", "IoU, mean over images"))
COLOURS = {"train": palette.TRAIN, "val": palette.VALIDATION}
# title, and (name, column of metrics.csv, place in charts.SERIES) of each curve
CHARTS = (
    ("loss", (("train", "train/loss", 0), ("validation", "val/loss", 1))),
    ("Dice, mean over images", (("train", "train/dice", 0), ("validation", "val/dice", 1))),
    ("learning rate", (("rate", "lr", 2),)),
)


def draw(run: RunFolder, *, also: Sequence[str] = ()) -> None:
    """Write curves.png: loss, Dice and IoU of training and validation; the best epoch by validation
    Dice is dashed, the beginning of a stage dotted.

    Args:
        run: with metrics.csv.
        also: formats beside the PNG, as in `figures.save`.
    """
    figure = Figure(figsize=(13, 4), dpi=100, layout="constrained")
    epochs = [row["epoch"] for row in run.epochs]
    best = max(run.epochs, key=lambda row: _value(row.get(MONITOR), missing=-math.inf))
    for axis, (key, label) in zip(figure.subplots(1, len(CURVES)), CURVES, strict=True):
        for split, colour in COLOURS.items():
            marker = "o" if len(epochs) < 3 else None
            values = [_value(row.get(f"{split}/{key}")) for row in run.epochs]
            axis.plot(epochs, values, color=colour, label=split, marker=marker, lw=1.6)
        axis.axvline(best["epoch"], color="0.6", lw=1, ls="--", zorder=0, label="best epoch")
        for i, start in enumerate(_stage_starts(run)):
            once = None if i else "a stage begins"
            axis.axvline(start, color="0.3", lw=1, ls=":", zorder=0, label=once)
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axis.set_xlabel("epoch")
        axis.set_title(label)
        if key != "loss":
            axis.set_ylim(0, 1)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False)
    figure.suptitle(
        f"best epoch {int(best['epoch'])}: "
        f"val Dice {_value(best[MONITOR]):.4f}, IoU {_value(best['val/iou']):.4f}"
    )
    figures.save(figure, run.curves_path, also)


def training_charts(run: RunFolder) -> list[tuple[str, Markup, list[tuple[str, str]]]]:
    """Loss, Dice and learning rate, those that metrics.csv has: title, chart, and (name, class of
    page.css) of each curve where there are several.
    """
    drawn = []
    for title, columns in CHARTS:
        curves = [(name, run.curve(column), place) for name, column, place in columns]
        curves = [curve for curve in curves if curve[1]]
        if curves:
            legend = [(name, f"s{place}") for name, _, place in curves if len(curves) > 1]
            drawn.append((title, _svg(run, title, curves), legend))
    return drawn


def _svg(
    run: RunFolder, title: str, curves: list[tuple[str, list[tuple[float, float]], int]]
) -> Markup:
    def paint(axes: Axes) -> None:
        for start in _stage_starts(run):
            axes.axvline(start, color=charts.SOFT, lw=1, ls=":", label="a stage begins")
        if run.best_epoch is not None:
            label = f"best epoch, {run.best_epoch}"
            axes.axvline(run.best_epoch, color=charts.INK, lw=1, ls="--", label=label)
        for name, points, place in curves:
            epochs, values = zip(*points, strict=True)
            label = f"{name}, last {values[-1]:.4g}"
            marker = "o" if len(points) == 1 else None
            axes.plot(epochs, values, color=charts.SERIES[place], label=label, marker=marker)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.set_xlabel("epoch")
        if title == "learning rate":
            axes.set_ylim(bottom=0)
            axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 4))

    return charts.svg(paint, label=f"{title} over the epochs", width=380, height=240)


def _stage_starts(run: RunFolder) -> list[float]:
    """Between the last epoch of a stage and the first of the next."""
    return [b["epoch"] - 0.5 for a, b in pairwise(run.epochs) if a.get("stage") != b.get("stage")]


def _value(value: float | str | None, *, missing: float = math.nan) -> float:
    return value if isinstance(value, float) else missing
