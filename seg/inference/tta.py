"""Test-time augmentation: the mean of the predictions of an image's mirror images and turns."""

import logging
from collections.abc import Collection, Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from seg.data.mirrored_classes import Partners, find_partners
from seg.data.symmetries import FLIPS, VIEWS, View
from seg.inference.model import LoadedModel, Predictor

log = logging.getLogger(__name__)

UNCHANGED: View = (False, False, False)
TURNS = tuple(name for name, (turned, _, _) in VIEWS.items() if turned)
FORCE = "tta_check=false uses it all the same"


def choose(tta: bool | str, model: LoadedModel, *, check: bool = True) -> list[str]:
    """The views of an image that its prediction is the mean of, beside the image itself.

    A network that was never shown mirror images predicts them badly, and so the mean with them.

    Args:
        tta: true for all views that the training had; `flips` for those of them that are mirror
            images; `d4` for all of them, among which there must be turns by 90 degrees.
        check: false for all mirror images, or all views with `d4`, whatever the training had.
    Raises:
        ValueError: the training had none, or it is not known, or names of classes say that they
            are each other's mirror image.
    """
    wanted = {True: tuple(VIEWS), "flips": FLIPS, "d4": TURNS}[tta]
    if not check:
        return list(VIEWS if tta == "d4" else FLIPS)
    where = f"tta={'true' if tta is True else tta}: {model.path}"
    if model.symmetries is None:
        raise ValueError(f"{where} does not say which flips its training had; {FORCE}")
    trained = list(model.symmetries["trained"])
    if not set(wanted).intersection(trained):
        what = {"flips": "flips", "d4": "turns by 90 degrees"}.get(tta, "flips and turns")
        had = f" (it had: {', '.join(trained)}; tta=true)" if trained else ""
        raise ValueError(f"{where} was trained without {what}{had}; leave tta out, or {FORCE}")
    views = [name for name in trained if tta != "flips" or name in FLIPS]
    recorded = [Partners(**fields) for fields in model.symmetries["mirrored"]]
    for pair in recorded or find_partners(model.classes):
        if not (exchanging := pair.exchanged_by(views)):
            continue
        text = f"{where}: {pair}, and {', '.join(exchanging)} would exchange them"
        if "names" in pair.by:
            raise ValueError(f"{text}; leave tta out, or {FORCE}")
        log.warning("%s, unless the network tells them apart by their look", text)
    log.info("%s: the mean of the image and %s", where, ", ".join(views))
    return views


class TestTimeAugmentation:
    """The mean of the predictions of several views of an image.

    Inside of `SlidingWindow` and `ResizedPredictor` it works on windows and on resized images, and
    memory stays bounded; around them it predicts whole images. A NaN of one view is a NaN of the
    mean.

    Args:
        predictor: predicts each view.
        symmetries: names of `symmetries.VIEWS` that are predicted beside the image itself. A turned
            image that is not square is resized like any other, so that a network whose input is not
            square sees objects in other proportions.
        views_at_once: views that are predicted together, of one image or of several.
    """

    def __init__(
        self, predictor: Predictor, *, symmetries: Collection[str] = FLIPS, views_at_once: int = 16
    ) -> None:
        if views_at_once < 1:
            raise ValueError(f"views_at_once={views_at_once} must be at least 1")
        self.predictor = predictor
        self.views = (UNCHANGED, *(VIEWS[name] for name in symmetries))
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
