"""Cases one after the other, read and predicted; only a few are in memory at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg.data import Progress, no_progress
from seg.data.cache import file_problems
from seg.data.errors import DataError, DataErrors
from seg.data.formats import read_header
from seg.data.planes import planes_first
from seg.data.preprocess import Preprocessing, read_pair
from seg.evaluation.cases import Case
from seg.inference.files.lookahead import map_ahead
from seg.inference.files.pipeline import BATCHES
from seg.inference.files.reading import bytes_of_shape
from seg.inference.model import Predictor


@dataclass(frozen=True)
class PredictedCase:
    """A case with its prediction, at the size of its mask.

    Args:
        case: its files and group.
        image: (H, W, C) in 0-255.
        reference: (H, W) class indices, or (K, H, W) planes; 255 is ignored.
        probs: (K, H, W), as `inference.model.Predictor` gives them.
        spacing: size of a pixel along rows and columns; 1 where the file does not state it.
        in_mm: whether the file states it.
    """

    case: Case
    image: NDArray
    reference: NDArray[np.uint8]
    probs: NDArray[np.float32]
    spacing: tuple[float, float]
    in_mm: bool


Predict = Callable[[Sequence[Case]], Iterator[PredictedCase]]


def stream(
    cases: Sequence[Case],
    predictor: Predictor,
    preprocessing: Preprocessing,
    *,
    index_map: NDArray[np.uint8] | None = None,
    count: int = 8,
    progress: Progress = no_progress,
) -> Iterator[PredictedCase]:
    """Read and predict every case, in order.

    The network gets each image by itself, since libraries choose their algorithms by the shape of a
    batch: so figures cannot depend on how many cases are read ahead. A CPU computes several at the
    same time.

    Args:
        cases: what to predict.
        predictor: of the network.
        preprocessing: how the files are read.
        index_map: (256,) mask index of the files to that of the network; None where they are equal.
        count: cases that are read ahead.
        progress: shows how many cases are done.

    Raises:
        DataErrors: all files that cannot be used, as soon as one is met.
    """

    def read(case: Case) -> tuple:
        image, mask, _ = read_pair(case.pair, preprocessing)
        if case.change is not None:
            image, mask = case.change(image, mask)
        spacing = read_header(case.pair.image, case.pair.plane).spacing
        return case, image, _matched(planes_first(mask), index_map), spacing

    def predict(one: tuple) -> PredictedCase:
        case, image, mask, spacing = one
        probs = predictor.probabilities(image)
        return PredictedCase(case, image, mask, probs, spacing or (1.0, 1.0), spacing is not None)

    try:
        reading = map_ahead(read, cases, count=count)
        ahead = map_ahead(
            predict, reading, count=BATCHES, size=lambda one: bytes_of_shape(one[1].shape)
        )
        yield from progress(ahead, len(cases), "predicting")
    except DataErrors:
        raise
    except DataError as error:
        problems = file_problems([case.pair for case in cases], preprocessing, progress=progress)
        raise DataErrors(problems or [str(error)]) from error


def _matched(mask: NDArray[np.uint8], index_map: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """A mask of a data set, (H, W) or (K, H, W), with the classes of the network."""
    if index_map is None:
        return mask
    return index_map[mask] if mask.ndim == 2 else mask[np.argsort(index_map[1 : len(mask) + 1])]
