"""search_history.png: every trial's value in the order of asking, and the best so far."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

VALUE, BEST, PRUNED, FAILED = "#0072B2", "#D55E00", "0.55", "black"


def figure(content: dict[str, Any]) -> Figure | None:
    """A row an objective; None where no trial has a value."""
    trials, objectives = content["trials"], content["objectives"]
    if not any(trial["values"] for trial in trials):
        return None
    drawn = Figure(figsize=(9, 3.6 * len(objectives)), dpi=100, layout="constrained")
    axes = drawn.subplots(len(objectives), 1, squeeze=False)[:, 0]
    for i, (axis, objective) in enumerate(zip(axes, objectives, strict=True)):
        _draw(axis, trials, i, maximize=objective["direction"] == "maximize")
        axis.set_ylabel(objective["name"], parse_math=False)
        axis.set_xlabel("trial")
    return drawn


def best_so_far(values: list[float], *, maximize: bool) -> list[float]:
    """The best of each value and those before it."""
    best = np.maximum if maximize else np.minimum
    return best.accumulate(values).tolist()


def _draw(axis: Axes, trials: list[dict[str, Any]], i: int, *, maximize: bool) -> None:
    finished = [t for t in trials if t["status"] == "finished"]
    pruned = [t for t in trials if t["status"] == "pruned" and t["values"]]
    failed = [t["number"] for t in trials if t["status"] == "failed"]
    if finished:
        numbers, values = [t["number"] for t in finished], [t["values"][i] for t in finished]
        best = best_so_far(values, maximize=maximize)
        # the line goes on to the last trial, which may have been pruned
        axis.step(
            [*numbers, trials[-1]["number"]], [*best, best[-1]], where="post", color=BEST, lw=1.6,
            label="best so far", zorder=1,
        )  # fmt: skip
        axis.plot(numbers, values, "o", color=VALUE, ms=5, label="finished", zorder=2)
        if numbers[0] == 0:
            axis.annotate(
                "the first", (0, values[0]), (6, -10), textcoords="offset points", fontsize=8
            )
    if pruned:
        axis.plot(
            [t["number"] for t in pruned], [t["values"][i] for t in pruned],
            "x", color=PRUNED, ms=6, label="pruned, last value",
        )  # fmt: skip
    if failed:
        axis.plot(
            failed, [0] * len(failed), "|", color=FAILED, ms=10, mew=1.6, label="failed",
            transform=axis.get_xaxis_transform(), clip_on=False,
        )  # fmt: skip
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlim(-0.5, trials[-1]["number"] + 0.5)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8)
