"""What is chosen on validation cases, and that it is left out where it does not help."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from seg.data.pairs import MaskFile, Pair
from seg.evaluation.cases import Case
from seg.evaluation.stream import PredictedCase
from seg.evaluation.tune import tune

CASE = Case(Pair("a", (Path("a"),), (MaskFile(Path("a")),), "a"), "a")


def predicted(probs: NDArray, reference: NDArray) -> PredictedCase:
    probs = np.atleast_3d(probs) if probs.ndim == 3 else probs[None]
    return PredictedCase(CASE, np.zeros((*reference.shape, 3)), reference, probs, (1.0, 1.0), False)


def square() -> NDArray[np.uint8]:
    mask = np.zeros((20, 20), np.uint8)
    mask[4:12, 4:12] = 1
    return mask


def chosen(probs: NDArray, reference: NDArray, classes: tuple[str, ...] = ("polyp",)):
    return tune(lambda: [predicted(probs, reference)] * 3, classes=classes, threshold=0.5)


def test_a_threshold_that_helps_is_chosen_and_reaches_its_score() -> None:
    true = square()
    tuned = chosen(np.where(true, 0.8, 0.6).astype(np.float32), true)
    assert 0.6 <= tuned.threshold < 0.8
    assert tuned.after == 1
    assert tuned.before == pytest.approx(2 * 64 / (64 + 400))
    assert "kept" in tuned.lines[0]


def test_nothing_is_touched_where_nothing_helps() -> None:
    true = square()
    tuned = chosen(np.where(true, 0.9, 0.1).astype(np.float32), true)
    assert tuned.threshold == 0.5
    assert tuned.postprocess == {"largest_component": [], "fill_holes": []}
    assert tuned.before == tuned.after == 1
    assert not any("kept" in line for line in tuned.lines)


def test_a_speck_needs_the_largest_component_and_a_hole_is_filled() -> None:
    true = square()
    probs = np.where(true, 0.9, 0.1).astype(np.float32)
    probs[17:19, 17:19] = 0.9
    assert chosen(probs, true).postprocess == {"largest_component": ["polyp"], "fill_holes": []}
    probs[7:9, 7:9] = 0.1
    tuned = chosen(probs, true)
    assert tuned.postprocess == {"largest_component": ["polyp"], "fill_holes": ["polyp"]}
    assert tuned.after == 1


def test_true_islands_are_kept() -> None:
    true = square()
    true[17:19, 17:19] = 1
    assert chosen(np.where(true, 0.9, 0.1).astype(np.float32), true).postprocess == {
        "largest_component": [], "fill_holes": []
    }  # fmt: skip


def test_classes_are_postprocessed_one_by_one_and_keep_the_likeliest() -> None:
    true = square()
    true[4:12, 12:18] = 2
    called = true.copy()
    called[18, 1] = 1
    called[0, 15] = 2
    true[0, 15] = 2  # an island that is true
    probs = np.stack([called == c for c in range(3)]).astype(np.float32)
    tuned = chosen(probs, true, ("a", "b"))
    assert tuned.threshold == 0.5
    assert tuned.postprocess == {"largest_component": ["a"], "fill_holes": []}


def test_a_gain_below_the_minimum_is_ignored() -> None:
    true = np.zeros((100, 100), np.uint8)
    true[10:90, 10:90] = 1
    probs = np.where(true, 0.9, 0.1).astype(np.float32)
    probs[0, 0] = (
        0.7  # one pixel of 6401: the threshold, or the largest component, would gain 0.00008
    )
    tuned = chosen(probs, true)
    assert tuned.threshold == 0.5
    assert tuned.postprocess["largest_component"] == []


def test_failed_predictions_score_zero_and_stop_nothing() -> None:
    true = square()
    probs = np.where(true, 0.9, 0.1).astype(np.float32)
    probs[0, 0] = np.nan  # all else is right
    tuned = chosen(probs, true)
    assert tuned.before == tuned.after == 0
    assert tuned.threshold == 0.5


def test_classes_that_share_pixels_are_tuned_each_for_itself() -> None:
    inner = np.zeros((20, 20), np.uint8)
    inner[6:10, 6:10] = 1
    reference = np.stack([square(), inner, inner])
    probs = np.where(reference, 0.8, [[[0.6]], [[0.1]], [[0.7]]]).astype(np.float32)
    probs[1, 17:19, 17:19] = 0.9  # a speck of the second
    names = ("disc", "cup", "spot")
    tuned = tune(
        lambda: [predicted(probs, reference)] * 3, classes=names, threshold=0.5, overlap=True
    )
    low, same, high = tuned.threshold
    assert 0.6 <= low < 0.8
    assert same == 0.5
    assert 0.7 <= high < 0.8
    assert tuned.postprocess == {"largest_component": ["cup"], "fill_holes": []}
    assert tuned.after == 1
    for k in range(3):
        alone = tune(
            lambda k=k: [predicted(probs[k : k + 1], reference[k])], classes=names[k : k + 1],
            threshold=0.5,
        )  # fmt: skip
        assert alone.threshold == tuned.threshold[k]
    probs[0], probs[2] = reference[0], reference[2]
    kept = tune(lambda: [predicted(probs, reference)], classes=names, threshold=0.5, overlap=True)
    assert kept.threshold == 0.5
