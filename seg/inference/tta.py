"""Test-time augmentation: the mean of the predictions of an image's mirror images and turns."""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from seg.inference.model import Predictor

# Whether rows and columns are exchanged, then the image turned upside down, then mirrored.
View = tuple[bool, bool, bool]
FLIPS: tuple[View, ...] = tuple((False, up, left) for up in (False, True) for left in (False, True))
VIEWS = {"flips": FLIPS, "d4": FLIPS + tuple((True, up, left) for _, up, left in FLIPS)}


class TestTimeAugmentation:
    """The mean of the predictions of several views of an image.

    Inside of `SlidingWindow` and `ResizedPredictor` it works on windows and on resized images, and
    memory stays bounded; around them it predicts whole images. A NaN of one view is a NaN of the
    mean.

    Args:
        predictor: predicts each view.
        transforms: `flips` for the image and its three mirror images, `d4` for these turned by 90
            degrees as well. A turned image that is not square is resized like any other, so that a
            network whose input is not square sees objects in other proportions.
        views_at_once: views that are predicted together, of one image or of several.
    """

    def __init__(
        self, predictor: Predictor, *, transforms: str = "flips", views_at_once: int = 16
    ) -> None:
        if transforms not in VIEWS:
            raise ValueError(f"tta={transforms} is none of {', '.join(VIEWS)}")
        if views_at_once < 1:
            raise ValueError(f"views_at_once={views_at_once} must be at least 1")
        self.predictor = predictor
        self.views = VIEWS[transforms]
        self.views_at_once = views_at_once

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        return self.batch([image])[0]

    def batch(self, images: Sequence[NDArray]) -> list[NDArray[np.float32]]:
        sums: list[NDArray[np.float32]] = []
        for n, probs in enumerate(self._predicted(images)):
            if n % len(self.views) == 0:
                sums.append(np.zeros(probs.shape, dtype=np.float32))
            sums[-1] += probs
        return [total / np.float32(len(self.views)) for total in sums]

    def _predicted(self, images: Sequence[NDArray]) -> Iterator[NDArray[np.float32]]:
        """The probabilities of all views of all images, turned back."""
        pairs = ((image, view) for image in images for view in self.views)
        while some := list(islice(pairs, self.views_at_once)):
            probs = self.predictor.batch([view_of(image, view) for image, view in some])
            for one, (_, view) in zip(probs, some, strict=True):
                yield _turned_back(one, view)


def view_of(image: NDArray, view: View) -> NDArray:
    """A view of (H, W, C), contiguous, since libraries refuse arrays that run backwards."""
    turned, up, left = view
    image = image.swapaxes(0, 1) if turned else image
    return np.ascontiguousarray(image[:: -1 if up else 1, :: -1 if left else 1])


def _turned_back(probs: NDArray[np.float32], view: View) -> NDArray[np.float32]:
    """The probabilities (K, h, w) of a view, as the image lies."""
    turned, up, left = view
    probs = probs[:, :: -1 if up else 1, :: -1 if left else 1]
    return probs.swapaxes(1, 2) if turned else probs
