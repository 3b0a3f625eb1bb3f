"""Overlap figures against other libraries, plain loops, and figures worked out by hand."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, jaccard_score, precision_score, recall_score
from torchmetrics.classification import BinaryF1Score, BinaryJaccardIndex

from seg.metrics.overlap import (
    METRICS,
    accuracy,
    class_dice,
    dice,
    iou,
    precision,
    recall,
    specificity,
)


def _masks(seed=0):
    """(40, 6, 7) predictions and references of many densities, some empty, some full."""
    rng = np.random.default_rng(seed)
    shape = (40, 6, 7)
    predictions = rng.random(shape) < rng.choice([0, 0.05, 0.3, 0.7, 1], (40, 1, 1))
    references = rng.random(shape) < rng.choice([0, 0.05, 0.3, 0.7, 1], (40, 1, 1))
    predictions[0] = references[0] = False
    predictions[1] = references[1] = True
    references[2], predictions[2] = False, True
    references[3], predictions[3] = True, False
    return predictions, references


def _reference_counts(prediction, reference):
    """tp, fp, fn, tn, a pixel at a time."""
    tp = fp = fn = tn = 0
    for p, r in zip(prediction.ravel(), reference.ravel(), strict=True):
        tp += p and r
        fp += p and not r
        fn += r and not p
        tn += not p and not r
    return tp, fp, fn, tn


def _counts():
    return np.array([_reference_counts(p, r) for p, r in zip(*_masks(), strict=True)]).T


def test_dice_agrees_with_torchmetrics_f1_of_each_image():
    predictions, references = (torch.from_numpy(m).long() for m in _masks())
    reference = BinaryF1Score(multidim_average="samplewise", zero_division=1.0)
    np.testing.assert_allclose(
        dice(*_counts()), reference(predictions, references).numpy(), atol=1e-6
    )


def test_iou_agrees_with_torchmetrics_and_scikit_learn_of_each_image():
    for p, r, value in zip(*_masks(), iou(*_counts()), strict=True):
        assert value == pytest.approx(jaccard_score(r.ravel(), p.ravel(), zero_division=1.0))
        torchs = BinaryJaccardIndex(zero_division=1.0)(torch.from_numpy(p), torch.from_numpy(r))
        assert value == pytest.approx(torchs.item(), abs=1e-6)


@pytest.mark.parametrize(
    ("metric", "reference"), [(precision, precision_score), (recall, recall_score)]
)
def test_precision_and_recall_agree_with_scikit_learn_of_each_image(metric, reference):
    """scikit-learn takes the truth first; the hyperkvasir document had them swapped."""
    for p, r, value in zip(*_masks(), metric(*_counts()), strict=True):
        rule = 1.0 if np.array_equal(p, r) else 0.0  # of this project, for a zero denominator
        assert value == pytest.approx(reference(r.ravel(), p.ravel(), zero_division=rule))


def test_specificity_is_the_recall_of_the_background():
    for p, r, value in zip(*_masks(), specificity(*_counts()), strict=True):
        rule = 1.0 if np.array_equal(p, r) else 0.0
        expected = recall_score(~r.ravel(), ~p.ravel(), zero_division=rule)
        assert value == pytest.approx(expected)


def test_accuracy_agrees_with_scikit_learn_of_each_image():
    for p, r, value in zip(*_masks(), accuracy(*_counts()), strict=True):
        assert value == pytest.approx(accuracy_score(r.ravel(), p.ravel()))


def test_every_figure_of_an_asymmetric_case_is_the_one_worked_out_by_hand():
    # 8 of 10 true pixels found, and 24 others called: much is found, little of it is right.
    tp, fp, fn, tn = 8, 24, 2, 66
    expected = {
        "dice": 16 / 42,
        "iou": 8 / 34,
        "precision": 8 / 32,
        "recall": 8 / 10,
        "specificity": 66 / 90,
        "accuracy": 74 / 100,
    }
    assert {name: float(metric(tp, fp, fn, tn)) for name, metric in METRICS.items()} == (
        pytest.approx(expected)
    )


def test_missing_costs_recall_and_inventing_costs_precision():
    assert (precision(5, 0, 5, 90), recall(5, 0, 5, 90)) == (1, 0.5)
    assert (precision(5, 5, 0, 90), recall(5, 5, 0, 90)) == (0.5, 1)


def test_iou_is_of_the_foreground_and_not_of_the_background_too():
    """The hyperkvasir document's trap: at F1 .945 the former is .896, the mean of both .926."""
    tp, fp, fn, tn = 945, 45, 65, 2390
    assert dice(tp, fp, fn, tn) == pytest.approx(0.945, abs=5e-4)
    assert iou(tp, fp, fn, tn) == pytest.approx(0.896, abs=5e-4)
    with_background = (iou(tp, fp, fn, tn) + iou(tn, fn, fp, tp)) / 2
    assert with_background == pytest.approx(0.926, abs=5e-4)


@pytest.mark.parametrize("metric", [dice, iou, precision, recall])
def test_background_that_is_rightly_left_alone_changes_nothing(metric):
    assert metric(8, 24, 2, 66) == metric(8, 24, 2, 1_000_000)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((0, 0, 0, 100), 1),  # empty mask, predicted empty
        ((100, 0, 0, 0), 1),  # full mask, predicted full
        ((0, 0, 0, 0), 1),  # all pixels ignored
        ((0, 100, 0, 0), 0),  # all invented
        ((0, 0, 100, 0), 0),  # all missed
    ],
)
def test_nothing_wrong_scores_one_and_nothing_right_scores_zero(name, counts, expected):
    assert METRICS[name](*counts) == expected


@pytest.mark.parametrize("name", ["dice", "iou", "precision", "recall"])
@pytest.mark.parametrize("counts", [(0, 3, 0, 97), (0, 0, 3, 97), (0, 3, 3, 94)])
def test_a_false_alarm_or_a_missed_lesion_scores_zero(name, counts):
    assert METRICS[name](*counts) == 0


def test_dice_and_iou_are_one_function_of_each_other():
    j = iou(*_counts())
    np.testing.assert_allclose(dice(*_counts()), 2 * j / (1 + j))


def test_dice_and_iou_do_not_ask_which_mask_is_the_reference():
    tp, fp, fn, tn = _counts()
    for metric in (dice, iou, accuracy):
        np.testing.assert_array_equal(metric(tp, fp, fn, tn), metric(tp, fn, fp, tn))
    np.testing.assert_array_equal(precision(tp, fp, fn, tn), recall(tp, fn, fp, tn))


@pytest.mark.parametrize("name", METRICS)
def test_every_figure_lies_from_zero_to_one_and_keeps_the_shape(name):
    counts = _counts().reshape(4, 8, 5)
    values = METRICS[name](*counts)
    assert values.shape == (8, 5)
    assert values.dtype == np.float64
    assert ((values >= 0) & (values <= 1)).all()


def test_counts_of_large_collections_do_not_overflow():
    million = np.int64(10**6) * 512 * 512
    assert dice(million, million, million, million) == 0.5
    assert accuracy(*np.array([2**31 - 1] * 4, dtype=np.int64)) == 0.5


def test_the_dice_of_a_class_leaves_out_other_classes_and_ignored_pixels():
    reference = np.array([[1, 1, 2, 255], [0, 2, 2, 255]])
    mask = np.array([[1, 0, 2, 1], [1, 2, 0, 2]])
    assert class_dice(reference, mask, 1) == 2 * 1 / (2 * 1 + 1 + 1)
    assert class_dice(reference, mask, 2) == 2 * 2 / (2 * 2 + 1)
    assert class_dice(reference, mask, 3) == 1
