"""Cases one after the other: read, predicted, handed on; a few in memory at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg.data import Progress, no_progress
from seg.data.cache import file_problems
from seg.data.errors import DataError, DataErrors
from seg.data.formats import read_header
from seg.data.preprocess import Preprocessing, read_pair
from seg.evaluation.cases import Case
from seg.inference.files.pipeline import map_ahead
from seg.inference.model import Predictor


@dataclass(frozen=True)
class PredictedCase:
    """A case at its own size: image (H, W, C) in 0-255; reference (H, W) indices, 255 void; probs
    (K, H, W); spacing: size of a pixel along rows and columns, in mm if the file states it.
    """

    case: Case
    image: NDArray
    reference: NDArray[np.uint8]
    probs: NDArray[np.float32]
    spacing: tuple[float, float]
    in_mm: bool


def stream(
    cases: Sequence[Case],
    predictor: Predictor,
    shape: Preprocessing,
    *,
    table: NDArray | None = None,
    count: int = 8,
    progress: Progress = no_progress,
    label: str = "predicting",
) -> Iterator[PredictedCase]:
    """Every case, in order.

    predictor: of the network. table: turns the files' mask indices into the network's, (256,).
    count: cases read ahead. The network gets one image at a time, since libraries choose their
    algorithms by the shape of a batch: figures then cannot depend on how cases are batched.

    Raises DataErrors naming all files that cannot be used, as soon as there is one.
    """

    def read(case: Case) -> tuple:
        image, mask, _ = read_pair(case.pair, shape)
        spacing = read_header(case.pair.image, case.pair.plane).spacing
        return case, image, mask if table is None else table[mask], spacing

    try:
        for case, image, mask, spacing in progress(
            map_ahead(read, cases, count=count), len(cases), label
        ):
            probs = predictor.probabilities(image)
            yield PredictedCase(
                case, image, mask, probs, spacing or (1.0, 1.0), spacing is not None
            )
    except DataErrors:
        raise
    except DataError as error:
        found = file_problems([case.pair for case in cases], shape, progress=progress)
        raise DataErrors(found or [str(error)]) from error
