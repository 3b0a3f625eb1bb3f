"""Outlines of objects as pixels. A pixel belongs to a shape if its centre is inside."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (N, 2) x and y; the image's upper left corner is (0, 0)


class Shape(NamedTuple):
    """One annotated object.

    Args:
        label: the name of its class.
        parts: polygons or masks (H, W) bool, which are united.
    """

    label: str
    parts: Sequence[Points | NDArray[np.bool_]]


def draw(
    shapes: Iterable[Shape],
    label: str,
    *,
    size: tuple[int, int],
    classes: Iterable[str],
    overlap: bool,
) -> NDArray[np.uint8]:
    """The pixels of one class (H, W), 0 or 1.

    Args:
        shapes: in the order of the file.
        classes: names of all that are trained; shapes of others hide nothing.
        overlap: whether classes may share pixels; else a later shape covers earlier ones.
    """
    classes = set(classes)
    mask = np.zeros(size, dtype=bool)
    for shape in shapes:
        if shape.label != label and (overlap or shape.label not in classes):
            continue
        for part in shape.parts:
            rows, columns, inside = _inside(part, size)
            mask[rows, columns][inside] = shape.label == label
    return mask.astype(np.uint8)


def polygon(points: Points, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels of a closed polygon (H, W), by the even-odd rule."""
    mask = np.zeros(size, dtype=bool)
    rows, columns, inside = _inside(points, size)
    mask[rows, columns] = inside
    return mask


def circle(centre: Points, edge: Points, *, corners: int = 128) -> Points:
    """A circle (2,), through a point of its edge (2,), as a polygon of the same area."""
    turns = 2 * np.pi / corners
    radius = np.hypot(*(edge - centre)) * np.sqrt(turns / np.sin(turns))
    angles = np.arange(corners) * turns
    return centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _inside(
    part: Points | NDArray[np.bool_], size: tuple[int, int]
) -> tuple[slice, slice, NDArray[np.bool_]]:
    """The rows and columns that a part can have, and its pixels in them."""
    if part.dtype == bool:
        return slice(None), slice(None), part
    low = np.clip(np.floor(part.min(axis=0)), 0, size[::-1]).astype(int)
    high = np.clip(np.ceil(part.max(axis=0)), 0, size[::-1]).astype(int)
    width, height = np.maximum(high - low, 0)
    x, y = (part - low - 0.5).T  # a pixel's centre is a whole number
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    centres = np.arange(height)[:, None]
    row, edge = np.nonzero((y <= centres) != (next_y <= centres))  # which edges cross which row
    slope = (next_x - x)[edge] / (next_y - y)[edge]
    crossing = np.ceil(x[edge] + slope * (row - y[edge])).clip(0, width).astype(int)
    crossings = np.zeros((height, width + 1), dtype=np.uint8)
    np.add.at(crossings, (row, crossing), 1)
    inside = np.cumsum(crossings, axis=1, dtype=np.uint32)[:, :width] % 2 == 1
    left, top = low
    return slice(top, top + height), slice(left, left + width), inside
