"""Several models as one: the mean of their probabilities."""

import json
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seg.inference.model import LoadedModel, Predictor, Strips, strips_of


class Ensemble:
    """The mean of the probabilities of predictors, each of which resizes and normalises by itself.

    NaN of one member is NaN of the mean. Raises ValueError if there is no member, or when members
    give different numbers of classes.
    """

    def __init__(self, members: Sequence[Predictor]) -> None:
        if not members:
            raise ValueError("an ensemble needs at least one network")
        self.members = list(members)

    def strips(self, image: NDArray) -> Strips:
        """As small as those of the member that gives the smallest."""
        for top, strips in aligned([strips_of(member, image) for member in self.members]):
            total = strips[0].copy()
            for strip in strips[1:]:
                _add(total, strip)
            yield top, total / np.float32(len(strips))

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        return self.batch([image])[0]

    def batch(self, images: Sequence[NDArray]) -> list[NDArray[np.float32]]:
        """Each member is called once for all images."""
        sums = [probs.copy() for probs in self.members[0].batch(images)]
        for member in self.members[1:]:
            for total, probs in zip(sums, member.batch(images), strict=True):
                _add(total, probs)
        return [total / np.float32(len(self.members)) for total in sums]


class GreyPredictor:
    """Makes a predictor of grey images (H, W, 1) take colour images."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        return self.predictor.probabilities(to_grey(image))

    def batch(self, images: Sequence[NDArray]) -> list[NDArray[np.float32]]:
        return self.predictor.batch([to_grey(image) for image in images])

    def strips(self, image: NDArray) -> Strips:
        return strips_of(self.predictor, to_grey(image))


def join(models: Sequence[LoadedModel]) -> LoadedModel:
    """The mean of several models; a single one is itself.

    The threshold is the mean of the members', the clean-up what all of them do. Images are read as
    for the member with the most channels; the others see them in grey.

    Raises:
        ValueError: the members have other classes, or read files differently.
    """
    first, *others = models
    if not others:
        return first
    if len({model.axis for model in models}) > 1:
        axes = ", ".join(f"{model.path}: {model.axis}" for model in models)
        raise ValueError(f"run: volumes were cut along different axes ({axes}); give axis=")
    for other in others:
        read, also_read = first.preprocessing, other.preprocessing
        for what, a, b in (
            ("knows the classes", first.classes, other.classes),
            ("was trained with the window", read.window, also_read.window),
            ("was trained with dataset.overlap", read.overlap, also_read.overlap),
            ("stacks the files", read.image_suffix, also_read.image_suffix),
        ):
            if a != b:
                raise ValueError(
                    f"{other.path}: {what} {json.dumps(b)}, {first.path} {json.dumps(a)}: no "
                    "ensemble"
                )
    counts = {model.preprocessing.channels for model in models}
    channels = max(counts)
    if len(counts) > 1 and (counts != {1, 3} or first.preprocessing.image_suffix):
        each = ", ".join(f"{model.path}: {model.preprocessing.channels}" for model in models)
        raise ValueError(f"run: networks of different channels ({each}): no ensemble")
    widest = next(model for model in models if model.preprocessing.channels == channels)
    return LoadedModel(
        predictor=Ensemble([_taking(channels, model) for model in models]),
        classes=first.classes,
        preprocessing=widest.preprocessing,
        threshold=_mean([model.threshold for model in models]),
        postprocess={
            step: [name for name in names if all(name in m.postprocess[step] for m in models)]
            for step, names in first.postprocess.items()
        },
        mean=widest.mean,
        std=widest.std,
        axis=first.axis,
        members=[model.path for model in models],
    )


def _mean(thresholds: Sequence[float | list[float]]) -> float | list[float]:
    """One for all classes, or one for each where a member has one for each."""
    if not any(isinstance(threshold, list) for threshold in thresholds):
        return sum(thresholds) / len(thresholds)
    return np.mean(np.broadcast_arrays(*thresholds), axis=0).tolist()


def _taking(channels: int, model: LoadedModel) -> Predictor:
    fewer = model.preprocessing.channels < channels
    return GreyPredictor(model.predictor) if fewer else model.predictor


def to_grey(image: NDArray) -> NDArray:
    """(H, W, 3) in 0-255 to (H, W, 1), by the weights of `seg.data.images.read_image`."""
    if image.dtype == np.uint8:
        return np.array(Image.fromarray(image).convert("L"))[..., None]
    weights = np.array([19595, 38470, 7471], dtype=np.float32) / 65536
    return (image @ weights)[..., None]


def aligned(streams: Sequence[Strips]) -> Iterator[tuple[int, list[NDArray[np.float32]]]]:
    """The strips of several predictors, cut so that all have the same rows.

    Yields (first row, the strip of each predictor); a strip ends where that of any predictor ends.
    """
    strips = [next(stream) for stream in streams]
    while True:
        top = strips[0][0]
        end = min(start + strip.shape[1] for start, strip in strips)
        yield top, [strip[:, : end - top] for _, strip in strips]
        for i, (start, strip) in enumerate(strips):
            if start + strip.shape[1] > end:
                strips[i] = (end, strip[:, end - start :])
                continue
            following = next(streams[i], None)
            if following is None:
                return
            strips[i] = following


def _add(total: NDArray[np.float32], probs: NDArray[np.float32]) -> None:
    if probs.shape != total.shape:
        raise ValueError(
            f"networks of an ensemble give {total.shape[0]} and {probs.shape[0]} probabilities a "
            "pixel; they must know the same classes"
        )
    total += probs
