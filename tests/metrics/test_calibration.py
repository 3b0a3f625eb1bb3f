"""Calibration against plain loops, scikit-learn and hand-worked cases; the failed prediction."""

import numpy as np
import pytest
import torch
from sklearn.metrics import brier_score_loss

from seg.metrics.calibration import bins, brier, check_probabilities, ece, failed, worst
from seg.metrics.cases import confusion
from seg.metrics.lesions import f1, lesions
from seg.metrics.overlap import METRICS


def _case(seed=0, shape=(14, 17)):
    rng = np.random.default_rng(seed)
    probs = rng.random(shape)
    return probs.astype(np.float32), rng.random(shape) < probs**2, rng.random(shape) < 0.8


def _reference_ece(probs, reference, valid, count):
    """Guo et al.'s sum, a bin at a time."""
    p, true = probs[valid].astype(float), reference[valid]
    total = 0.0
    for m in range(count):
        inside = (p > m / count) & (p <= (m + 1) / count)
        if m == 0:
            inside |= p == 0
        if inside.any():
            total += inside.sum() / p.size * abs(true[inside].mean() - p[inside].mean())
    return total


@pytest.mark.parametrize("count", [1, 10, 15])
def test_ece_agrees_with_a_sum_over_bins(count):
    probs, reference, valid = _case()
    table = bins(probs, reference, valid=valid, count=count)
    assert table.shape == (3, count)
    assert table[0].sum() == valid.sum()
    assert table[1].sum() == pytest.approx(probs[valid].sum(dtype=float))
    assert table[2].sum() == reference[valid].sum()
    assert ece(table) == pytest.approx(_reference_ece(probs, reference, valid, count), abs=1e-9)


def test_ece_agrees_with_torchmetrics_of_the_foreground():
    """torchmetrics takes the confidence of the decision; here all decisions are foreground."""
    torchmetrics = pytest.importorskip("torchmetrics.functional.classification")
    probs, reference, _ = _case(3)
    probs = 0.5 + probs / 2
    expected = torchmetrics.binary_calibration_error(
        torch.from_numpy(probs).ravel(), torch.from_numpy(reference).ravel().int(), n_bins=15
    )
    assert ece(bins(probs, reference)) == pytest.approx(expected.item(), abs=1e-6)


def test_cases_are_pooled():
    cases = [_case(seed) for seed in range(3)]
    tables = np.stack([bins(p, r, valid=v) for p, r, v in cases])
    joined = [np.concatenate([case[i].ravel() for case in cases])[None] for i in range(3)]
    expected = ece(bins(joined[0], joined[1], valid=joined[2]))
    assert ece(tables) == pytest.approx(expected)
    assert ece(tables.sum(0)) == pytest.approx(expected)


def test_ece_of_a_case_worked_out_by_hand():
    # Ten pixels at .9, of which 6 are true; ten at .1, of which 2 are: (.3 + .1) / 2.
    probs = np.repeat([0.9, 0.1], 10)[None]
    reference = np.array([1] * 6 + [0] * 4 + [1] * 2 + [0] * 8, dtype=bool)[None]
    assert ece(bins(probs, reference)) == pytest.approx(0.2)


def test_a_bin_holds_its_upper_edge_and_the_first_holds_zero():
    probs = np.array([[0, 0.25, 0.5, 0.5000001, 1]])
    table = bins(probs, np.zeros((1, 5), dtype=bool), count=4)
    assert table[0].tolist() == [2, 1, 1, 1]


def test_certain_and_right_is_calibrated_and_certain_and_wrong_is_the_worst():
    _, reference, _ = _case()
    assert ece(bins(reference.astype(float), reference)) == 0
    assert ece(bins(1.0 - reference, reference)) == 1


def test_brier_agrees_with_scikit_learn():
    probs, reference, valid = _case()
    expected = brier_score_loss(reference[valid], probs[valid].astype(float))
    assert brier(probs, reference, valid=valid) == pytest.approx(expected, abs=1e-9)
    expected = brier_score_loss(reference.ravel(), probs.ravel().astype(float))
    assert brier(probs, reference) == pytest.approx(expected, abs=1e-9)


def test_brier_of_a_case_worked_out_by_hand():
    probs, reference = np.array([[0.8, 0.3]]), np.array([[True, False]])
    assert brier(probs, reference) == pytest.approx((0.04 + 0.09) / 2)


def test_no_valid_pixel_has_no_figure():
    probs, reference, _ = _case()
    nowhere = np.zeros_like(reference)
    assert np.isnan(brier(probs, reference, valid=nowhere))
    assert np.isnan(ece(bins(probs, reference, valid=nowhere)))


@pytest.mark.parametrize("kind", ["some", "empty", "full"])
def test_the_worst_prediction_scores_the_worst_of_every_figure_of_pixels(kind):
    reference = {"some": _case()[1], "empty": np.zeros((4, 5), bool), "full": np.ones((4, 5), bool)}
    reference = reference[kind]
    probs = worst(reference)
    for threshold in (0.0, 0.1, 0.5, 0.99):
        pair = (torch.from_numpy(x)[None].long() for x in (probs > threshold, reference))
        counts = confusion(*pair, classes=1)[0, 0].numpy()
        assert {name: metric(*counts) for name, metric in METRICS.items()} == dict.fromkeys(
            METRICS, 0
        )
        assert f1(*lesions(reference, probs > threshold)) == 0
    assert brier(probs, reference) == 1
    assert ece(bins(probs, reference)) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_bad_pixel_makes_a_failed_case(value):
    probs = np.full((2, 5, 5), 0.5, dtype=np.float32)
    assert not failed(probs)
    probs[1, 2, 3] = value
    assert failed(probs)


@pytest.mark.parametrize("score", [bins, brier])
@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "NaN"), (np.inf, "NaN"), (-np.inf, "NaN"), (-2.0, "sigmoid"), (1.1, "sigmoid")],
)
def test_nan_and_logits_are_refused_and_not_scored(score, value, message):
    probs = np.full((3, 3), 0.5)
    probs[1, 1] = value
    with pytest.raises(ValueError, match=message):
        score(probs, np.zeros((3, 3), dtype=bool))


def test_probabilities_may_leave_their_range_by_rounding():
    probs = np.array([[1 + 1e-7, -1e-7]])
    check_probabilities(probs)
    assert bins(probs, np.array([[True, False]]), count=4)[0].tolist() == [1, 0, 0, 1]


def test_a_map_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="shapes"):
        brier(np.zeros((2, 2)), np.zeros((2, 3), dtype=bool))
