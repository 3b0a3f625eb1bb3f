"""The audit as distributions: what varies over the data set."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from seg.report import figures
from seg.report.palette import SERIES, class_colour, series

BARS, MARK = SERIES[:2]


def distributions(audit: dict, path: Path, *, also: Sequence[str] = ()) -> list[str]:
    """Draw what varies over the data set to `path`, and return the titles of the panels.

    A panel that would show a single value is left out. also: formats beside the PNG, as in
    `figures.save`.
    """
    panels = [(title, draw) for title, varies, draw in _PANELS if varies(audit)]
    columns = 2 if len(panels) == 4 else min(3, max(1, len(panels)))
    rows = max(1, math.ceil(len(panels) / columns))
    figure = Figure(figsize=(4.6 * columns, 3.5 * rows + 0.4), dpi=100, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (title, draw) in zip(axes, panels, strict=False):
        draw(axis, audit)
        axis.set_title(title, fontsize=11)
        axis.grid(alpha=0.25)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    figure.suptitle(f"{audit['count']} cases", fontsize=12)
    figures.save(figure, path, also)
    return [title for title, _ in panels]


def _sizes(audit: dict) -> Counter:
    return Counter((c["size"][1], c["size"][0]) for c in audit["cases"] if c["size"])


def _draw_sizes(axis: Axes, audit: dict) -> None:
    sizes = _sizes(audit)
    (x, y), n = np.array(list(sizes)).T, np.array(list(sizes.values()))
    axis.scatter(x, y, s=16 + 60 * np.sqrt(n / n.max()), alpha=0.5, color=BARS, lw=0)
    ends = np.array([min(x.min(), y.min()), max(x.max(), y.max())])
    axis.plot(ends, ends, color="0.6", lw=1, ls="--", zorder=0, label="square")
    axis.legend(frameon=False, fontsize=8, loc="best")
    axis.set(xlabel="width, pixels", ylabel="height, pixels")


def _shares(audit: dict) -> NDArray:
    return np.array([c["foreground"] for c in audit["cases"] if c["foreground"] is not None])


def _draw_foreground(axis: Axes, audit: dict) -> None:
    shares = 100 * _shares(audit)
    filled, empty = shares[shares > 0], np.count_nonzero(shares == 0)
    wide = len(filled) > 0 and filled.max() > 30 * filled.min()
    bins = min(30, max(8, round(2 * math.sqrt(len(filled)))))
    if len(filled):
        low, high = (
            (filled.min(), filled.max()) if filled.max() > filled.min() else (0, filled.max())
        )
        edges = np.geomspace(low, high, bins + 1) if wide else np.linspace(low, high, bins + 1)
        edges[0], edges[-1] = low, high  # rounding must not lose an end
        axis.hist(filled, bins=edges, color=BARS, ec="white", lw=0.4)
        axis.axvline(np.median(filled), color=MARK, lw=1.2)
        axis.annotate(f"median {np.median(filled):.2g} %", (np.median(filled), 1), (4, -2),
                      xycoords=("data", "axes fraction"), textcoords="offset points", va="top",
                      fontsize=8, color=MARK)  # fmt: skip
    if wide:
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axis.xaxis.set_minor_formatter(FuncFormatter(lambda x, _: ""))
    axis.set(xlabel="foreground, % of the image", ylabel="masks")
    axis.yaxis.get_major_locator().set_params(integer=True)
    if empty:
        beside = axis.inset_axes((0, 0, 0.13, 1), sharey=axis)
        low, high = axis.get_xlim()
        # Space at the left for the bar of the empty masks, which have no position on the scale.
        axis.set_xlim(low / (high / low) ** 0.2 if wide else low - 0.2 * (high - low), high)
        beside.bar([0], [empty], color="0.55", width=0.6)
        beside.set_xlim(-0.6, 0.6)
        beside.axis("off")
        axis.autoscale(axis="y")
        axis.set_ylim(0, 1.12 * max(empty, axis.get_ylim()[1] / 1.05))
        axis.annotate(f"{empty}\nempty", (0.065, empty), (0, 2), ha="center", va="bottom",
                      xycoords=("axes fraction", "data"), textcoords="offset points",
                      fontsize=8, color="0.35")  # fmt: skip


def _draw_classes(axis: Axes, audit: dict) -> None:
    classes = list(audit["classes"].items())[: 1 + 12]
    total = sum(c["pixels"] for c in audit["classes"].values())
    names = [name if len(name) <= 16 else f"{name[:15]}…" for name, _ in classes]
    shares = np.array([100 * c["pixels"] / total for _, c in classes])
    colours = ["0.25", *(class_colour(k) for k in range(1, len(classes)))]
    axis.barh(range(len(classes)), shares, color=colours, ec="0.4", lw=0.6, height=0.65)
    axis.set_yticks(range(len(classes)), names, fontsize=9, parse_math=False)
    axis.invert_yaxis()
    axis.set_xscale("log")
    low = min(shares[shares > 0].min() / 3, 1)
    axis.set_xlim(low, 100 * (100 / low) ** 0.28)
    for position, share in enumerate(shares):
        axis.annotate(f"{share:.3g} %" if share else "none", (max(share, low), position), (4, 0),
                      textcoords="offset points", va="center", fontsize=8)  # fmt: skip
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}" if x <= 100 else ""))
    axis.set_xlabel("% of all mask pixels")


def _draw_intensity(axis: Axes, audit: dict) -> None:
    means, lows, highs = (np.array(audit["intensity"][key]) for key in ("mean", "low", "high"))
    grey = len(means) == 1 or np.allclose(means, means[0], atol=1e-6)
    levels = (np.arange(means.shape[1]) + 0.5) * 256 / means.shape[1]
    channels = [("red", SERIES[1]), ("green", SERIES[2]), ("blue", SERIES[0])]
    if grey:
        channels = [("grey", "0.25")]
    elif len(means) != 3:
        channels = [(f"channel {k}", series(k - 1)) for k in range(1, len(means) + 1)]
    for (name, colour), mean, low, high in zip(channels, means, lows, highs, strict=False):
        axis.fill_between(levels, 100 * low, 100 * high, color=colour, alpha=0.15, lw=0)
        axis.plot(levels, 100 * mean, color=colour, lw=1.5, label=name)
    # Black or white borders have most pixels of many sets: scale by the other levels.
    inner = 100 * np.array([highs[c] for c in range(len(channels))])[:, 3:-3]
    top = 1.15 * max(inner.max(), 100 * means[:, 3:-3].max(), 1e-3)
    axis.set_ylim(0, top)
    for name, end, x in (("black", 0, 0.06), ("white", -1, 0.94)):
        share = 100 * means[: len(channels), end].max()
        if share > top:
            axis.annotate(f"{name}: {share:.0f} %", (x, 0.9), xycoords="axes fraction",
                          va="top", ha="left" if end == 0 else "right", fontsize=8,
                          color="0.35")  # fmt: skip
    axis.set(xlim=(0, 256), xticks=range(0, 257, 64), ylabel="% of the pixels",
             xlabel="grey level; band: 5 to 95 % of the images")  # fmt: skip
    axis.legend(frameon=False, fontsize=8, loc="upper center", ncols=3)


def _draw_counts(axis: Axes, counts: list[int], xlabel: str, ylabel: str) -> None:
    """Bars for whole numbers, or for ranges of them where there are many."""
    low, high = min(counts), max(counts)
    step = max(1, math.ceil((high - low + 1) / 30))
    edges = np.arange(low, high + step + 1, step) - 0.5
    axis.hist(counts, bins=edges, color=BARS, ec="white", lw=0.4)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.yaxis.get_major_locator().set_params(integer=True)
    if high - low < 3:
        axis.set_xlim(low - 1.5, high + 1.5)
    axis.set(xlabel=xlabel, ylabel=ylabel)


def _group_sizes(audit: dict) -> list[int]:
    return list(Counter(c["group"] for c in audit["cases"]).values())


def _part_counts(audit: dict) -> list[int]:
    return [c["components"] for c in audit["cases"] if c["components"] is not None]


def _draw_groups(axis: Axes, audit: dict) -> None:
    _draw_counts(axis, _group_sizes(audit), "cases of a group", "groups")


def _draw_objects(axis: Axes, audit: dict) -> None:
    _draw_counts(axis, _part_counts(audit), "connected parts of a mask", "masks")


_PANELS = (
    ("image sizes", lambda a: len(_sizes(a)) > 1, _draw_sizes),
    ("foreground of the masks", lambda a: len(set(_shares(a))) > 1, _draw_foreground),
    ("classes", lambda a: any(c["pixels"] for c in a["classes"].values()), _draw_classes),
    ("intensities", lambda a: a["intensity"] is not None, _draw_intensity),
    ("groups", lambda a: len(set(_group_sizes(a))) > 1, _draw_groups),
    ("objects", lambda a: len(set(_part_counts(a))) > 1, _draw_objects),
)
