"""An image and its mirror images and turns: their probabilities, turned back and averaged."""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from seg.inference.model import Predictor

# Which axes are exchanged (rows with columns), then turned over (up-down, left-right).
View = tuple[bool, bool, bool]
FLIPS: tuple[View, ...] = tuple((False, up, left) for up in (False, True) for left in (False, True))
VIEWS = {"flips": FLIPS, "d4": FLIPS + tuple((True, up, left) for _, up, left in FLIPS)}


class TestTimeAugmentation:
    """The mean of what `asks` makes of several views of an image.

    transforms: `flips` for the image and its three mirror images, `d4` for these turned by 90
    degrees as well. A turned image that is not square is resized like any other, so that a network
    whose input is not square sees its objects in other proportions. views_at_once: asked for
    together, of one image or of several.

    Put inside of `Tiled` and `Whole` (`Tiled(Augmented(asks))`), it works on windows and on resized
    images, and memory stays bounded; around them it asks for whole images. A NaN of one view is a
    NaN of the mean.
    """

    def __init__(
        self, asks: Predictor, *, transforms: str = "flips", views_at_once: int = 16
    ) -> None:
        if transforms not in VIEWS:
            raise ValueError(f"tta={transforms} is none of {', '.join(VIEWS)}")
        if views_at_once < 1:
            raise ValueError(f"views_at_once={views_at_once} must be at least 1")
        self.asks = asks
        self.views = VIEWS[transforms]
        self.views_at_once = views_at_once

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        return self.batch([image])[0]

    def batch(self, images: Sequence[NDArray]) -> list[NDArray[np.float32]]:
        sums: list[NDArray[np.float32]] = []
        for n, (view, probs) in enumerate(self._asked(images)):
            if n % len(self.views) == 0:
                sums.append(np.zeros(_undone(probs, view).shape, dtype=np.float32))
            sums[-1] += _undone(probs, view)
        return [total / np.float32(len(self.views)) for total in sums]

    def _asked(self, images: Sequence[NDArray]) -> Iterator[tuple[View, NDArray[np.float32]]]:
        wanted = ((image, view) for image in images for view in self.views)
        while some := list(islice(wanted, self.views_at_once)):
            asked = self.asks.batch([seen(image, view) for image, view in some])
            yield from zip((view for _, view in some), asked, strict=True)


def seen(image: NDArray, view: View) -> NDArray:
    """A view of (H, W, C), contiguous, since libraries refuse arrays that run backwards."""
    turned, up, left = view
    image = image.swapaxes(0, 1) if turned else image
    return np.ascontiguousarray(image[:: -1 if up else 1, :: -1 if left else 1])


def _undone(probs: NDArray[np.float32], view: View) -> NDArray[np.float32]:
    """The probabilities (K, h, w) of a view, as the image lies."""
    turned, up, left = view
    probs = probs[:, :: -1 if up else 1, :: -1 if left else 1]
    return probs.swapaxes(1, 2) if turned else probs
