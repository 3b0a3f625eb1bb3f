"""Masks that are drawn from outlines: files of COCO and of LabelMe."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seg.data.annotations import coco, labelme
from seg.data.annotations.shapes import draw
from seg.data.errors import DataError
from seg.data.formats import read_header
from seg.data.pairs import MaskFile

SUFFIX = ".json"


def is_annotation(path: Path) -> bool:
    return path.suffix.lower() == SUFFIX


def read(
    mask: MaskFile, image: Path, *, classes: Iterable[str], overlap: bool
) -> NDArray[np.uint8]:
    """The pixels (H, W) of one class of one image, 0 or 1.

    Args:
        mask: its `label` is the class; `entry` the image's id in a COCO file.
        image: the file, whose size the annotation must have.
        classes, overlap: see `shapes.draw`.

    Raises:
        DataError: the annotation cannot be read, or is of another size.
    """
    header = read_header(image)
    size = header[:2]
    if mask.entry is None:
        stated, shapes = (of := labelme.load(mask.path)).size, of.shapes
    else:
        of = coco.load(mask.path)
        stated = of.size(mask.entry)

        def shapes(size: tuple[int, int]) -> list:
            return of.shapes(mask.entry, size)

    if stated not in (None, size) or header.orientation != 1:
        stated = stated or size
        reason = f"is {size[1]}x{size[0]}, its annotation is {stated[1]}x{stated[0]} ({mask.path})"
        if header.orientation != 1:
            reason = f"has EXIF orientation {header.orientation}, which is not applied"
        raise DataError(image, reason, "save it upright, in the size that was annotated")
    return draw(shapes(size), mask.label, size=size, classes=classes, overlap=overlap)
