"""What the objects of masks are like: how wide, how long, how thick, and how common each class."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from seg.data.masks import IGNORE
from seg.metrics.planes import areas


@dataclass
class ClassShape:
    """The objects of a class, from the masks that have some.

    Args:
        widths: in pixels, of each mask: twice the area over the length of the outlines. Exact for
            long stripes, half the diameter for discs.
        radii: in pixels, of each mask: that of the thickest place.
        shares: of the pixels of each mask.
        outlines: sum over the objects of the squared length of their outlines.
        area: in pixels, of all objects.
    """

    widths: list[float] = field(default_factory=list)
    radii: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    outlines: float = 0.0
    area: int = 0

    @property
    def width(self) -> float:
        """Median over the masks, in pixels."""
        return float(np.median(self.widths))

    @property
    def radius(self) -> float:
        """In pixels, of the thickest place of nine masks out of ten."""
        return float(np.quantile(self.radii, 0.9))

    @property
    def elongation(self) -> float:
        """Length over width of the objects, weighted by area: a disc has 3, vessels hundreds."""
        return self.outlines / (4 * max(self.area, 1))


@dataclass
class Structures:
    """The classes of some masks.

    Args:
        masks: how many were measured.
        classes: by index, those that a mask has.
    """

    masks: int = 0
    classes: dict[int, ClassShape] = field(default_factory=dict)

    @property
    def thinnest(self) -> ClassShape | None:
        """The class of the least median width; None where all masks are empty."""
        return min(self.classes.values(), key=lambda shape: shape.width, default=None)


def measure(masks: Iterable[NDArray[np.uint8]]) -> Structures:
    """The structures of masks, class indices (H, W) or planes (K, H, W)."""
    found = Structures()
    for mask in masks:
        found.masks += 1
        for index, inside in areas(mask).items():
            if index != IGNORE and inside.any():
                _add(found.classes.setdefault(index, ClassShape()), inside)
    return found


def _add(shape: ClassShape, inside: NDArray[np.bool_]) -> None:
    area = np.pad(inside.astype(np.uint8), 1)  # an object ends where the image does
    contours, tree = cv2.findContours(area, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    lengths: dict[int, float] = {}  # of the outlines of each object, holes included
    for i, contour in enumerate(contours):
        parent = int(tree[0][i][3])
        owner = i if parent < 0 else parent
        lengths[owner] = lengths.get(owner, 0.0) + cv2.arcLength(contour, closed=True)
    pixels = int(np.count_nonzero(inside))
    shape.widths.append(2 * pixels / max(sum(lengths.values()), 1.0))
    shape.radii.append(float(cv2.distanceTransform(area, cv2.DIST_L2, 3).max()))
    shape.shares.append(pixels / math.prod(inside.shape))
    shape.outlines += sum(length**2 for length in lengths.values())
    shape.area += pixels
