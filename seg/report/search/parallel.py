"""search_parallel.png: a line a trial through all its parameters to its value."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

COLOURS = colormaps["viridis"]
PRUNED, BEST = "0.8", "#D55E00"
LONGEST = 22  # letters of a label


def figure(content: dict[str, Any]) -> Figure | None:
    """None where no trial is finished. Coloured by the first objective, pruned trials grey."""
    space, objective = content["space"], content["objectives"][0]
    trials = [t for t in content["trials"] if len(t["params"]) == len(space)]
    finished = [t for t in trials if t["status"] == "finished"]
    if not finished:
        return None
    values = [t["values"][0] for t in finished]
    low, high = min(values), max(values)
    scale = Normalize(low, high if high > low else low + 1e-9)
    keys = list(space)
    drawn = Figure(figsize=(2.0 * (len(keys) + 1) + 1.5, 4.6), dpi=100, layout="constrained")
    axis = drawn.subplots()
    for trial in (t for t in trials if t["status"] == "pruned"):
        axis.plot(range(len(keys)), _heights(trial, space), color=PRUNED, lw=0.9, zorder=1)
    ascending = objective["direction"] == "maximize"
    for trial in sorted(finished, key=lambda t: t["values"][0], reverse=not ascending):
        value = scale(trial["values"][0])
        best = trial["number"] in content["best"]
        heights = [*_heights(trial, space), value]
        width = 2.6 if best else 1.1
        colour = BEST if best else COLOURS(value)
        axis.plot(range(len(keys) + 1), heights, color=colour, lw=width, zorder=3 if best else 2)
    for x, key in enumerate(keys):
        _scale_of(axis, x, _ticks(space[key]))
    _scale_of(axis, len(keys), [(scale(v), f"{v:.4g}") for v in np.linspace(low, high, 5)])
    names = [*(key.lstrip("+") for key in keys), objective["name"]]
    axis.set_xticks(range(len(names)), names, parse_math=False)
    axis.set_xlim(-0.15, len(keys) + 0.6)
    axis.set_ylim(-0.06, 1.06)
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
    counts = content["counts"]
    front = "the front" if len(content["objectives"]) > 1 else "the best"
    axis.set_title(
        f"{counts['finished']} finished trials, {front} in orange; {counts['pruned']} pruned, grey",
        fontsize=10,
    )
    drawn.colorbar(ScalarMappable(scale, COLOURS), ax=axis, pad=0.01).set_label(
        objective["name"], parse_math=False
    )
    return drawn


def height(value: Any, dimension: dict[str, Any]) -> float:
    """Where a value lies between the ends of its dimension, 0 to 1."""
    if dimension["kind"] == "choice":
        count = len(dimension["values"])
        return dimension["values"].index(value) / (count - 1) if count > 1 else 0.5
    low, high = dimension["low"], dimension["high"]
    if dimension["log"]:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low) if high > low else 0.5


def _heights(trial: dict[str, Any], space: dict[str, Any]) -> list[float]:
    return [height(trial["params"][key], space[key]) for key in space]


def _ticks(dimension: dict[str, Any]) -> list[tuple[float, str]]:
    if dimension["kind"] == "choice":
        values = dimension["values"]
    elif dimension["log"]:
        values = np.geomspace(dimension["low"], dimension["high"], 5).tolist()
    else:
        values = np.linspace(dimension["low"], dimension["high"], 5).tolist()
        if dimension["kind"] == "int":
            values = sorted({round(v) for v in values})
    return [(height(v, dimension), v if isinstance(v, str) else f"{v:.3g}") for v in values]


def _scale_of(axis: Axes, x: int, ticks: Sequence[tuple[float, str]]) -> None:
    """An upright with its values."""
    axis.plot([x, x], [0, 1], color="0.3", lw=1, zorder=4)
    for y, text in ticks:
        short = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
        axis.plot([x - 0.02, x], [y, y], color="0.3", lw=1, zorder=4)
        axis.annotate(
            short, (x, y), (5, 0), textcoords="offset points", fontsize=8, va="center", zorder=5,
            parse_math=False, bbox={"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 0.8},
        )  # fmt: skip
