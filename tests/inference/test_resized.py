"""A large image resized whole, its probabilities made in parts."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from seg.inference.resized import ResizedPredictor, enlarged
from tests.inference.small import picture, predictor


def _reference_enlarged(probs: NDArray, size: tuple[int, int]) -> NDArray[np.float64]:
    """Pixel by pixel: between the four nearest centres."""
    (_, h, w), (height, width) = probs.shape, size
    out = np.empty((len(probs), height, width))
    for y in range(height):
        for x in range(width):
            v = min(max((y + 0.5) * h / height - 0.5, 0), h - 1)
            u = min(max((x + 0.5) * w / width - 0.5, 0), w - 1)
            top, left = int(v), int(u)
            low, right = min(top + 1, h - 1), min(left + 1, w - 1)
            a, b = v - top, u - left
            upper = (1 - b) * probs[:, top, left] + b * probs[:, top, right]
            lower = (1 - b) * probs[:, low, left] + b * probs[:, low, right]
            out[:, y, x] = (1 - a) * upper + a * lower
    return out


@pytest.mark.parametrize("size", [(40, 61), (7, 5), (16, 20), (90, 9)])
@pytest.mark.parametrize("height", [1, 7, 1000])
def test_parts_are_those_of_the_whole(size: tuple[int, int], height: int) -> None:
    probs = np.random.default_rng(0).random((3, 16, 20), dtype=np.float32)
    parts = list(enlarged(probs, size, budget=height * 3 * size[1] * 16))
    assert [y for y, _ in parts] == list(range(0, size[0], height))
    together = np.concatenate([part for _, part in parts], axis=1)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, _reference_enlarged(probs, size), atol=1e-6)
    shown = [cv2.resize(p, size[::-1], interpolation=cv2.INTER_LINEAR) for p in probs]
    np.testing.assert_allclose(together, np.stack(shown), atol=1e-6)


def test_nan_stays_nan_and_spreads_no_further_than_its_neighbours() -> None:
    probs = np.full((1, 8, 8), 0.5, np.float32)
    probs[0, 2, 3] = np.nan
    together = np.concatenate(
        [p for _, p in enlarged(probs, (64, 64), budget=10 * 64 * 16)], axis=1
    )
    assert np.isnan(together[0, 20, 28])
    assert np.isfinite(together[0, 32:]).all()


def resized(network, **more) -> ResizedPredictor:
    return ResizedPredictor(network, network_size=(32, 32), **{"outputs": 1} | more)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("size", [(150, 210), (20, 300)])
def test_an_image_larger_than_the_budget_is_predicted_as_in_evaluation(
    size: tuple[int, int], outputs: int
) -> None:
    image, network = picture(*size), predictor(32, outputs=outputs)
    small = resized(network, outputs=outputs, budget=30_000)
    parts = list(small.strips(image))
    assert len(parts) > 3
    # all that is made of a part stays within the budget, or it is a single row
    assert max(p.nbytes for _, p in parts) <= max(30_000 / 4, 4 * outputs * size[1])
    np.testing.assert_allclose(small.probabilities(image), network.probabilities(image), atol=1e-6)


def test_an_image_that_fits_is_predicted_to_the_last_bit() -> None:
    image, network = picture(150, 210), predictor(32)
    np.testing.assert_array_equal(
        resized(network).probabilities(image), network.probabilities(image)
    )
    assert len(list(resized(network).strips(image))) == 1


@pytest.mark.parametrize("budget", [1, 200_000, 1 << 30])
def test_several_images_agree_with_single_ones_whether_they_fit_or_not(budget: int) -> None:
    images = [picture(60, 70), picture(120, 130), picture(33, 20)]
    network = predictor(32)
    for probs, image in zip(resized(network, budget=budget).batch(images), images, strict=True):
        np.testing.assert_allclose(probs, network.probabilities(image), atol=1e-5)
