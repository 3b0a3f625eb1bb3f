"""Weights of overlapping windows along a line."""

import numpy as np
import pytest

from seg.inference.blending import weights


@pytest.mark.parametrize("margin", [0, 3])
@pytest.mark.parametrize("starts", [[0], [0, 12], [0, 10, 20], [0, 5, 10, 15], [0, 3, 12, 17]])
def test_weights_add_up_to_one_wherever_there_is_a_window(starts: list[int], margin: int) -> None:
    total = np.zeros(starts[-1] + 20)
    for start, share in zip(starts, weights(starts, 20, margin=margin), strict=True):
        assert share.min() >= 0
        total[start : start + 20] += share
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_weights_fall_smoothly_to_a_neighbour_and_not_at_the_ends() -> None:
    first, last = weights([0, 12], 20)
    np.testing.assert_allclose(first[:12], 1)
    np.testing.assert_allclose(last[8:], 1)
    expected = np.cos(np.pi / 2 * (np.arange(8) + 0.5) / 8) ** 2
    np.testing.assert_allclose(first[12:], expected, atol=1e-6)
    np.testing.assert_allclose(first[12:], last[:8][::-1], atol=1e-6)


def test_a_margin_does_not_count_where_a_neighbour_has_it() -> None:
    first, middle, last = weights([0, 10, 20], 20, margin=3)
    assert (middle[:3] == 0).all()
    assert (middle[-3:] == 0).all()
    assert (first[:10] == 1).all()
    assert (last[-10:] == 1).all()
    assert (first[-3:] == 0).all()
    expected = np.cos(np.pi / 2 * (np.arange(4) + 0.5) / 4) ** 2  # all of the overlap that is left
    np.testing.assert_allclose(first[13:17], expected, atol=1e-6)


def test_windows_that_touch_have_a_hard_edge() -> None:
    assert all((share == 1).all() for share in weights([0, 20, 40], 20))


def test_too_narrow_an_overlap_for_the_margin_is_refused_with_the_figures() -> None:
    with pytest.raises(ValueError, match="overlap by 8: margin=4 needs more than 8"):
        weights([0, 12], 20, margin=4)


def test_windows_with_a_gap_between_them_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap by -1"):
        weights([0, 21], 20)
