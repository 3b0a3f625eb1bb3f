"""Histograms of probabilities, and what is derived from them at every threshold."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_score, recall_score

from seg.metrics.threshold_curves import (
    average_precision,
    best_threshold,
    counts_at,
    curves,
    level_counts,
    thresholds,
)


def _case(seed, shape=(9, 11), dtype=np.float32):
    rng = np.random.default_rng(seed)
    reference = rng.random(shape) < rng.choice([0.1, 0.4, 0.8])
    probs = np.clip(rng.normal(0.35 + 0.3 * reference, 0.25), 0, 1).astype(dtype)
    valid = rng.random(shape) < 0.8
    return probs, reference, valid


def _cases(count=6, levels=256):
    """Stacked counts (count, 2, levels), the last of a case without foreground, and the cases."""
    cases = [_case(seed) for seed in range(count)]
    cases[-1] = cases[-1][0], np.zeros((9, 11), dtype=bool), cases[-1][2]
    counts = [level_counts(p, r, valid=v, levels=levels) for p, r, v in cases]
    return np.stack(counts), cases


def _reference_counts(probs, reference, valid, threshold):
    """tp, fp, fn, tn, a pixel at a time."""
    counts = [0, 0, 0, 0]
    for p, true, keep in zip(probs.ravel(), reference.ravel(), valid.ravel(), strict=True):
        if keep:
            counts[[[3, 1], [2, 0]][int(true)][int(p > threshold)]] += 1
    return counts


def _reference_dice(tp, fp, fn):
    return 1.0 if tp + fp + fn == 0 else 2 * tp / (2 * tp + fp + fn)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_threshold_one_half_decides_exactly_as_the_probability_does(dtype):
    half = dtype(0.5)
    probs = np.array([[0, np.nextafter(half, dtype(0)), half, np.nextafter(half, dtype(1)), 1]])
    counts = level_counts(probs.astype(dtype), np.ones((1, 5), dtype=bool))
    assert counts[1, 128:].sum() == (probs.astype(dtype) > half).sum() == 2


@pytest.mark.parametrize("levels", [2, 4, 256, 1024])
def test_every_threshold_decides_exactly_as_the_probability_does(levels):
    edges = np.arange(levels + 1) / levels
    probs = np.concatenate([edges, np.nextafter(edges, 0), np.nextafter(edges, 1)]).clip(0, 1)
    reference = np.arange(probs.size)[None] % 2 == 0
    at = counts_at(level_counts(probs[None], reference, levels=levels))
    for k in range(1, levels, max(1, levels // 37)):
        everywhere = np.ones((1, probs.size), dtype=bool)
        expected = _reference_counts(probs, reference, everywhere, k / levels)
        assert at[k].tolist() == expected


def test_threshold_zero_calls_every_pixel():
    probs, reference, _ = _case(0)
    probs[0, 0] = 0
    fp_tp = counts_at(level_counts(probs, reference))[0]
    assert fp_tp.tolist() == [reference.sum(), (~reference).sum(), 0, 0]


def test_counts_agree_with_loops_over_pixels():
    for seed in range(3):
        probs, reference, valid = _case(seed)
        counts = level_counts(probs, reference, valid=valid)
        assert counts.shape == (2, 256)
        assert counts.dtype == np.int64
        at = counts_at(counts)
        for k in (1, 63, 128, 200, 255):
            assert at[k].tolist() == _reference_counts(probs, reference, valid, k / 256)


def test_ignored_pixels_count_nowhere():
    probs, reference, valid = _case(1)
    counts = level_counts(probs, reference, valid=valid)
    assert counts.sum() == valid.sum()
    other = np.where(valid, probs, 1 - probs)
    np.testing.assert_array_equal(counts, level_counts(other, reference, valid=valid))


def test_curves_agree_with_scikit_learn_pooled_and_with_means_over_images():
    counts, cases = _cases()
    figures = curves(counts)
    assert all(values.shape == (256,) for values in figures.values())
    flat = [np.concatenate([case[i][case[2]] for case in cases]) for i in (0, 1)]
    for k in (1, 100, 128, 201):
        assert figures["threshold"][k] == k / 256
        called = flat[0] > k / 256
        assert figures["precision_pooled"][k] == pytest.approx(precision_score(flat[1], called))
        assert figures["recall_pooled"][k] == pytest.approx(recall_score(flat[1], called))
        each = [_reference_counts(*case, k / 256)[:3] for case in cases]
        expected = np.mean([_reference_dice(*one) for one in each])
        assert figures["dice"][k] == pytest.approx(expected)
        tp, fp, fn = np.sum(each, axis=0)
        assert figures["dice_pooled"][k] == pytest.approx(_reference_dice(tp, fp, fn))


def test_mean_precision_and_recall_are_of_the_images():
    counts, cases = _cases(count=3)
    figures = curves(counts)
    rows = [_reference_counts(*case, 0.5) for case in cases[:2]]
    # the third image is empty and called: nothing right
    precision = [tp / (tp + fp) for tp, fp, _, _ in rows] + [0]
    recall = [tp / (tp + fn) for tp, _, fn, _ in rows] + [0]
    assert figures["precision"][128] == pytest.approx(np.mean(precision))
    assert figures["recall"][128] == pytest.approx(np.mean(recall))


@pytest.mark.parametrize("levels", [16, 256])
def test_average_precision_is_scikit_learns_on_the_quantised_scores(levels):
    counts, cases = _cases(levels=levels)
    scores = np.concatenate([p[v] for p, _, v in cases]).astype(np.float64)
    truth = np.concatenate([r[v] for _, r, v in cases])
    quantised = np.maximum(np.ceil(scores * levels), 1)  # 0 is in the first level
    assert average_precision(counts) == pytest.approx(
        average_precision_score(truth, quantised), abs=1e-9
    )
    assert average_precision(counts.sum(0)) == average_precision(counts)


def test_average_precision_of_a_perfect_and_a_reversed_map():
    reference = np.arange(10)[None] < 3
    assert average_precision(level_counts(reference.astype(float), reference)) == 1
    reversed_ = average_precision(level_counts(1.0 - reference, reference))
    assert reversed_ == pytest.approx(0.3)
    assert np.isnan(average_precision(level_counts(np.ones((1, 4)), np.zeros((1, 4), dtype=bool))))


def test_the_best_threshold_is_found_by_trying_all():
    counts, cases = _cases()
    tried = {}
    for k in range(1, 256):
        each = [_reference_dice(*_reference_counts(*case, k / 256)[:3]) for case in cases]
        tried[k / 256] = np.mean(each)
    threshold, dice = best_threshold(counts)
    assert dice == pytest.approx(max(tried.values()))
    assert tried[threshold] == pytest.approx(max(tried.values()))


def test_the_best_threshold_is_of_the_mean_over_images_and_not_of_the_pool():
    """A large image wants .25, two small ones .75."""
    large = np.zeros((2, 4), dtype=np.int64)
    large[1, 1], large[0, 0] = 1000, 1000
    small = np.zeros((2, 4), dtype=np.int64)
    small[1, 3], small[0, 2] = 5, 30
    counts = np.stack([large, small, small])
    assert best_threshold(counts)[0] == 0.75
    assert best_threshold(counts.sum(0, keepdims=True))[0] == 0.25


def test_of_equal_thresholds_the_one_nearest_one_half_is_taken():
    reference = np.arange(4)[None] < 2
    perfect = level_counts(reference * 1.0, reference)[None]
    assert best_threshold(perfect) == (0.5, 1.0)
    high = level_counts(0.7 + 0.2 * reference, reference)[None]
    assert best_threshold(high) == (180 / 256, 1.0)  # the first level edge above .7
    low = level_counts(0.1 + 0.2 * reference, reference)[None]
    assert best_threshold(low) == (76 / 256, 1.0)  # the last level edge below .3


def test_an_empty_image_prefers_a_threshold_that_calls_nothing():
    probs = np.full((3, 3), 0.6)
    empty = level_counts(probs, np.zeros((3, 3), dtype=bool))[None]
    assert best_threshold(empty) == (154 / 256, 1.0)
    assert 154 / 256 > 0.6 > 153 / 256


def test_thresholds_start_at_zero_and_hold_one_half():
    assert thresholds(4).tolist() == [0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize("levels", [0, 1, 3, 100, 255])
def test_levels_that_would_not_hold_one_half_exactly_are_refused(levels):
    with pytest.raises(ValueError, match="power of two"):
        level_counts(np.zeros((2, 2)), np.zeros((2, 2), dtype=bool), levels=levels)


@pytest.mark.parametrize(("value", "message"), [(np.nan, "NaN"), (np.inf, "NaN"), (3.2, "sigmoid")])
def test_nan_and_logits_are_refused(value, message):
    probs = np.full((2, 2), 0.5)
    probs[0, 1] = value
    with pytest.raises(ValueError, match=message):
        level_counts(probs, np.zeros((2, 2), dtype=bool))
