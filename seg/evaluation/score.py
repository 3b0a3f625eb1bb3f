"""Predicted cases to the numbers that every figure is derived from."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seg.data.masks import IGNORE
from seg.evaluation.stream import PredictedCase
from seg.inference.files.lookahead import map_ahead
from seg.inference.model import LoadedModel
from seg.inference.segmentation import mask_of
from seg.metrics import calibration
from seg.metrics.foreground_confidence import foreground_confidence
from seg.metrics.lesions import lesions
from seg.metrics.planes import area_of, valid_of
from seg.metrics.surface import missed, surface
from seg.metrics.threshold_curves import level_counts

log = logging.getLogger(__name__)

SURFACE = ("hd95", "assd", "nsd")


@dataclass(frozen=True)
class CaseScores:
    """The numbers of M cases and C foreground classes; M is 1 for a single case.

    Args:
        cases: M names.
        groups: the group (patient) of each case.
        failed: (M,) whether the prediction has NaN or infinity.
        counts: (M, C, 4) tp, fp, fn, tn in pixels.
        surface: (M, C, 3) hd95, assd, nsd.
        lesions: (M, C, 3) tp, fp, fn in connected components.
        brier: (M, C).
        bins: (M, C, 3, B) of `calibration.bins`.
        levels: (M, C, 2, L) of `threshold_curves.level_counts`.
        foreground_confidence: (M, C), from the probabilities alone; 0 where the prediction failed.
        confusion: (C + 1, C + 2) pixels of all cases by true class and predicted one, background
            first; the last column counts predictions that failed. None where classes may share
            pixels.
        more: further figures between 0 and 1 by name, (M, C) each.
    """

    cases: list[str]
    groups: list[str]
    failed: NDArray[np.bool_]
    counts: NDArray[np.int64]
    surface: NDArray[np.float64]
    lesions: NDArray[np.int64]
    brier: NDArray[np.float64]
    bins: NDArray[np.float64]
    levels: NDArray[np.int64]
    foreground_confidence: NDArray[np.float64]
    confusion: NDArray[np.int64] | None
    more: dict[str, NDArray[np.float64]] = field(default_factory=dict)


def score_cases(
    predictions: Iterable[PredictedCase],
    model: LoadedModel,
    protocols: Mapping[str, Any],
    *,
    tolerance: float,
) -> tuple[CaseScores, dict[str, dict[str, Any]], str]:
    """Score every case, by our own definitions and by the protocols.

    Args:
        predictions: of all cases, read once.
        model: its threshold and postprocessing make the masks.
        protocols: objects of metrics/protocols.py by name.
        tolerance: of nsd, in the unit of the cases' spacing.

    Returns:
        The numbers of all cases; the figures of each protocol, or its `error`; the unit of
        distances, `pixels`, `mm` or both.
    """
    errors: dict[str, str] = {}
    units: set[str] = set()

    def with_protocols() -> Iterator[PredictedCase]:
        for prediction in predictions:
            units.add("mm" if prediction.in_mm else "pixels")
            for name in protocols.keys() - errors.keys():
                try:
                    protocols[name].update(
                        prediction.probs,
                        prediction.reference,
                        case=prediction.case.pair.case,
                        group=prediction.case.group,
                        size=model.preprocessing.size or prediction.reference.shape,
                    )
                except ValueError as error:
                    errors[name] = str(error)
            yield prediction

    def score(prediction: PredictedCase) -> CaseScores:
        return score_case(
            prediction.probs,
            mask_of(prediction.probs, model),
            prediction.reference,
            case=prediction.case.pair.case,
            group=prediction.case.group,
            spacing=prediction.spacing,
            tolerance=tolerance,
        )

    scores = stack(map_ahead(score, with_protocols(), count=4))
    figures: dict[str, dict[str, Any]] = {}
    for name, protocol in protocols.items():
        try:
            figures[name] = {"error": errors[name]} if name in errors else protocol.compute()
        except ValueError as error:
            figures[name] = {"error": str(error)}
        if "error" in figures[name]:
            log.warning("protocol %s cannot score these cases: %s", name, figures[name]["error"])
    if len(units) > 1:
        log.warning("some files state their spacing and some do not: distances mix mm and pixels")
    return scores, figures, " and ".join(sorted(units))


def score_case(
    probs: NDArray,
    mask: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    *,
    case: str,
    group: str,
    spacing: tuple[float, float] = (1.0, 1.0),
    tolerance: float = 2.0,
) -> CaseScores:
    """The numbers of one case.

    A prediction with NaN or infinity has failed: all of it counts as wrong, whatever `mask` says.

    Args:
        probs: (K, H, W), as `inference.model.Predictor` gives them.
        mask: (H, W) predicted class indices, or (K, H, W) planes.
        reference: likewise; 255 is ignored.
        case: its name.
        group: of which patient it is.
        spacing: size of a pixel along rows and columns.
        tolerance: of nsd, in the unit of `spacing`.
    """
    several = reference.ndim == 2 and len(probs) > 1  # and the background
    classes = len(probs) - several
    failed = calibration.failed(probs)
    sure = np.zeros(classes) if failed else foreground_confidence(probs, mask, classes=classes)
    rows: list[tuple] = []
    for index in range(1, classes + 1):
        valid = valid_of(reference, index)
        true = area_of(reference, index) & valid
        called = ~true & valid if failed else area_of(mask, index) & valid
        p = calibration.worst(true) if failed else probs[index if several else index - 1]
        tp, fp, fn = (called & true).sum(), (called & ~true).sum(), (~called & true).sum()
        tn = valid.sum() - tp - fp - fn
        if failed:
            distances = missed(true.shape, spacing=spacing)
        else:
            distances = surface(true, called, spacing=spacing, tolerance=tolerance)
        rows.append(
            (
                [tp, fp, fn, tn],
                [distances[name] for name in SURFACE],
                lesions(true, called),
                calibration.brier(p, true, valid=valid) if valid.any() else 0.0,
                calibration.bins(p, true, valid=valid),
                level_counts(p, true, valid=valid),
                sure[index - 1],
            )
        )
    columns = [np.stack([np.asarray(row[i]) for row in rows])[None] for i in range(len(rows[0]))]
    confusion = None if reference.ndim == 3 else _confusion(reference, mask, classes, failed)
    return CaseScores([case], [group], np.array([failed]), *columns, confusion)


def _confusion(
    reference: NDArray[np.uint8], mask: NDArray[np.uint8], classes: int, failed: bool
) -> NDArray[np.int64]:
    valid = reference != IGNORE
    pairs = reference[valid].astype(np.int64) * (classes + 2)
    pairs += classes + 1 if failed else mask[valid]
    counts = np.bincount(pairs, minlength=(classes + 1) * (classes + 2))
    return counts.reshape(classes + 1, classes + 2)


def stack(rows: Iterable[CaseScores]) -> CaseScores:
    """The numbers of all rows in one object; the confusions are added."""
    rows = list(rows)
    arrays = {
        each.name: np.concatenate([getattr(row, each.name) for row in rows])
        for each in fields(CaseScores)
        if each.name not in ("cases", "groups", "confusion", "more")
    }
    return CaseScores(
        cases=[case for row in rows for case in row.cases],
        groups=[group for row in rows for group in row.groups],
        confusion=None if rows[0].confusion is None else sum(row.confusion for row in rows),
        **arrays,
    )
