"""Whether an exported file answers as the checkpoint does, on real images, and what it costs."""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from seg.data.masks import IGNORE
from seg.data.preprocess import mask_to_size
from seg.inference.model import LoadedModel
from seg.inference.predictor import NetworkPredictor
from seg.inference.segmentation import mask_of
from seg.metrics.overlap import dice

# image (H, W, C) uint8 to mask (H, W) and probabilities (K, H, W)
Answers = Callable[[NDArray[np.uint8]], tuple[NDArray, NDArray]]

LARGEST = 1e-3  # difference of a probability that is let pass
LEAST_EQUAL = 0.9995  # share of mask pixels; those at the threshold may fall to either side
SCALES = (1.0, 0.61, 1.0, 1.7)  # images of one size are shown at others as well


@dataclass(frozen=True)
class Sample:
    """image: (H, W, C) uint8. reference: (H, W) class indices, 255 void, if there is one."""

    name: str
    image: NDArray[np.uint8]
    reference: NDArray[np.uint8] | None


@dataclass(frozen=True)
class Parity:
    """largest, mean: absolute difference of probabilities. equal: share of mask pixels. dice: mean
    over images and classes, of the checkpoint's masks and of the file's. milliseconds: of an image,
    the median, of both.
    """

    images: int
    sizes: list[str]
    largest: float
    mean: float
    equal: float
    dice: tuple[float, float] | None
    milliseconds: tuple[float, float]

    @property
    def good(self) -> bool:
        # a NaN is not
        return self.largest <= LARGEST and self.equal >= LEAST_EQUAL

    def content(self) -> dict[str, Any]:
        return asdict(self) | {"good": self.good, "limits": [LARGEST, LEAST_EQUAL]}


def checkpoint(network: LoadedModel) -> Answers:
    """What `seg.predict` makes of a checkpoint, on the CPU in full precision."""
    own = network.predictor
    predictor = NetworkPredictor(model=own.model, normalize=own.normalize, size=own.size)

    def answers(image: NDArray[np.uint8]) -> tuple[NDArray, NDArray]:
        probs = predictor.probabilities(image)
        return mask_of(probs, network), probs

    return answers


def resized(samples: Iterable[Sample]) -> list[Sample]:
    """The same, some of them at other sizes."""
    return [_scaled(s, SCALES[i % len(SCALES)]) for i, s in enumerate(samples)]


def measure(theirs: Answers, ours: Answers, samples: Sequence[Sample], *, classes: int) -> Parity:
    """ours: what is measured against `theirs`. They take turns."""
    largest, total, pixels, equal, count = 0.0, 0.0, 0, 0, 0
    scores: list[tuple[float, float]] = []
    times: list[tuple[float, float]] = []
    for answers in (theirs, ours):  # what is done once, the first time
        answers(samples[0].image)
    for sample in samples:
        started = time.perf_counter()
        mask, probs = theirs(sample.image)
        between = time.perf_counter()
        mask_too, probs_too = ours(sample.image)
        times.append((between - started, time.perf_counter() - between))
        difference = np.abs(probs.astype(np.float64) - probs_too)
        largest = max(largest, float(difference.max()), key=_nan_first)
        total, count = total + float(difference.sum()), count + difference.size
        equal, pixels = equal + int((mask == mask_too).sum()), pixels + mask.size
        if sample.reference is not None:
            scores.append(
                (
                    _dice(sample.reference, mask, classes),
                    _dice(sample.reference, mask_too, classes),
                )
            )
    sizes = {s.image.shape[:2] for s in samples}
    return Parity(
        images=len(samples),
        sizes=[f"{h}x{w}" for h, w in sorted(sizes)],
        largest=largest,
        mean=total / count,
        equal=equal / pixels,
        dice=_means(scores) if scores else None,
        milliseconds=_medians(times),
    )


def _scaled(sample: Sample, scale: float) -> Sample:
    if scale == 1:
        return sample
    height, width = (max(1, round(side * scale)) for side in sample.image.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    image = cv2.resize(sample.image, (width, height), interpolation=how)
    true = sample.reference
    return Sample(
        name=f"{sample.name} at {height}x{width}",
        image=image.reshape(height, width, sample.image.shape[2]),
        reference=None if true is None else mask_to_size(true, (height, width)),
    )


def _nan_first(value: float) -> tuple[bool, float]:
    return bool(np.isnan(value)), value


def _dice(reference: NDArray, mask: NDArray, classes: int) -> float:
    valid = reference != IGNORE
    scores = []
    for index in range(1, classes + 1):
        true, called = (reference == index) & valid, (mask == index) & valid
        tp = np.count_nonzero(true & called)
        scores.append(dice(tp, np.count_nonzero(called) - tp, np.count_nonzero(true) - tp, 0))
    return float(np.mean(scores))


def _means(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return statistics.fmean(a for a, _ in pairs), statistics.fmean(b for _, b in pairs)


def _medians(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return (
        1e3 * statistics.median(a for a, _ in pairs),
        1e3 * statistics.median(b for _, b in pairs),
    )
