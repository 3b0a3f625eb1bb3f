"""curves.png: loss, Dice and IoU of training and validation over the epochs."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from seg.runs import atomic

CURVES = (("loss", "loss"), ("dice", "Dice, mean over images"), ("iou", "IoU, mean over images"))
COLOURS = {"train": "#0072B2", "val": "#D55E00"}


def draw(metrics: Path, path: Path) -> None:
    """Draw metrics.csv to `path`; the best epoch by validation Dice is marked, and where a stage
    begins.
    """
    table = pd.read_csv(metrics)
    figure = Figure(figsize=(13, 4), dpi=100, layout="constrained")
    best = table.loc[table["val/dice"].idxmax()]
    starts = table.loc[table["stage"] != table["stage"].shift(), "epoch"].iloc[1:]
    for axis, (key, label) in zip(figure.subplots(1, len(CURVES)), CURVES, strict=True):
        for split, colour in COLOURS.items():
            marker = "o" if len(table) < 3 else None
            values = table[f"{split}/{key}"]
            axis.plot(table["epoch"], values, color=colour, label=split, marker=marker, lw=1.6)
        axis.axvline(best["epoch"], color="0.6", lw=1, ls="--", zorder=0)
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
