"""search_pareto.png: two objectives against each other, and the trials none is better than."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

OTHERS, FRONT = "#0072B2", "#D55E00"


def figure(content: dict[str, Any]) -> Figure | None:
    """The first objective against each other; None for one objective, or no finished trial."""
    objectives = content["objectives"]
    finished = [t for t in content["trials"] if t["status"] == "finished"]
    if len(objectives) < 2 or not finished:
        return None
    others = range(1, len(objectives))
    drawn = Figure(figsize=(6.2 * len(others), 4.6), dpi=100, layout="constrained")
    for i, axis in zip(others, drawn.subplots(1, len(others), squeeze=False)[0], strict=True):
        _draw(axis, finished, i, front=content["best"], joined=len(objectives) == 2)
        axis.set_xlabel(_label(objectives[i]), parse_math=False)
        axis.set_ylabel(_label(objectives[0]), parse_math=False)
    return drawn


def _label(objective: dict[str, str]) -> str:
    better = "more" if objective["direction"] == "maximize" else "less"
    return f"{objective['name']} ({better} is better)"


def _draw(
    axis: Axes, finished: list[dict[str, Any]], i: int, *, front: list[int], joined: bool
) -> None:
    """joined: a line through the front, which is one in two dimensions alone."""
    points = {t["number"]: (t["values"][i], t["values"][0]) for t in finished}
    inner = [point for number, point in points.items() if number not in front]
    outer = sorted(points[number] for number in front)
    if inner:
        axis.plot(*zip(*inner, strict=True), "o", color=OTHERS, ms=5, label="finished")
    if joined:
        axis.plot(*zip(*outer, strict=True), color=FRONT, lw=1.2, zorder=1)
    axis.plot(*zip(*outer, strict=True), "o", color=FRONT, ms=7, label="the front")
    for number in front:
        axis.annotate(str(number), points[number], (5, 5), textcoords="offset points", fontsize=8)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8)
