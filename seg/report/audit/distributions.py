"""The audit as distributions: what varies over the set."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from seg.report.panels import class_colour


def distributions(audit: dict, path: Path) -> list[str]:
    """Draw what varies over the set to `path`; returns the titles. A panel that would show a single
    value is left out.
    """
    panels = [(title, draw) for title, holds, draw in _PANELS if holds(audit)]
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
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return [title for title, _ in panels]


def _sizes(audit: dict) -> Counter:
    return Counter((c["size"][1], c["size"][0]) for c in audit["cases"] if c["size"])


def _draw_sizes(axis: Axes, audit: dict) -> None:
    sizes = _sizes(audit)
    (x, y), n = np.array(list(sizes)).T, np.array(list(sizes.values()))
    axis.scatter(x, y, s=16 + 60 * np.sqrt(n / n.max()), alpha=0.5, color="#0072B2", lw=0)
    ends = np.array([min(x.min(), y.min()), max(x.max(), y.max())])
    axis.plot(ends, ends, color="0.6", lw=1, ls="--", zorder=0, label="square")
    axis.legend(frameon=False, fontsize=8, loc="best")
    axis.set_xlabel("width, pixels")
    axis.set_ylabel("height, pixels")


def _shares(audit: dict) -> NDArray:
    return np.array([c["foreground"] for c in audit["cases"] if c["foreground"] is not None])


def _draw_foreground(axis: Axes, audit: dict) -> None:
    shares = 100 * _shares(audit)
    held, empty = shares[shares > 0], np.count_nonzero(shares == 0)
    wide = len(held) > 0 and held.max() > 30 * held.min()
    bins = min(30, max(8, round(2 * math.sqrt(len(held)))))
    if len(held):
        low, high = (held.min(), held.max()) if held.max() > held.min() else (0, held.max())
        edges = np.geomspace(low, high, bins + 1) if wide else np.linspace(low, high, bins + 1)
        edges[0], edges[-1] = low, high  # rounding must lose neither end
        axis.hist(held, bins=edges, color="#0072B2", ec="white", lw=0.4)
        axis.axvline(np.median(held), color="#D55E00", lw=1.2)
        axis.annotate(f"median {np.median(held):.2g} %", (np.median(held), 1), (4, -2),
                      xycoords=("data", "axes fraction"), textcoords="offset points", va="top",
                      fontsize=8, color="#D55E00")  # fmt: skip
    if wide:
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axis.xaxis.set_minor_formatter(FuncFormatter(lambda x, _: ""))
    axis.set_xlabel("foreground, % of the image")
    axis.set_ylabel("masks")
    axis.yaxis.get_major_locator().set_params(integer=True)
    if empty:
        beside = axis.inset_axes((0, 0, 0.13, 1), sharey=axis)
        low, high = axis.get_xlim()
        # Room at the left for the bar of the empty masks, which have no place on the scale.
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
    for place, share in enumerate(shares):
        axis.annotate(f"{share:.3g} %" if share else "none", (max(share, low), place), (4, 0),
                      textcoords="offset points", va="center", fontsize=8)  # fmt: skip
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}" if x <= 100 else ""))
    axis.set_xlabel("% of all mask pixels")


def _draw_intensity(axis: Axes, audit: dict) -> None:
    means, lows, highs = (np.array(audit["intensity"][key]) for key in ("mean", "low", "high"))
    grey = len(means) == 1 or np.allclose(means, means[0], atol=1e-6)
    levels = (np.arange(means.shape[1]) + 0.5) * 256 / means.shape[1]
    channels = [("grey", "0.25")] if grey else [
        ("red", "#D55E00"), ("green", "#009E73"), ("blue", "#0072B2")
    ]  # fmt: skip
    for (name, colour), mean, low, high in zip(channels, means, lows, highs, strict=False):
        axis.fill_between(levels, 100 * low, 100 * high, color=colour, alpha=0.15, lw=0)
        axis.plot(levels, 100 * mean, color=colour, lw=1.5, label=name)
    # Borders of black or white hold most pixels of many sets: the scale is the others'.
    body = 100 * np.array([highs[c] for c in range(len(channels))])[:, 3:-3]
    top = 1.15 * max(body.max(), 100 * means[:, 3:-3].max(), 1e-3)
    axis.set_ylim(0, top)
    for name, end, place in (("black", 0, 0.06), ("white", -1, 0.94)):
        share = 100 * means[: len(channels), end].max()
        if share > top:
            axis.annotate(f"{name}: {share:.0f} %", (place, 0.9), xycoords="axes fraction",
                          va="top", ha="left" if end == 0 else "right", fontsize=8,
                          color="0.35")  # fmt: skip
    axis.set_xlim(0, 256)
    axis.set_xticks(range(0, 257, 64))
    axis.set_xlabel("grey level; band: 5 to 95 % of the images")
    axis.set_ylabel("% of the pixels")
    axis.legend(frameon=False, fontsize=8, loc="upper center", ncols=3)


def _draw_groups(axis: Axes, audit: dict) -> None:
    counts = list(Counter(c["group"] for c in audit["cases"]).values())
    _draw_counts(axis, counts)
    axis.set_xlabel("cases of a group")
    axis.set_ylabel("groups")


def _draw_components(axis: Axes, audit: dict) -> None:
    _draw_counts(axis, [c["components"] for c in audit["cases"] if c["components"] is not None])
    axis.set_xlabel("connected parts of a mask")
    axis.set_ylabel("masks")


def _draw_counts(axis: Axes, counts: list[int]) -> None:
    """Bars of whole numbers: one for each, or ranges where there are many."""
    low, high = min(counts), max(counts)
    step = max(1, math.ceil((high - low + 1) / 30))
    edges = np.arange(low, high + step + 1, step) - 0.5
    axis.hist(counts, bins=edges, color="#0072B2", ec="white", lw=0.4)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.yaxis.get_major_locator().set_params(integer=True)
    if high - low < 3:
        axis.set_xlim(low - 1.5, high + 1.5)


def _several(numbers: Sequence) -> bool:
    return len(set(numbers)) > 1


_PANELS = (
    ("image sizes", lambda a: len(_sizes(a)) > 1, _draw_sizes),
    ("foreground of the masks", lambda a: _several(_shares(a).tolist()), _draw_foreground),
    ("classes", lambda a: sum(c["pixels"] for c in a["classes"].values()) > 0, _draw_classes),
    ("intensities", lambda a: a["intensity"] is not None, _draw_intensity),
    ("groups", lambda a: _several(Counter(c["group"] for c in a["cases"]).values()), _draw_groups),
    (
        "objects",
        lambda a: _several([c["components"] for c in a["cases"] if c["components"] is not None]),
        _draw_components,
    ),
)
