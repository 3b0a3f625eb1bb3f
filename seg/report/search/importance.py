"""search_importance.png: how much of an objective's spread each parameter explains."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def figure(content: dict[str, Any]) -> Figure | None:
    """Bars, the most important on top; None where search.json says why there is no importance."""
    shares = content["importance"]
    if not shares:
        return None
    objectives = list(shares)
    keys = sorted(shares[objectives[0]], key=lambda key: shares[objectives[0]][key])
    thick = 0.8 / len(objectives)
    drawn = Figure(figsize=(7, 1.2 + 0.45 * len(keys) * len(objectives) ** 0.5), dpi=100,
                   layout="constrained")  # fmt: skip
    axis = drawn.subplots()
    for i, name in enumerate(objectives):
        values = [shares[name][key] for key in keys]
        offset = (len(objectives) - 1) / 2 - i  # the first objective above the others
        places = np.arange(len(keys)) + offset * thick
        bars = axis.barh(places, values, thick * 0.95, color=COLOURS[i % len(COLOURS)], label=name)
        axis.bar_label(bars, [f"{v:.2f}" for v in values], padding=3, fontsize=8)
    axis.set_yticks(range(len(keys)), [key.lstrip("+") for key in keys], parse_math=False)
    axis.set_xlim(0, 1.08)
    axis.set_xlabel("share of the variance between trials (fANOVA)")
    axis.set_title(
        f"{content['counts']['finished']} finished trials of {content['n_trials']}", fontsize=10
    )
    axis.grid(axis="x", alpha=0.25)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    legend = axis.legend(frameon=False, fontsize=8, loc="lower right")
    for text in legend.get_texts():
        text.set_parse_math(False)
    return drawn
