"""One case from its files to arrays at training size."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from seg.data.formats.intensity import Window
from seg.data.images import check_geometry, read_image, read_mask
from seg.data.masks import to_indices, uses_colours
from seg.data.pairs import Pair


@dataclass(frozen=True)
class Preprocessing:
    """How a file becomes an array.

    Args:
        size: height and width in pixels.
        channels: 1 (grey) or 3 (RGB).
        classes: meaning of the mask values (see `masks.to_indices`).
        ignore_value: mask value of ignored pixels, or None.
        window: for more than 8 bits, (low, high) in stored units that become 0 and 255, or
            "percentile", or None (see `images.read_image`).
    """

    size: tuple[int, int]
    channels: int
    classes: dict | None
    ignore_value: int | None
    window: Window = None


def preprocessing(
    *, image_size: int | list[int], window: list[float] | str | None, **fields: Any
) -> Preprocessing:
    """`Preprocessing` from the keys of `dataset`: a side or [height, width], lists for tuples."""
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    window = (window[0], window[1]) if isinstance(window, list) else window
    return Preprocessing(size=(height, width), window=window, **fields)


def image_to_size(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize (H, W, C) to `size`, bilinear; by area averaging when it shrinks, against aliasing."""
    height, width = size
    if image.shape[:2] == size:
        return image
    shrinks = height * width < image.shape[0] * image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(image, (width, height), interpolation=interpolation)
    return resized.reshape(height, width, image.shape[2])


def mask_to_size(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize class indices (H, W) to `size`, nearest neighbour with pixel centres aligned."""
    if mask.shape == size:
        return mask
    return cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)


def read_pair(pair: Pair, pre: Preprocessing) -> tuple[np.ndarray, np.ndarray, bool]:
    """One case at its own size.

    Returns:
        The image (H, W, C), uint8 or float32 in 0-255; the mask (H, W), uint8 class indices; and
        whether the mask's file is lossy.

    Raises:
        DataError: a file cannot be used, or image and mask differ in size or orientation.
    """
    image = read_image(pair.image, channels=pre.channels, plane=pair.plane, window=pre.window)
    as_colours = uses_colours(pre.classes)
    values, lossy = read_mask(pair.mask, palette_as_colours=as_colours, plane=pair.plane)
    check_geometry(pair.image, pair.mask, plane=pair.plane)
    meaning = {"classes": pre.classes, "ignore_value": pre.ignore_value}
    mask = to_indices(values, lossy=lossy, path=pair.mask, **meaning)
    return image, mask, lossy
