"""Pictures of an evaluation: precision against recall, reliability, confusion of classes, and
which cases went wrong unnoticed.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seg.evaluation.failure_prediction import FIRST, confidence_and_dice
from seg.evaluation.score import CaseScores
from seg.metrics.calibration import ece
from seg.metrics.risk_coverage import risk_coverage
from seg.metrics.threshold_curves import average_precision, curves
from seg.report import figures
from seg.report.palette import series


def draw(
    scores: CaseScores,
    class_names: Sequence[str],
    threshold: float | Sequence[float] | None,
    folder: Path,
    *,
    also: Sequence[str] = (),
) -> None:
    """Draw `pr_curve.png`, `reliability.png`, `failure_prediction.png` and, for several classes
    that share no pixel, `confusion.png`.

    Args:
        scores: the cases, drawn together.
        class_names: the foreground classes.
        threshold: marked on the curves, of each class or for all; None where the likeliest class
            is taken.
        folder: where the files go.
        also: formats beside the PNG, as in `figures.save`.
    """
    pictures = {
        "pr_curve": _pr_curve(scores.levels, class_names, threshold),
        "reliability": _reliability(scores.bins, class_names),
        "failure_prediction": _failure_prediction(scores),
    }
    if len(class_names) > 1 and scores.confusion is not None:
        pictures["confusion"] = _confusion(scores.confusion, class_names)
    for name, figure in pictures.items():
        figures.save(figure, folder / f"{name}.png", also)


def _pr_curve(
    levels: NDArray,
    class_names: Sequence[str],
    threshold: float | Sequence[float] | None,
) -> Figure:
    """Pooled precision against recall, a line for each class. levels: (M, C, 2, L)."""
    figure = Figure(figsize=(5.5, 5), dpi=100, layout="constrained")
    axis = figure.subplots()
    for j, name in enumerate(class_names):
        points = curves(levels[:, j])
        precision, recall = points["precision_pooled"], points["recall_pooled"]
        # above the highest probability nothing is predicted, and nothing is precise
        precision = np.where(recall > 0, precision, np.nan)
        area = average_precision(levels[:, j])
        label = f"{name}, AP {area:.3f}" if np.isfinite(area) else f"{name}, in no mask"
        axis.plot(recall, precision, color=series(j), lw=1.6, label=label)
        if threshold is None:
            continue
        own = float(np.broadcast_to(threshold, len(class_names))[j])
        at = int(np.abs(points["threshold"] - own).argmin())
        if recall[at] > 0:
            axis.plot(recall[at], precision[at], "o", color=series(j), ms=6)
            axis.annotate(
                f"threshold {own:.3g}", (recall[at], precision[at]), (-6, -6),
                textcoords="offset points", ha="right", va="top", fontsize=8,
            )  # fmt: skip
    axis.set_xlabel("recall, all pixels together")
    axis.set_ylabel("precision, all pixels together")
    _finish(axis)
    return figure


def _reliability(bins: NDArray, class_names: Sequence[str]) -> Figure:
    """Share of pixels of the class against the probability, and below it how many pixels there are.

    bins: (M, C, 3, B).
    """
    figure = Figure(figsize=(5.5, 6), dpi=100, layout="constrained")
    axis, below = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    axis.plot([0, 1], [0, 1], color="0.6", lw=1, ls="--", label="perfectly calibrated")
    edges = np.linspace(0, 1, bins.shape[-1] + 1)
    for j, name in enumerate(class_names):
        pixels, confidence, positives = bins[:, j].sum(0)
        filled = pixels > 0
        axis.plot(
            confidence[filled] / pixels[filled], positives[filled] / pixels[filled],
            "o-", color=series(j), ms=4, lw=1.4, label=f"{name}, ECE {ece(bins[:, j]):.4f}",
        )  # fmt: skip
        below.stairs(pixels, edges, color=series(j), lw=1.4)
    axis.set_ylabel("share of pixels of the class")
    _finish(axis)
    below.set_yscale("log")
    below.set_ylim(bottom=0.5)
    below.set_xlabel("probability")
    below.set_ylabel("pixels")
    below.grid(alpha=0.25)
    below.spines[["top", "right"]].set_visible(False)
    return figure


def _failure_prediction(scores: CaseScores) -> Figure:
    """Dice against the confidence in the mask, and the risk-coverage curve."""
    confidence, dice = confidence_and_dice(scores).T
    figure = Figure(figsize=(11, 5), dpi=100, layout="constrained")
    axis, beside = figure.subplots(1, 2)
    axis.plot([0, 1], [0, 1], color="0.6", lw=1, ls="--", label="Dice as high as the confidence")
    axis.plot(confidence, dice, "o", color=series(0), ms=5, alpha=0.6, mew=0, label="a case")
    left = np.floor(10 * confidence.min()) / 10 - 0.02
    first, unnoticed = np.argsort(confidence, kind="stable"), np.argsort(dice - confidence)
    for rows, colour, label in (
        (first[:FIRST], series(1), "to be reviewed first"),
        ([i for i in unnoticed[:3] if i not in first[:FIRST]], series(3), "least noticed"),
    ):
        axis.plot(confidence[rows], dice[rows], "o", color=colour, ms=6, label=label)
        for i in rows:
            right = confidence[i] > (1 + left) / 2
            axis.annotate(
                _short(scores.cases[i]), (confidence[i], dice[i]), (-5 if right else 5, -3),
                textcoords="offset points", ha="right" if right else "left", fontsize=7,
                color=colour, parse_math=False,
            )  # fmt: skip
    axis.set_xlabel("foreground confidence: mean probability of the mask's pixels")
    axis.set_ylabel("Dice")
    _finish(axis)
    # above the points, whose names may lie anywhere
    axis.legend(frameon=False, fontsize=8, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    axis.set_xlim(left, 1)
    highest = 0.0
    share = np.arange(1, len(dice) + 1) / len(dice)
    for order, style, label in (
        (confidence, {"color": series(0), "lw": 1.8}, "by foreground confidence"),
        (dice, {"color": series(2), "lw": 1.2}, "by Dice itself, the best possible"),
        (np.zeros(len(dice)), {"color": "0.6", "lw": 1, "ls": "--"}, "in any order"),
    ):
        risk = risk_coverage(order, 1 - dice)
        highest = max(highest, risk.max())
        beside.plot(share, risk, **style, label=f"{label}, area {risk.mean():.3f}")
    beside.set_xlabel("coverage: share of cases that are kept, the surest first")
    beside.set_ylabel("risk: mean of 1 - Dice of those")
    _finish(beside)
    beside.set_ylim(0, 1.3 * highest or 1)
    return figure


def _short(case: str) -> str:
    name = Path(case).stem
    return name if len(name) <= 24 else f"{name[:11]}…{name[-12:]}"


def _confusion(pixels: NDArray, class_names: Sequence[str]) -> Figure:
    """Shares of each true class by the predicted class.

    pixels: (C + 1, C + 2), background first; the last column, failed predictions, is drawn if there
    are any.
    """
    rows = ["background", *class_names]
    shown = pixels if pixels[:, -1].any() else pixels[:, :-1]
    columns = [*rows, "failed"][: shown.shape[1]]
    shares = shown / np.maximum(shown.sum(1, keepdims=True), 1)
    cell = 1.1
    size = (cell * len(columns) + 2.2, cell * len(rows) + 1.8)
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    axis = figure.subplots()
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(*shown.shape):
        text = f"{shares[i, j]:.1%}\n{shown[i, j]:,}"
        colour = "white" if shares[i, j] > 0.5 else "black"
        axis.text(j, i, text, ha="center", va="center", fontsize=8, color=colour)
    axis.set_xticks(range(len(columns)), columns, rotation=30, ha="right", parse_math=False)
    axis.set_yticks(range(len(rows)), rows, parse_math=False)
    axis.set_xlabel("predicted class")
    axis.set_ylabel("true class")
    axis.set_title("share of each true class, and pixels", fontsize=10)
    return figure


def _finish(axis: Axes) -> None:
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1.02)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    legend = axis.legend(frameon=False, fontsize=8, loc="best")
    for text in legend.get_texts():
        text.set_parse_math(False)
