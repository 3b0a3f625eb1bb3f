"""Whether an exported file predicts as its checkpoint does, on real images, and how fast."""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seg.data.errors import DataError, DataErrors
from seg.data.images import read_stack
from seg.data.masks import IGNORE
from seg.data.pairs import image_files
from seg.data.planes import planes_first
from seg.data.preprocess import Preprocessing, image_to_size, mask_to_size, read_pair
from seg.data.windows import cut, cut_mask
from seg.evaluation.cases import Case
from seg.inference.exported import as_bytes
from seg.inference.files import inputs
from seg.inference.model import LoadedModel
from seg.inference.predictor import NetworkPredictor
from seg.inference.segmentation import mask_of
from seg.metrics.overlap import class_dice

# image (H, W, C) uint8 to mask (H, W) and probabilities (K, H, W)
Predict = Callable[[NDArray[np.uint8]], tuple[NDArray, NDArray]]

MAX_DIFFERENCE = 1e-3  # of a probability
MIN_EQUAL = 0.9995  # share of mask pixels; those at the threshold may fall to either side
SCALES = (1.0, 0.61, 1.0, 1.7)  # of the images in turn, since all of a set may have one size


@dataclass(frozen=True)
class Sample:
    """An image to compare on.

    Args:
        name: of the file.
        image: (H, W, C) uint8.
        reference: (H, W) class indices, or (H, W, K) planes, 255 is ignored; None where there is
            no mask.
    """

    name: str
    image: NDArray[np.uint8]
    reference: NDArray[np.uint8] | None


@dataclass(frozen=True)
class Parity:
    """How near two predictions are.

    Args:
        images: how many.
        sizes: of the images, as `HxW`.
        largest: absolute difference of a probability.
        mean: absolute difference of the probabilities.
        equal: share of mask pixels.
        dice: of both against the references, mean over images and classes.
        milliseconds: median time for an image, of both.
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
        """Whether the differences are within the limits; NaN is not."""
        return self.largest <= MAX_DIFFERENCE and self.equal >= MIN_EQUAL

    def content(self) -> dict[str, Any]:
        """What the report holds."""
        return asdict(self) | {"good": self.good, "limits": [MAX_DIFFERENCE, MIN_EQUAL]}


def folder_samples(folder: Path, preprocessing: Preprocessing, count: int) -> list[Sample]:
    """`count` images spread evenly over those of a folder.

    Raises:
        FileNotFoundError: no such folder, or no images in it.
        DataErrors: all files that cannot be read.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"images={folder}: no such folder")
    files = image_files(folder)
    if not files:
        raise FileNotFoundError(f"images={folder}: holds no images")
    found = [inputs.Input(path, path.name, path.stem) for path in files]
    cases, incomplete = inputs.stacked(found, preprocessing.image_suffix)
    samples, problems = [], list(incomplete.values())
    options = {"channels": preprocessing.channels, "window": preprocessing.window}
    for case in _spread(cases, count):
        try:
            image = read_stack(case.paths, **options)
            samples.append(_sample(case.image, image, None, preprocessing))
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataErrors(problems)
    return samples


def case_samples(cases: Sequence[Case], preprocessing: Preprocessing, count: int) -> list[Sample]:
    """`count` cases spread evenly over all."""
    samples = []
    for case in _spread(cases, count):
        image, mask, _ = read_pair(case.pair, preprocessing)
        samples.append(_sample(case.pair.case, image, mask, preprocessing))
    return samples


def _sample(
    name: str, image: NDArray, mask: NDArray[np.uint8] | None, pre: Preprocessing
) -> Sample:
    """An image of 8 bits, or the window in its middle where the network takes patches."""
    if pre.patch is not None:
        image = image if pre.size is None else image_to_size(image, pre.size)
        corner = [max(0, n - m) // 2 for n, m in zip(image.shape, pre.patch, strict=False)]
        mask = None if mask is None else mask_to_size(mask, image.shape[:2])
        mask = None if mask is None else cut_mask(mask, corner, pre.patch, fill=IGNORE)
        image = np.ascontiguousarray(cut(image, corner, pre.patch))
    return Sample(name, as_bytes(image), mask)


def resized(samples: Iterable[Sample]) -> list[Sample]:
    """The samples, half of them at other sizes."""
    return [_scaled(s, SCALES[i % len(SCALES)]) for i, s in enumerate(samples)]


def checkpoint_predict(model: LoadedModel) -> Predict:
    """Prediction with a checkpoint as `seg.predict` does it, on the CPU in full precision."""
    own = model.predictor
    predictor = NetworkPredictor(
        model=own.model, normalize=own.normalize, size=own.size, overlap=own.overlap
    )

    def predict(image: NDArray[np.uint8]) -> tuple[NDArray, NDArray]:
        probs = predictor.probabilities(image)
        return mask_of(probs, model), probs

    return predict


def measure(theirs: Predict, ours: Predict, samples: Sequence[Sample], *, classes: int) -> Parity:
    """Compare `ours` with `theirs`, which take turns so that their times can be compared."""
    largest, total, pixels, equal, count = 0.0, 0.0, 0, 0, 0
    scores: list[tuple[float, float]] = []
    times: list[tuple[float, float]] = []
    for predict in (theirs, ours):  # what is done only the first time
        predict(samples[0].image)
    for sample in samples:
        started = time.perf_counter()
        their_mask, their_probs = theirs(sample.image)
        between = time.perf_counter()
        mask, probs = ours(sample.image)
        times.append((between - started, time.perf_counter() - between))
        difference = np.abs(their_probs.astype(np.float64) - probs)
        largest = max(largest, float(difference.max()), key=_nan_first)
        total, count = total + float(difference.sum()), count + difference.size
        equal, pixels = equal + int((their_mask == mask).sum()), pixels + mask.size
        if sample.reference is not None:
            true = planes_first(sample.reference)
            scores.append(tuple(_dice(true, m, classes) for m in (their_mask, mask)))
    sizes = {s.image.shape[:2] for s in samples}
    return Parity(
        images=len(samples),
        sizes=[f"{h}x{w}" for h, w in sorted(sizes)],
        largest=largest,
        mean=total / count,
        equal=equal / pixels,
        dice=_each(statistics.fmean, scores) if scores else None,
        milliseconds=_each(lambda seconds: 1e3 * statistics.median(seconds), times),
    )


def _scaled(sample: Sample, scale: float) -> Sample:
    if scale == 1:
        return sample
    height, width = (max(1, round(side * scale)) for side in sample.image.shape[:2])
    true = sample.reference
    return Sample(
        name=f"{sample.name} at {height}x{width}",
        image=image_to_size(sample.image, (height, width)),
        reference=None if true is None else mask_to_size(true, (height, width)),
    )


def _spread(items: Sequence[Any], count: int) -> list[Any]:
    positions = np.linspace(0, len(items) - 1, min(count, len(items)))
    return [items[round(position)] for position in positions]


def _nan_first(value: float) -> tuple[bool, float]:
    return bool(np.isnan(value)), value


def _dice(reference: NDArray, mask: NDArray, classes: int) -> float:
    return float(np.mean([class_dice(reference, mask, i) for i in range(1, classes + 1)]))


def _each(
    statistic: Callable[[Iterable[float]], float], pairs: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    theirs, ours = zip(*pairs, strict=True)
    return statistic(theirs), statistic(ours)
