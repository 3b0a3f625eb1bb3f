"""Dice over the strength of corruptions: one panel for each, one line for each network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seg.report import figures
from seg.report.palette import SERIES, series
from seg.report.text import cut

COLUMNS = 3
LABEL = 60  # characters of a network's name
Curves = Mapping[str, dict[str, Any]]


def draw(curves: Curves, path: Path, *, also: Sequence[str] = ()) -> None:
    """Draw `robustness.png`.

    Args:
        curves: what `CorruptedScores.summary` says of each network, by its name; all with the same
            corruptions. The intervals are drawn of a single one.
        path: the file.
        also: formats beside the PNG, as in `figures.save`.
    """
    corruptions = next(iter(curves.values()))["corruptions"]
    columns = min(COLUMNS, len(corruptions))
    rows = -(-len(corruptions) // columns)
    size = (3.7 * columns + 0.5, 2.9 * rows + 0.5 + 0.2 * len(curves))
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axis, (name, corruption) in zip(axes, corruptions.items(), strict=False):
        _panel(axis, curves, name)
        axis.set_title(f"{name} ({corruption['unit']})", fontsize=9)
    for axis in axes[::columns]:
        axis.set_ylabel("Dice, mean over images")
    for axis in axes[len(corruptions) :]:
        axis.set_visible(False)
    handles, labels = axes[0].get_legend_handles_labels()
    legend = figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=3 if len(curves) == 1 else 1,
        frameon=False,
        fontsize=9,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    figures.save(figure, path, also)


def _panel(axis: Axes, curves: Curves, name: str) -> None:
    for i, (label, content) in enumerate(curves.items()):
        corruption = content["corruptions"][name]
        figures = [content["clean"], *corruption["dice"]]
        strengths, values = range(len(figures)), [figure["value"] for figure in figures]
        mean, share = content["mean_corruption_dice"]["value"], content["ratio_to_clean"]["value"]
        title = f"{cut(label, LABEL)}: clean {values[0]:.3f}, mean corruption Dice {mean:.3f}"
        style = {"color": series(i), "ls": ("-", "--", ":")[i // len(SERIES) % 3]}
        title = f"{title} ({share:.0%} of clean)"
        axis.plot(strengths, values, marker="o", ms=4, lw=1.6, clip_on=False, label=title, **style)
        if len(curves) == 1:
            axis.axhline(values[0], color="0.5", lw=1, ls=":", label="Dice on the clean images")
            if figures[0]["low"] is not None:
                ends = ([figure[end] for figure in figures] for end in ("low", "high"))
                axis.fill_between(
                    strengths, *ends, color=SERIES[0], alpha=0.15, lw=0, label="95 % interval"
                )
    amounts = [f"{n}\n{amount:g}" for n, amount in enumerate(corruption["amounts"], 1)]
    axis.set_xticks(strengths, ["0\nclean", *amounts], fontsize=8)
    axis.set_ylim(0, 1)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
