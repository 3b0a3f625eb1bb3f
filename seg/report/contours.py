"""Outlines of masks over an image: they show the tissue that a filled mask would hide."""

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

LONG = 12  # sides of the image


def contours(area: NDArray, size: tuple[int, int]) -> list[NDArray]:
    """Closed outlines (P, 2) of a mask (H, W), in pixels of a picture of `size` (width, height)."""
    height, width = area.shape
    padded = np.pad(area.astype(np.uint8), 1)
    lines, _ = cv2.findContours(padded, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    scale = np.array(size) / (width, height)
    closed = [np.concatenate([line, line[:1]])[:, 0] for line in lines]
    return [(line - 0.5) * scale - 0.5 for line in closed]


def is_thin(area: NDArray) -> bool:
    """Whether a mask (H, W) is of vessels and the like: its outlines are long beside its size."""
    return _length(contours(area, area.shape[::-1])) >= LONG * max(area.shape)


def _length(lines: list[NDArray]) -> float:
    return sum(np.hypot(*np.diff(line, axis=0).T).sum() for line in lines)


def outline(
    axis: Axes, area: NDArray, colour: str, *, size: tuple[int, int] | None = None, style="solid"
) -> None:
    """Draw the outlines of a mask (H, W) over a picture, with a dark edge that shows on any tissue.

    Args:
        axis: where the picture is drawn.
        area: which pixels belong to the mask.
        colour: of the line.
        size: (width, height) of the picture; None: that of the mask.
        style: matplotlib's name of the line's style.
    """
    size = size or area.shape[::-1]
    lines = contours(area, size)
    width = 1.3 if _length(lines) < LONG * max(size) else 0.6
    axis.add_collection(LineCollection(lines, colors="black", lw=1.9 * width, alpha=0.5))
    axis.add_collection(LineCollection(lines, colors=colour, lw=width, ls=style))


def handle(colour: str, name: str, style: str = "solid") -> Line2D:
    """The entry of an outline in a legend."""
    edge = [withStroke(linewidth=3.4, foreground="0.35")]
    return Line2D([], [], color=colour, lw=2.2, ls=style, label=name, path_effects=edge)
