"""A contact sheet: cases with the contours of their masks, those with findings first."""

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seg.data.masks import IGNORE
from seg.metrics.planes import areas
from seg.report import figures
from seg.report.audit.console import percent
from seg.report.contours import handle, outline
from seg.report.palette import IGNORED, class_colour
from seg.report.panels import as_rgb

ERROR, WARNING = "#D55E00", "#B07900"
PIXELS = 220  # long side of a picture on the contact sheet

Read = Callable[[int], tuple[NDArray | None, NDArray | None]]


def contact_sheet(
    audit: dict, read: Read, path: Path, *, limit: int = 40, also: Sequence[str] = ()
) -> list[int]:
    """Draw up to `limit` cases to `path`, those with findings first, and return their indices.

    audit: as `seg.preparation.audit.summarize` returns it. read: called for one case at a time,
    it returns the image (H, W, C) in 0-255 and the mask, class indices (H, W) or planes (K, H, W),
    None if unreadable. also: formats beside the PNG, as in `figures.save`.
    """
    class_names = list(audit["classes"])[1:]
    flags = _flags(audit)
    chosen = choose(audit, limit)
    sizes = [audit["cases"][i]["size"] for i in chosen]
    shape = float(np.clip(np.median([h / w for h, w in filter(None, sizes)] or [1]), 0.5, 1.6))
    columns = min(max(len(chosen), 1), 8 if len(chosen) > 12 else 4)
    rows = math.ceil(len(chosen) / columns)
    cell_width, cell_height, head, foot = 2.0, 2.0 * shape + 0.5, 0.55, 0.5  # inches
    size = max(columns * cell_width, 6) + 0.2, rows * cell_height + head + foot
    figure = Figure(figsize=size, dpi=110)
    width, height = figure.get_size_inches()
    margin = (width - columns * cell_width) / 2
    present: set[int] = set()
    for position, index in enumerate(chosen):
        row, column = divmod(position, columns)
        left, top = margin + column * cell_width + 0.06, height - head - row * cell_height
        box = (left / width, (top - cell_height + 0.45) / height, (cell_width - 0.12) / width,
               (cell_height - 0.5) / height)  # fmt: skip
        axis = figure.add_axes(box, anchor="S")
        present |= _draw_case(axis, *read(index))
        _caption(axis, audit["cases"][index], flags.get(index, []))
    shown = "all" if len(chosen) == audit["count"] else f"{len(chosen)} of"
    title = f"{shown} {audit['count']} cases"
    figure.text(0.5, 1 - 0.2 / height, title, ha="center", va="top", fontsize=12)
    handles = [
        handle(class_colour(k), name)
        for k, name in enumerate(class_names, start=1)
        if k in present or len(class_names) <= 12
    ]
    handles += [handle(IGNORED, "ignored", "dotted")] if IGNORE in present else []
    columns = min(len(handles), max(2, int(width / 1.5)))
    legend = figure.legend(
        handles=handles, loc="lower center", ncols=columns, frameon=False, fontsize=9
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    figures.save(figure, path, also)
    return chosen


def choose(audit: dict, limit: int) -> list[int]:
    """Indices of cases for a contact sheet: with findings, then from the emptiest to the fullest.

    At most three quarters have findings, taken from each kind of finding in turn.
    """
    count = audit["count"]
    by_finding = [list(f["cases"]) for f, _ in _of_single_cases(audit)]
    order = list(dict.fromkeys(i for cases in by_finding for i in cases))
    most = limit - min(limit // 4, count - len(order))
    flagged: dict[int, None] = {}
    for turn in itertools.zip_longest(*by_finding):
        for i in turn:
            if i is not None and len(flagged) < most:
                flagged.setdefault(i)
    first = [i for i in order if i in flagged]  # one kind beside the other, pairs as pairs
    shares = {i: audit["cases"][i]["foreground"] for i in set(range(count)).difference(order)}
    empty = sorted(i for i, share in shares.items() if share == 0)
    others = [i for i in shares if shares[i] != 0]
    others.sort(key=lambda i: (shares[i] is None, shares[i]))
    left = limit - len(first)
    few = empty if len(empty) + len(others) <= left else _evenly(empty, max(1, left // 6))
    return [*first, *few, *_evenly(others, left - len(few))]


def _evenly(items: Sequence[int], count: int) -> list[int]:
    count = min(max(count, 0), len(items))
    return [items[round(k)] for k in np.linspace(0, len(items) - 1, count)]


def _of_single_cases(audit: dict) -> list[tuple[dict, str]]:
    """Findings on single cases, with their colour."""
    findings = [(f, ERROR) for f in audit["errors"]] + [(f, WARNING) for f in audit["warnings"]]
    # A finding on more cases than this is about the whole set.
    most = min(max(20, audit["count"] // 10), max(4, audit["count"] // 2))
    return [(f, colour) for f, colour in findings if 0 < len(f["cases"]) <= most]


def _flags(audit: dict) -> dict[int, list[tuple[str, str]]]:
    flags = defaultdict(list)
    for finding, colour in _of_single_cases(audit):
        for index in finding["cases"]:
            flags[index].append((finding["kind"], colour))
    return flags


def _draw_case(axis: Axes, image: NDArray | None, mask: NDArray | None) -> set[int]:
    """Draw the image with the contours of its classes, and return their indices."""
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    if image is None and mask is None:
        axis.set(facecolor="0.92", aspect="equal")
        axis.text(0.5, 0.5, "cannot be\nread", ha="center", va="center", color="0.4", fontsize=9)
        return set()
    shape = image.shape[:2] if image is not None else mask.shape[-2:]
    scale = PIXELS / max(shape)
    size = tuple(max(1, round(side * scale)) for side in shape[::-1])
    if image is None:
        shown = np.full((*size[::-1], 3), 235, np.uint8)
    else:
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        rgb = np.ascontiguousarray(as_rgb(image))
        shown = cv2.resize(rgb, size, interpolation=interpolation)
    axis.imshow(shown, interpolation="bilinear")
    present = {} if mask is None else areas(mask)
    for index, area in present.items():
        ignored = index == IGNORE
        colour, style = (IGNORED, "dotted") if ignored else (class_colour(index), "solid")
        outline(axis, area, colour, size=size, style=style)
    axis.set(xlim=(-0.5, size[0] - 0.5), ylim=(size[1] - 0.5, -0.5))
    return set(present)


def _caption(axis: Axes, case: dict, flags: list[tuple[str, str]]) -> None:
    name = Path(case["case"]).name
    name = name if len(name) <= 30 else f"{name[:13]}…{name[-16:]}"
    facts = ["{1}×{0}".format(*case["size"])] if case["size"] else []
    if case["foreground"] is not None:
        facts.append("empty" if case["foreground"] == 0 else percent(case["foreground"]))

    def write(text: str, line: int, **style: object) -> None:
        axis.annotate(text, (0.5, 0), (0, -2 - 9 * line), xycoords="axes fraction", fontsize=6.5,
                      textcoords="offset points", ha="center", va="top", **style)  # fmt: skip

    write(name, 0, parse_math=False)
    write(" · ".join(facts), 1, color="0.35")
    if flags:
        kinds = ", ".join(dict.fromkeys(kind for kind, _ in flags))
        colour = ERROR if any(c == ERROR for _, c in flags) else WARNING
        write(kinds if len(kinds) <= 34 else f"{kinds[:33]}…", 2, color=colour, weight="bold")
        axis.spines[:].set(visible=True, color=colour, linewidth=2)
