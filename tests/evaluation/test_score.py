"""The numbers of a case: failed predictions, ignored pixels, empty masks, several classes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from seg.evaluation.score import CaseScores, score_case, stack

NAN = float("nan")


def disc(size: int = 24, radius: int = 6) -> NDArray[np.uint8]:
    y, x = np.mgrid[:size, :size] - size // 2
    return (y**2 + x**2 < radius**2).astype(np.uint8)


def row(probs: NDArray, mask: NDArray, reference: NDArray, group: str = "g", **more) -> CaseScores:
    return score_case(probs.astype(np.float32), mask, reference, case="c", group=group, **more)


def onehot(mask: NDArray, outputs: int) -> NDArray:
    return np.stack([mask == c for c in range(outputs)]).astype(np.float32)


def test_a_perfect_prediction_has_perfect_figures() -> None:
    true = disc()
    table = row(true[None], true, true)
    tp = int(true.sum())
    np.testing.assert_array_equal(table.counts, [[[tp, 0, 0, true.size - tp]]])
    np.testing.assert_array_equal(table.surface, [[[0, 0, 1]]])
    np.testing.assert_array_equal(table.lesions, [[[1, 0, 0]]])
    np.testing.assert_array_equal(table.brier, [[0]])
    assert table.levels.shape == (1, 1, 2, 256)
    assert table.bins.sum((0, 1, 3))[0] == true.size


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("reference", [disc(), 0 * disc(), 0 * disc() + 1], ids=str.split("d e f"))
def test_a_prediction_with_a_nan_scores_the_worst_whatever_its_mask(
    outputs: int, reference: NDArray
) -> None:
    probs = onehot(reference, 3)[:outputs] if outputs > 1 else reference[None].astype(float)
    probs[0, 3, 4] = NAN
    table = row(probs, reference, reference)
    assert table.failed.tolist() == [True]
    for j in range(max(1, outputs - 1)):
        tp, fp, fn, tn = table.counts[0, j]
        assert (tp, tn) == (0, 0)
        assert fp + fn == reference.size
        assert table.lesions[0, j, 0] == 0
        assert table.lesions[0, j].sum() > 0
    np.testing.assert_array_equal(table.brier, 1)
    diagonal = np.hypot(*reference.shape)
    np.testing.assert_allclose(table.surface[0], [[diagonal, diagonal, 0]] * table.brier.size)
    assert table.confusion[:, -1].sum() == reference.size
    assert table.confusion[:, :-1].sum() == 0


def test_ignored_pixels_count_nowhere() -> None:
    true = disc()
    ignored = true.copy()
    ignored[:12] = 255
    wrong = 1 - true
    wrong[12:] = true[12:]  # right wherever it counts
    table = row(wrong[None], wrong, ignored)
    assert table.counts[0, 0].tolist() == [true[12:].sum(), 0, 0, (1 - true[12:]).sum()]
    np.testing.assert_array_equal(table.surface, [[[0, 0, 1]]])
    np.testing.assert_array_equal(table.brier, [[0]])
    assert table.bins[0, 0, 0].sum() == table.levels.sum() == table.confusion.sum() == 12 * 24


def test_a_case_that_is_all_ignored_is_finite() -> None:
    table = row(disc()[None], disc(), np.full((24, 24), 255, np.uint8))
    assert table.counts.sum() == 0
    assert np.isfinite(table.surface).all()
    assert np.isfinite(table.brier).all()


def test_classes_are_told_apart_and_confusions_are_where_they_belong() -> None:
    true = disc()
    true[:, 12:] *= 2
    called = true.copy()
    called[true == 2] = 1
    table = row(onehot(called, 3), called, true)
    left, right = int((true == 1).sum()), int((true == 2).sum())
    assert table.counts[0, 0].tolist()[:3] == [left, right, 0]
    assert table.counts[0, 1].tolist()[:3] == [0, 0, right]
    assert table.confusion.shape == (3, 4)
    assert table.confusion[2].tolist() == [0, right, 0, 0]
    assert table.confusion[1].tolist() == [0, left, 0, 0]
    # the probabilities of a class are its own channel's
    np.testing.assert_allclose(table.brier[0], [right / true.size] * 2)


def test_distances_are_in_the_unit_of_the_spacing() -> None:
    true = disc()
    called = np.roll(true, 2, axis=0)
    plain = row(called[None], called, true)
    wide = row(called[None], called, true, spacing=(3.0, 3.0), tolerance=6.0)
    np.testing.assert_allclose(wide.surface[0, 0, :2], 3 * plain.surface[0, 0, :2])
    assert wide.surface[0, 0, 2] == pytest.approx(plain.surface[0, 0, 2])


def test_rows_are_stacked_in_order_and_confusions_added() -> None:
    true = disc()
    rows = [row(true[None], true, true, group="a"), row(true[None], 0 * true, true, group="b")]
    table = stack(iter(rows))
    assert table.groups == ["a", "b"]
    assert table.counts.shape == (2, 1, 4)
    np.testing.assert_array_equal(table.confusion, rows[0].confusion + rows[1].confusion)


@pytest.mark.parametrize("fails", [False, True])
def test_classes_that_share_pixels_score_as_they_would_alone(fails: bool) -> None:
    rng = np.random.default_rng(0)
    reference = np.stack([disc(radius=8), disc(radius=3)])
    reference[:, :2] = 255
    reference[1, 2:4] = 255  # of one class alone
    probs = np.clip(0.6 * (reference == 1) + 0.6 * rng.random(reference.shape), 0, 1)
    mask = (probs > 0.5).astype(np.uint8)
    if fails:
        probs[0, 5, 5] = np.nan
    both = row(probs, mask, reference)
    assert both.confusion is None
    assert stack([both, both]).confusion is None
    for k in range(2):
        alone_probs = probs[k : k + 1].copy()
        alone_probs[..., 5, 5] = np.nan if fails else alone_probs[..., 5, 5]
        alone = row(alone_probs, mask[k], reference[k])
        for name in ("counts", "surface", "lesions", "brier", "bins", "levels"):
            np.testing.assert_array_equal(getattr(both, name)[:, k], getattr(alone, name)[:, 0])
