"""The image and the mask of a pair, read as training reads them."""

from collections.abc import Callable, Sequence

import numpy as np

from seg.data.errors import DataError
from seg.data.images import read_image, read_mask
from seg.data.masks import to_indices, uses_colours
from seg.data.pairs import Pair


def reader(
    pairs: Sequence[Pair],
    *,
    channels: int,
    classes: dict | None,
    ignore_value: int | None,
    **reading: object,
) -> Callable[[int], tuple[np.ndarray | None, np.ndarray | None]]:
    """A function from a pair's index to its image (H, W, C) in 0-255 and class indices (H, W)
    uint8, each None where it cannot be used: what a contact sheet draws.
    """

    def read(index: int) -> tuple[np.ndarray | None, np.ndarray | None]:
        pair, image, mask = pairs[index], None, None
        try:
            image = image_of(pair, channels, reading)
        except DataError:
            image = None
        try:
            values, lossy = mask_of(pair, classes)
            mask = to_indices(
                values, lossy=lossy, classes=classes, ignore_value=ignore_value, path=pair.mask
            )
        except DataError:
            mask = None
        return image, mask

    return read


def plane_of(pair: Pair) -> dict:
    """The argument that names a slice to the readers; none for a picture."""
    return {} if pair.plane is None else {"plane": pair.plane}


def image_of(pair: Pair, channels: int, reading: dict) -> np.ndarray:
    return read_image(pair.image, channels=channels, **plane_of(pair), **reading)


def mask_of(pair: Pair, classes: dict | None) -> tuple[np.ndarray, bool]:
    """Raw values, and whether they are lossy."""
    return read_mask(pair.mask, palette_as_colours=uses_colours(classes), **plane_of(pair))
