"""The audit as a contact sheet: cases with their contours, flagged ones first."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from seg.report.audit.console import percent
from seg.report.panels import IGNORE, IGNORED, as_rgb, class_colour

ERROR, WARNING = "#D55E00", "#B07900"
PIXELS = 220  # long side of a picture on the contact sheet

Read = Callable[[int], tuple[NDArray | None, NDArray | None]]


def contact_sheet(audit: dict, read: Read, path: Path, *, limit: int = 40) -> list[int]:
    """Draw up to `limit` cases to `path`, flagged ones first; returns their indices.

    read: the image (H, W, C) in 0-255 and the class indices (H, W) of a case, either None if it
    cannot be read (`seg.preparation.audit.reader`, with the discovered classes if there are any).
    Files are read one at a time. The classes are drawn as contours.
    """
    class_names = list(audit["classes"])[1:]
    flags = _flags(audit)
    chosen = choose(audit, limit)
    sizes = [audit["cases"][i]["size"] for i in chosen]
    shape = float(np.median([h / w for h, w in filter(None, sizes)] or [1.0]))
    shape = min(max(shape, 0.5), 1.6)
    columns = min(max(len(chosen), 1), 8 if len(chosen) > 12 else 4)
    rows = math.ceil(len(chosen) / columns)
    across, down = 2.0, 2.0 * shape + 0.5  # inches of a cell, its caption included
    head, foot = 0.55, 0.5
    figure = Figure(figsize=(max(columns * across, 6) + 0.2, rows * down + head + foot), dpi=110)
    width, height = figure.get_size_inches()
    margin = (width - columns * across) / 2
    found: set[int] = set()
    for place, index in enumerate(chosen):
        row, column = divmod(place, columns)
        left, top = margin + column * across + 0.06, height - head - row * down
        box = (left / width, (top - down + 0.45) / height, (across - 0.12) / width,
               (down - 0.5) / height)  # fmt: skip
        axis = figure.add_axes(box, anchor="S")
        found |= _draw_case(axis, *read(index))
        _caption(axis, audit["cases"][index], flags.get(index, []))
    shown = "all" if len(chosen) == audit["count"] else f"{len(chosen)} of"
    figure.text(
        0.5, 1 - 0.2 / height, f"{shown} {audit['count']} cases", ha="center", va="top", fontsize=12
    )
    handles = [
        _handle(class_colour(k), name)
        for k, name in enumerate(class_names, start=1)
        if k in found or len(class_names) <= 12
    ]
    handles += [_handle(IGNORED, "ignored")] if IGNORE in found else []
    legend = figure.legend(
        handles=handles,
        loc="lower center",
        ncols=min(len(handles), max(2, int(width / 1.5))),
        frameon=False,
        fontsize=9,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return chosen


def choose(audit: dict, limit: int) -> list[int]:
    """Cases for a contact sheet: at most three quarters flagged ones, each kind of finding in turn,
    then others from the emptiest to the fullest.
    """
    cases = range(audit["count"])
    queues = [list(f["cases"]) for f, _ in _telling(audit)]
    order = list(dict.fromkeys(i for queue in queues for i in queue))
    most = limit - min(limit // 4, len(cases) - len(order))
    flagged: dict[int, None] = {}
    for turn in range(max(map(len, queues), default=0)):
        for queue in queues:
            if turn < len(queue) and len(flagged) < most:
                flagged.setdefault(queue[turn])
    first = [i for i in order if i in flagged]  # one kind beside the other, pairs as pairs
    shares = {i: audit["cases"][i]["foreground"] for i in set(cases).difference(order)}
    empty = sorted(i for i, share in shares.items() if share == 0)
    others = [i for i in shares if shares[i] != 0]
    others.sort(key=lambda i: (shares[i] is None, shares[i]))
    room = limit - len(first)
    few = empty if len(empty) + len(others) <= room else _evenly(empty, max(1, room // 6))
    return [*first, *few, *_evenly(others, room - len(few))]


def _evenly(items: Sequence[int], count: int) -> list[int]:
    if len(items) <= count:
        return list(items)
    return [items[round(k)] for k in np.linspace(0, len(items) - 1, max(count, 0))]


def _telling(audit: dict) -> list[tuple[dict, str]]:
    """Findings that tell of single cases, with their colour."""
    findings = [(f, ERROR) for f in audit["errors"]] + [(f, WARNING) for f in audit["warnings"]]
    count = audit["count"]
    most = min(max(20, count // 10), max(4, count // 2))  # more of them tell of the set
    return [(f, colour) for f, colour in findings if 0 < len(f["cases"]) <= most]


def _flags(audit: dict) -> dict[int, list[tuple[str, str]]]:
    flags = defaultdict(list)
    for finding, colour in _telling(audit):
        for index in finding["cases"]:
            flags[index].append((finding["kind"], colour))
    return flags


def _draw_case(axis: Axes, image: NDArray | None, mask: NDArray | None) -> set[int]:
    """The image with its classes' contours; returns the indices that it has."""
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
    if image is None and mask is None:
        axis.set_facecolor("0.92")
        axis.set_aspect("equal")
        axis.text(0.5, 0.5, "cannot be\nread", ha="center", va="center", color="0.4", fontsize=9)
        return set()
    shape = (image if image is not None else mask).shape[:2]
    scale = PIXELS / max(shape)
    size = tuple(max(1, round(side * scale)) for side in shape[::-1])
    if image is None:
        shown = np.full((*size[::-1], 3), 235, np.uint8)
    else:
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        shown = cv2.resize(np.ascontiguousarray(as_rgb(image)), size, interpolation=way)
    axis.imshow(shown, interpolation="bilinear")
    found = set(np.unique(mask).tolist()) - {0} if mask is not None else set()
    for index in sorted(found):
        lines = _contours(mask == index, size)
        length = sum(np.hypot(*np.diff(line, axis=0).T).sum() for line in lines)
        wide = 1.0 if length < 12 * PIXELS else 0.55  # fine lines around vessels and the like
        axis.add_collection(LineCollection(lines, colors="black", linewidths=1.9 * wide, alpha=0.5))
        style = "dotted" if index == IGNORE else "solid"
        colour = IGNORED if index == IGNORE else class_colour(index)
        axis.add_collection(LineCollection(lines, colors=colour, linewidths=wide, linestyles=style))
    axis.set_xlim(-0.5, size[0] - 0.5)
    axis.set_ylim(size[1] - 0.5, -0.5)
    return found


def _contours(area: NDArray, size: tuple[int, int]) -> list[NDArray]:
    """Closed outlines (P, 2) of a mask (H, W), in pixels of a picture of `size` (width, height)."""
    height, width = area.shape
    framed = np.pad(area.astype(np.uint8), 1)
    lines, _ = cv2.findContours(framed, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    scale = np.array(size) / (width, height)
    closed = [np.concatenate([line, line[:1]])[:, 0] for line in lines]
    return [(line - 0.5) * scale - 0.5 for line in closed]


def _caption(axis: Axes, case: dict, flags: list[tuple[str, str]]) -> None:
    name = Path(case["case"]).name
    name = name if len(name) <= 30 else f"{name[:13]}…{name[-16:]}"
    facts = []
    if case["size"]:
        facts.append(f"{case['size'][1]}×{case['size'][0]}")
    if case["foreground"] is not None:
        facts.append("empty" if case["foreground"] == 0 else percent(case["foreground"]))
    said = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "center", "va": "top"}
    words = ", ".join(dict.fromkeys(kind for kind, _ in flags))
    words = words if len(words) <= 34 else f"{words[:33]}…"
    second = " · ".join(facts)
    axis.annotate(name, (0.5, 0), (0, -2), fontsize=6.5, parse_math=False, **said)
    axis.annotate(second, (0.5, 0), (0, -11), fontsize=6.5, color="0.35", **said)
    if flags:
        colour = ERROR if any(c == ERROR for _, c in flags) else WARNING
        axis.annotate(words, (0.5, 0), (0, -20), fontsize=6.5, color=colour, weight="bold", **said)
        axis.spines[:].set(visible=True, color=colour, linewidth=2)


def _handle(colour: str, name: str) -> Line2D:
    return Line2D(
        [],
        [],
        color=colour,
        lw=2.2,
        label=name,
        path_effects=[withStroke(linewidth=3.4, foreground="0.35")],
    )
