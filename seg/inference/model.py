"""What predicts: the protocols, and a loaded model with all that a prediction needs to know."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from seg.data.preprocess import Preprocessing

# The clean-up of masks, {"largest_component": class names, "fill_holes": class names}: plain
# containers, so that a checkpoint can carry it.
Postprocess = Mapping[str, Sequence[str]]
NO_POSTPROCESS: Postprocess = {"largest_component": [], "fill_holes": []}
AXIS = 2  # along which volumes are cut where the training does not say

# An image's probabilities strip by strip, from top to bottom: (first row, (K, h, W)).
Strips = Iterator[tuple[int, NDArray[np.float32]]]


class Predictor(Protocol):
    """Predicts images (H, W, C) in 0-255, of any size.

    Probabilities are (K, H, W) in 0-1. K is 1 for a single class, else background and the classes,
    which add up to 1; classes that may share pixels have one each, and the background none.
    """

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        """The probabilities of an image."""
        ...

    def batch(self, images: Sequence[NDArray]) -> list[NDArray[np.float32]]:
        """The probabilities of several images, each at its own size."""
        ...


@runtime_checkable
class StripPredictor(Predictor, Protocol):
    """A predictor whose probabilities of a large image are never all in memory."""

    def strips(self, image: NDArray) -> Strips:
        """The probabilities of an image, in strips that fit into memory."""
        ...


# Means and deviations of a channel that pretrained weights expect: EfficientNet-Lite's, and those
# of ImageNet in red, green, blue and grey. No set of real images has just these.
OF_WEIGHTS = ((127.5, 127.5), (123.675, 58.395), (116.28, 57.12), (103.53, 57.375),
              (114.495, 57.63))  # fmt: skip


def image_statistics(preprocessing: Mapping[str, Any]) -> dict[str, list[float]]:
    """Means and deviations of the training images, of what a checkpoint stores.

    Its own `mean` and `std` normalise the images, and may be those that pretrained weights expect.
    Both are empty where a checkpoint of an earlier version has those alone.
    """
    images = preprocessing.get("images") or preprocessing  # missing in older versions
    pairs = zip(images["mean"], images["std"], strict=True)
    if all(any(np.allclose(pair, known, atol=0.01) for known in OF_WEIGHTS) for pair in pairs):
        return {"mean": [], "std": []}
    return {"mean": list(images["mean"]), "std": list(images["std"])}


@dataclass(frozen=True)
class LoadedModel:
    """A model that predicts, or an ensemble of several.

    Args:
        predictor: image to probabilities.
        classes: names of the foreground classes, index 1 first.
        preprocessing: how files are read, and the size of the network's input.
        threshold: on the probability of a single class, or of classes that may share pixels: one
            for all, or one for each.
        postprocess: the clean-up of its masks.
        mean: of the training images, by channel, in 0-255; empty where that is not known.
        std: of the training images, by channel.
        members: the file of each network; several for an ensemble.
        axis: along which volumes were cut in training.
        config: of the training; empty for exported graphs and ensembles.
        symmetries: what `training.symmetries.record` says of the training; None where the file is
            of an earlier version, and for ensembles.
    """

    predictor: Predictor
    classes: list[str]
    preprocessing: Preprocessing
    threshold: float | list[float]
    postprocess: Postprocess
    mean: list[float]
    std: list[float]
    members: list[Path]
    axis: int = AXIS
    config: dict[str, Any] = field(default_factory=dict)
    symmetries: dict[str, Any] | None = None

    @property
    def path(self) -> Path:
        """The file of the model, or of the first member."""
        return self.members[0]

    @property
    def overlap(self) -> bool:
        """Whether classes may share pixels: masks are planes (K, H, W) then."""
        return self.preprocessing.overlap

    @property
    def likeliest(self) -> bool:
        """Whether a pixel gets the likeliest of several classes, whatever the threshold."""
        return len(self.classes) > 1 and not self.overlap

    @property
    def outputs(self) -> int:
        """K of the probabilities (K, H, W)."""
        return len(self.classes) + self.likeliest


def threshold_of(stored: Any) -> float | list[float]:
    """What a checkpoint or an exported file has as its threshold."""
    return [float(t) for t in stored] if isinstance(stored, list | tuple) else float(stored)


def strips_of(predictor: Predictor, image: NDArray) -> Strips:
    """The strips of an image; a single one where `predictor` has none."""
    if isinstance(predictor, StripPredictor):
        return predictor.strips(image)
    return iter([(0, predictor.probabilities(image))])


def joined(strips: Iterable[tuple[int, NDArray[np.float32]]], height: int) -> NDArray[np.float32]:
    """All strips of an image of `height` rows as one array, (K, height, W)."""
    probs: NDArray[np.float32] | None = None
    for top, strip in strips:
        if strip.shape[1] == height:
            return strip
        if probs is None:
            probs = np.empty((len(strip), height, strip.shape[2]), dtype=np.float32)
        probs[:, top : top + strip.shape[1]] = strip
    if probs is None:
        raise ValueError("an image without rows has no probabilities")
    return probs
