"""curves.png: loss, Dice and IoU of training and validation over the epochs."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from seg.runs import atomic

CURVES = (("loss", "loss"), ("dice", "Dice, mean over images"), ("iou", "IoU, mean over images"))
COLOURS = {"train": "#0072B2", "val": "#D55E00"}


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw the curves; the best epoch by validation Dice is marked, and where a stage begins.

    Args:
        rows: of metrics.csv, as `RunFolder.epochs` has them.
        path: where the picture is written.
    """
    epochs = [int(row["epoch"]) for row in rows]
    best = rows[int(np.nanargmax(_column(rows, "val/dice")))]
    starts = [
        int(row["epoch"]) for before, row in pairwise(rows) if row["stage"] != before["stage"]
    ]
    figure = Figure(figsize=(13, 4), dpi=100, layout="constrained")
    for axis, (key, label) in zip(figure.subplots(1, len(CURVES)), CURVES, strict=True):
        for split, colour in COLOURS.items():
            marker = "o" if len(rows) < 3 else None
            values = _column(rows, f"{split}/{key}")
            axis.plot(epochs, values, color=colour, label=split, marker=marker, lw=1.6)
        axis.axvline(int(best["epoch"]), color="0.6", lw=1, ls="--", zorder=0)
        for start in starts:
            axis.axvline(start - 0.5, color="0.3", lw=1, ls=":", zorder=0)
        axis.set_xlabel("epoch")
        axis.set_title(label)
        if key != "loss":
            axis.set_ylim(0, 1)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False)
    figure.suptitle(
        f"best epoch {int(best['epoch'])}: "
        f"val Dice {best['val/dice']:.4f}, IoU {best['val/iou']:.4f}"
    )
    with atomic.replacing(path) as handle:
        figure.savefig(handle, format="png")


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [math.nan if row[name] is None else row[name] for row in rows]
