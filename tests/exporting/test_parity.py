"""How two predictions are compared."""

import numpy as np
import pytest

from seg.exporting.parity import Sample, measure, resized


def samples(count: int = 4) -> list[Sample]:
    rng = np.random.default_rng(0)
    reference = np.zeros((10, 20), np.uint8)
    reference[:5] = 1
    reference[0, 0] = 255
    return [
        Sample(str(i), rng.integers(0, 256, (10, 20, 3), dtype=np.uint8), reference)
        for i in range(count)
    ]


def always(probability: float, mask: int, *, but: float = 0.0):
    """Predicts one probability everywhere, except for one pixel that is off by `but`."""

    def predict(image):
        probs = np.full((1, *image.shape[:2]), probability, np.float32)
        probs[0, 0, 0] += but
        return np.full(image.shape[:2], mask, np.uint8), probs

    return predict


def test_equal_predictions_are_good() -> None:
    parity = measure(always(0.7, 1), always(0.7, 1), samples(), classes=1)
    assert parity.good
    assert (parity.largest, parity.mean, parity.equal, parity.images) == (0, 0, 1, 4)
    assert parity.dice[0] == parity.dice[1] == pytest.approx(2 * 99 / (99 + 199))


@pytest.mark.parametrize(("but", "good"), [(0.0009, True), (0.0011, False), (np.nan, False)])
def test_one_pixel_too_far_off_is_bad(but: float, good: bool) -> None:
    parity = measure(always(0.7, 1), always(0.7, 1, but=but), samples(), classes=1)
    assert parity.good is good
    if not np.isnan(but):
        assert parity.largest == pytest.approx(but, rel=1e-3)
        assert parity.mean == pytest.approx(but / 200, rel=1e-3)


def test_other_masks_are_bad_and_lower_the_dice() -> None:
    parity = measure(always(0.7, 1), always(0.7, 0), samples(), classes=1)
    assert not parity.good
    assert parity.equal == 0
    assert parity.dice[1] == 0


def test_without_references_there_is_no_dice() -> None:
    unknown = [Sample(s.name, s.image, None) for s in samples()]
    assert measure(always(0.7, 1), always(0.7, 1), unknown, classes=1).dice is None


def test_images_of_one_size_are_shown_at_others_with_their_references() -> None:
    shown = resized(samples())
    assert [s.image.shape[:2] for s in shown] == [(10, 20), (6, 12), (10, 20), (17, 34)]
    assert all(s.reference.shape == s.image.shape[:2] for s in shown)
    assert shown[3].reference[-1].max() == 0
