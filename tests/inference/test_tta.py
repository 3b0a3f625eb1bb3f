"""Views of an image, and the way back."""

import numpy as np
import pytest
from numpy.typing import NDArray

from seg.inference.tta import FLIPS, VIEWS, TestTimeAugmentation, view_of
from tests.inference.small import Brightness, picture, predictor


class Corner:
    """Says 1 at the upper left pixel of what it is shown, 0 elsewhere; contiguous input only."""

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        assert image.flags.c_contiguous
        probs = np.zeros((1, *image.shape[:2]), np.float32)
        probs[0, 0, 0] = 1
        return probs

    def batch(self, images: list[NDArray]) -> list[NDArray[np.float32]]:
        return [self.probabilities(image) for image in images]


def _reference_mean(network: object, image: NDArray, transforms: str) -> NDArray:
    """With numpy's own words for turning and mirroring."""
    turns = range(4) if transforms == "d4" else (0, 2)
    result = []
    for turn in turns:
        for mirrored in (False, True):
            view = np.rot90(image, turn)
            view = np.fliplr(view) if mirrored else view
            probs = network.probabilities(np.ascontiguousarray(view))
            back = probs[..., ::-1] if mirrored else probs
            result.append(np.rot90(back, -turn, axes=(1, 2)).astype(np.float64))
    return np.mean(result, axis=0)


@pytest.mark.parametrize("size", [(40, 40), (37, 61)])
@pytest.mark.parametrize("transforms", ["flips", "d4"])
def test_the_mean_is_that_of_turned_and_mirrored_images(
    transforms: str, size: tuple[int, int]
) -> None:
    image, network = picture(*size), predictor(32, outputs=3)
    expected = _reference_mean(network, image, transforms)
    probs = TestTimeAugmentation(network, transforms=transforms).probabilities(image)
    assert probs.dtype == np.float32
    np.testing.assert_allclose(probs, expected, atol=1e-5)
    assert np.abs(probs - network.probabilities(image)).max() > 0.01  # the views do differ


@pytest.mark.parametrize("transforms", ["flips", "d4"])
def test_a_network_that_turns_with_its_image_is_left_as_it_is(transforms: str) -> None:
    image = picture(31, 50)
    probs = TestTimeAugmentation(Brightness(), transforms=transforms).probabilities(image)
    np.testing.assert_allclose(probs, Brightness().probabilities(image), atol=1e-6)


@pytest.mark.parametrize("transforms", ["flips", "d4"])
def test_every_view_is_another_one_and_leads_back_to_its_own_place(transforms: str) -> None:
    image = picture(9, 9)
    shown = {view_of(image, view).tobytes() for view in VIEWS[transforms]}
    assert len(shown) == len(VIEWS[transforms]) == {"flips": 4, "d4": 8}[transforms]
    probs = TestTimeAugmentation(Corner(), transforms=transforms).probabilities(image)[0]
    np.testing.assert_allclose(probs[[0, 0, -1, -1], [0, -1, 0, -1]], 0.25)
    assert probs.sum() == pytest.approx(1)


def test_the_prediction_turns_with_the_image() -> None:
    image, augmented = picture(40, 40), TestTimeAugmentation(predictor(32), transforms="d4")
    turned = augmented.probabilities(np.ascontiguousarray(np.rot90(image)))
    expected = np.rot90(augmented.probabilities(image), axes=(1, 2))
    np.testing.assert_allclose(turned, expected, atol=1e-5)


@pytest.mark.parametrize("at_once", [1, 3, 16, 100])
def test_images_are_predicted_together_and_agree_with_single_ones(at_once: int) -> None:
    images = [picture(30, 40), picture(50, 20, seed=1), picture(32, 32, seed=2)]
    network, count = predictor(32), []
    batch = network.batch
    network.batch = lambda some: count.append(len(some)) or batch(some)
    augmented = TestTimeAugmentation(network, transforms="flips", views_at_once=at_once)
    together = augmented.batch(images)
    assert sum(count) == 3 * len(FLIPS)
    assert max(count) == min(at_once, 12)
    for probs, image in zip(together, images, strict=True):
        assert probs.shape == (1, *image.shape[:2])
        np.testing.assert_allclose(probs, augmented.probabilities(image), atol=1e-5)


def test_nan_in_one_view_is_nan_in_the_mean() -> None:
    class Lost(Corner):
        def probabilities(self, image: NDArray) -> NDArray[np.float32]:
            return np.where(super().probabilities(image) == 1, np.nan, 0.5).astype(np.float32)

    probs = TestTimeAugmentation(Lost()).probabilities(picture(12, 10))[0]
    assert np.isnan(probs[[0, 0, -1, -1], [0, -1, 0, -1]]).all()
    assert np.isnan(probs).sum() == 4


@pytest.mark.parametrize("arguments", [{"transforms": "spin"}, {"views_at_once": 0}])
def test_an_unknown_choice_is_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match="tta=spin .*flips, d4|views_at_once=0"):
        TestTimeAugmentation(Corner(), **arguments)
