"""Threshold and postprocessing, chosen on validation cases where they help."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg.data.masks import IGNORE
from seg.evaluation.stream import PredictedCase
from seg.inference.model import Postprocess
from seg.inference.segmentation import decide, fill_holes, largest_component
from seg.metrics.calibration import failed, worst
from seg.metrics.overlap import class_dice, existing
from seg.metrics.threshold_curves import best_threshold, level_counts

MINIMUM_GAIN = 0.001  # of mean Dice over images; a smaller one may be chance


@dataclass(frozen=True)
class Tuned:
    """What was chosen.

    Args:
        threshold: on the probability of a single class.
        postprocess: the classes of each step.
        before: mean Dice over the cases and the classes that they have, before.
        after: the same with what was chosen.
        lines: each choice and its gain, for the log.
    """

    threshold: float
    postprocess: Postprocess
    before: float
    after: float
    lines: list[str]


def tune(
    predict: Callable[[], Iterable[PredictedCase]], *, classes: Sequence[str], threshold: float
) -> Tuned:
    """Choose the threshold, then the postprocessing at that threshold.

    Several classes take the likeliest one and keep the threshold.

    Args:
        predict: predicts the validation cases; called twice, since they may not fit into memory.
        classes: the foreground classes.
        threshold: kept unless another one gains more than MINIMUM_GAIN.
    """
    lines: list[str] = []
    thresholds = [threshold]
    if len(classes) == 1:
        best, _ = best_threshold(np.stack([_levels(prediction) for prediction in predict()]))
        thresholds += [best] if best != threshold else []
    rows, found = [], np.zeros(len(classes), dtype=bool)
    for prediction in predict():
        rows.append(_variants(prediction, thresholds, len(classes)))
        found |= np.isin(np.arange(1, len(classes) + 1), prediction.reference)
    scores, exists = np.stack(rows).mean(0), existing(found)
    at = 0  # scores: (thresholds, classes, 4)
    if len(thresholds) > 1:
        gain = scores[1, 0, 0] - scores[0, 0, 0]
        at = int(gain > MINIMUM_GAIN)
        lines.append(_line(f"threshold {thresholds[1]:.4g} for {threshold:.4g}", gain, kept=at > 0))
    chosen: dict[str, list[str]] = {"largest_component": [], "fill_holes": []}
    after = []
    for index, name in enumerate(classes):
        if not exists[index]:
            lines.append(f"{name}: no validation mask has it, nothing is chosen for it")
            continue
        plain, largest, filled, both = scores[at, index]
        gain = largest - plain
        keeps_largest = bool(gain > MINIMUM_GAIN)
        lines.append(_line(f"largest component of {name}", gain, kept=keeps_largest))
        unfilled, filled = (largest, both) if keeps_largest else (plain, filled)
        fills = bool(filled - unfilled > MINIMUM_GAIN)
        lines.append(_line(f"holes of {name} filled", filled - unfilled, kept=fills))
        chosen["largest_component"] += [name] if keeps_largest else []
        chosen["fill_holes"] += [name] if fills else []
        after.append(filled if fills else unfilled)
    before = float(scores[0, exists, 0].mean())
    return Tuned(thresholds[at], chosen, before, float(np.mean(after)), lines)


def _levels(prediction: PredictedCase) -> NDArray[np.int64]:
    valid, true = prediction.reference != IGNORE, prediction.reference == 1
    probs = worst(true) if failed(prediction.probs) else prediction.probs[0]
    return level_counts(probs, true, valid=valid)


def _variants(
    prediction: PredictedCase, thresholds: Sequence[float], classes: int
) -> NDArray[np.float64]:
    """(thresholds, classes, 4): Dice of the mask, its largest component, filled holes, both."""
    scores = np.zeros((len(thresholds), classes, 4))
    if failed(prediction.probs):
        return scores
    for t, threshold in enumerate(thresholds):
        plain = decide(prediction.probs, threshold)
        for index in range(1, classes + 1):
            largest = largest_component(plain, index)
            masks = (plain, largest, fill_holes(plain, index), fill_holes(largest, index))
            scores[t, index - 1] = [class_dice(prediction.reference, mask, index) for mask in masks]
    return scores


def _line(choice: str, gain: float, *, kept: bool) -> str:
    return f"{choice}: Dice {gain:+.4f}, {'kept' if kept else 'left out'}"
