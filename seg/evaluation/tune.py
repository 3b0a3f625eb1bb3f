"""Threshold, largest component and hole filling, chosen on validation cases where they help."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg.evaluation.stream import PredictedCase
from seg.inference.model import Postprocess
from seg.inference.segmentation import decide, fill_holes, largest_component
from seg.metrics.calibration import failed, worst
from seg.metrics.overlap import dice
from seg.metrics.threshold_curves import best_threshold, level_counts

IGNORE = 255
LEAST_GAIN = 0.001  # of mean Dice over images; less is the choice's own luck


@dataclass(frozen=True)
class Tuned:
    """What was chosen; before and after: mean Dice over the cases (and classes); lines: why."""

    threshold: float
    postprocess: Postprocess
    before: float
    after: float
    lines: list[str]


def tune(
    passes: Callable[[], Iterable[PredictedCase]], *, classes: Sequence[str], threshold: float
) -> Tuned:
    """Two passes over the validation cases: the threshold first, then what is mended at it.

    passes: begins a pass. threshold: to go back to where none is better by LEAST_GAIN. Several
    classes take the likeliest, which leaves no threshold to choose.
    """
    lines: list[str] = []
    tried = [threshold]
    if len(classes) == 1:
        best, _ = best_threshold(np.stack([_levels(seen) for seen in passes()]))
        tried += [best] if best != threshold else []
    scores = np.stack([_variants(seen, tried, len(classes)) for seen in passes()]).mean(0)
    at = 0  # scores: (thresholds, classes, 4)
    if len(tried) > 1:
        gain = scores[1, 0, 0] - scores[0, 0, 0]
        at = int(gain > LEAST_GAIN)
        lines.append(_line(f"threshold {tried[1]:.4g} for {threshold:.4g}", gain, kept=at > 0))
    chosen: dict[str, list[str]] = {"largest_component": [], "fill_holes": []}
    after = []
    for index, name in enumerate(classes):
        plain, largest, filled, both = scores[at, index]
        gain = largest - plain
        keeps_largest = bool(gain > LEAST_GAIN)
        lines.append(_line(f"largest component of {name}", gain, kept=keeps_largest))
        now, then = (largest, both) if keeps_largest else (plain, filled)
        fills = bool(then - now > LEAST_GAIN)
        lines.append(_line(f"holes of {name} filled", then - now, kept=fills))
        chosen["largest_component"] += [name] if keeps_largest else []
        chosen["fill_holes"] += [name] if fills else []
        after.append(then if fills else now)
    before = float(scores[0, :, 0].mean())
    return Tuned(tried[at], chosen, before, float(np.mean(after)), lines)


def _levels(seen: PredictedCase) -> NDArray[np.int64]:
    valid, true = seen.reference != IGNORE, seen.reference == 1
    probs = worst(true) if failed(seen.probs) else seen.probs[0]
    return level_counts(probs, true, valid=valid)


def _variants(seen: PredictedCase, tried: Sequence[float], classes: int) -> NDArray[np.float64]:
    """(thresholds, classes, 4): Dice as it is, of the largest part, of filled holes, of both."""
    scores = np.zeros((len(tried), classes, 4))
    if failed(seen.probs):
        return scores
    for t, threshold in enumerate(tried):
        plain = decide(seen.probs, threshold)
        for index in range(1, classes + 1):
            largest = largest_component(plain, index)
            ways = (plain, largest, fill_holes(plain, index), fill_holes(largest, index))
            scores[t, index - 1] = [_dice(seen.reference, way, index) for way in ways]
    return scores


def _dice(reference: NDArray, mask: NDArray, index: int) -> float:
    valid = reference != IGNORE
    true, called = (reference == index) & valid, (mask == index) & valid
    tp = np.count_nonzero(true & called)
    return float(dice(tp, np.count_nonzero(called) - tp, np.count_nonzero(true) - tp, 0))


def _line(what: str, gain: float, *, kept: bool) -> str:
    return f"{what}: Dice {gain:+.4f}, {'kept' if kept else 'left out'}"
