"""Threshold and postprocessing, chosen on validation cases where they help."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg.evaluation.stream import PredictedCase
from seg.inference.model import Postprocess
from seg.inference.segmentation import decide, fill_holes, largest_component
from seg.metrics.calibration import failed, worst
from seg.metrics.overlap import class_dice, existing
from seg.metrics.planes import area_of, valid_of
from seg.metrics.threshold_curves import best_threshold, level_counts

MINIMUM_GAIN = 0.001  # of mean Dice over images; a smaller one may be chance


@dataclass(frozen=True)
class Tuned:
    """What was chosen.

    Args:
        threshold: on the probability of a single class; of classes that may share pixels, one for
            all, or one for each where another was chosen for any.
        postprocess: the classes of each step.
        before: mean Dice over the cases and the classes that they have, before.
        after: the same with what was chosen.
        lines: each choice and its gain, for the log.
    """

    threshold: float | list[float]
    postprocess: Postprocess
    before: float
    after: float
    lines: list[str]


def tune(
    predict: Callable[[], Iterable[PredictedCase]],
    *,
    classes: Sequence[str],
    threshold: float,
    overlap: bool = False,
) -> Tuned:
    """Choose the threshold of each class, then its postprocessing at that threshold.

    Several classes of which a pixel gets the likeliest keep the threshold.

    Args:
        predict: predicts the validation cases; called twice, since they may not fit into memory.
        classes: the foreground classes.
        threshold: kept unless another one gains more than MINIMUM_GAIN.
        overlap: whether classes may share pixels.
    """
    lines: list[str] = []
    before = best = [threshold] * len(classes)
    if overlap or len(classes) == 1:
        levels = np.stack([_levels(prediction, len(classes)) for prediction in predict()])
        best = [best_threshold(levels[:, index])[0] for index in range(len(classes))]
    choices = [before, best] if best != before else [before]
    rows, found = [], np.zeros(len(classes), dtype=bool)
    for prediction in predict():
        rows.append(_variants(prediction, choices, overlap=overlap))
        areas = (area_of(prediction.reference, k).any() for k in range(1, len(classes) + 1))
        found |= np.array(list(areas))
    scores, exists = np.stack(rows).mean(0), existing(found)  # (choices, classes, 4)
    thresholds = list(before)
    chosen: dict[str, list[str]] = {"largest_component": [], "fill_holes": []}
    after = []
    for index, name in enumerate(classes):
        if not exists[index]:
            lines.append(f"{name}: no validation mask has it, nothing is chosen for it")
            continue
        at = 0
        if best[index] != threshold:
            gain = scores[1, index, 0] - scores[0, index, 0]
            at = int(gain > MINIMUM_GAIN)
            thresholds[index] = choices[at][index]
            of_class = f" of {name}" if len(classes) > 1 else ""
            choice = f"threshold{of_class} {best[index]:.4g} for {threshold:.4g}"
            lines.append(_line(choice, gain, kept=at > 0))
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
    one = len(classes) == 1 or thresholds == before
    return Tuned(
        thresholds[0] if one else thresholds,
        chosen,
        float(scores[0, exists, 0].mean()),
        float(np.mean(after)),
        lines,
    )


def _levels(prediction: PredictedCase, classes: int) -> NDArray[np.int64]:
    """(classes, 2, L): the histograms of each class that has a probability of its own."""
    levels = []
    for index in range(1, classes + 1):
        valid, true = (f(prediction.reference, index) for f in (valid_of, area_of))
        probs = worst(true) if failed(prediction.probs) else prediction.probs[index - 1]
        levels.append(level_counts(probs, true, valid=valid))
    return np.stack(levels)


def _variants(
    prediction: PredictedCase, choices: Sequence[Sequence[float]], *, overlap: bool
) -> NDArray[np.float64]:
    """(choices, classes, 4): Dice of the mask, its largest component, filled holes, both.

    Args:
        choices: thresholds of all classes.
    """
    classes = len(choices[0])
    scores = np.zeros((len(choices), classes, 4))
    if failed(prediction.probs):
        return scores
    for t, thresholds in enumerate(choices):
        threshold = thresholds if overlap else thresholds[0]
        plain = decide(prediction.probs, threshold, overlap=overlap)
        for index in range(1, classes + 1):
            largest = largest_component(plain, index)
            masks = (plain, largest, fill_holes(plain, index), fill_holes(largest, index))
            scores[t, index - 1] = [class_dice(prediction.reference, mask, index) for mask in masks]
    return scores


def _line(choice: str, gain: float, *, kept: bool) -> str:
    return f"{choice}: Dice {gain:+.4f}, {'kept' if kept else 'left out'}"
