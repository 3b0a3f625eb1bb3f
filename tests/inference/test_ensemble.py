"""The mean of several networks, whole and in parts."""

import numpy as np
import pytest
from numpy.typing import NDArray

from seg.inference.ensemble import Ensemble, aligned
from seg.inference.model import joined, strips_of
from seg.inference.resized import ResizedPredictor
from seg.inference.sliding_window import SlidingWindow
from seg.inference.tta import TestTimeAugmentation
from tests.inference.small import Brightness, picture, predictor


def members() -> list:
    """Inputs of several sizes, cut in several ways: rows of different heights."""
    return [
        ResizedPredictor(predictor(32, outputs=3), network_size=(32, 32), outputs=3, budget=40_000),
        SlidingWindow(predictor(48, outputs=3), tile=64, network_size=(48, 48)),
        predictor((24, 40), outputs=3, norm="instance"),
        SlidingWindow(
            TestTimeAugmentation(predictor(32, outputs=3)), tile=40, network_size=(32, 32)
        ),
        TestTimeAugmentation(
            SlidingWindow(predictor(32, outputs=3), tile=40, network_size=(32, 32))
        ),
    ]


def _reference_mean(image: NDArray) -> NDArray:
    total = 0.0
    for member in members():
        total = total + member.probabilities(image).astype(np.float64)
    return total / len(members())


def test_the_mean_is_that_of_the_members_whole_and_in_strips() -> None:
    image = picture(150, 90)
    ensemble, expected = Ensemble(members()), _reference_mean(image)
    np.testing.assert_allclose(ensemble.probabilities(image), expected, atol=1e-6)
    parts = list(ensemble.strips(image))
    assert len(parts) > 8
    assert max(p.shape[1] for _, p in parts) < 64
    np.testing.assert_allclose(joined(parts, 150), expected, atol=1e-6)


def test_several_images_agree_with_single_ones() -> None:
    images = [picture(40, 50), picture(90, 30), picture(32, 32)]
    ensemble = Ensemble(members())
    for probs, image in zip(ensemble.batch(images), images, strict=True):
        np.testing.assert_allclose(probs, ensemble.probabilities(image), atol=1e-5)


def test_a_single_member_and_its_copies_are_the_member() -> None:
    image, network = picture(40, 50), predictor(32)
    for count in (1, 2, 4):
        probs = Ensemble([network] * count).probabilities(image)
        np.testing.assert_allclose(probs, network.probabilities(image), atol=1e-7)


def test_the_members_predictions_are_not_changed() -> None:
    class Remembers(Brightness):
        def batch(self, images: list[NDArray]) -> list[NDArray[np.float32]]:
            self.returned = super().batch(images)
            return self.returned

    first, image = Remembers(), picture(20, 20)
    Ensemble([first, predictor(32, outputs=2)]).probabilities(image)
    np.testing.assert_array_equal(first.returned[0], Brightness().probabilities(image))
    list(Ensemble([first, predictor(32, outputs=2)]).strips(image))
    np.testing.assert_array_equal(first.returned[0], Brightness().probabilities(image))


@pytest.mark.parametrize("by_strips", [False, True])
def test_nan_in_one_member_is_nan_in_the_mean(by_strips: bool) -> None:
    class Lost(Brightness):
        def batch(self, images: list[NDArray]) -> list[NDArray[np.float32]]:
            result = super().batch(images)
            result[0][:, 3, 4] = np.nan
            return result

    ensemble, image = Ensemble([Brightness(), Lost(), Brightness()]), picture(12, 10)
    probs = joined(ensemble.strips(image), 12) if by_strips else ensemble.probabilities(image)
    assert np.argwhere(np.isnan(probs)).tolist() == [[0, 3, 4], [1, 3, 4]]


def test_members_of_other_classes_and_an_ensemble_of_none_are_refused() -> None:
    ensemble, image = Ensemble([predictor(32), predictor(32, outputs=3)]), picture(20, 20)
    with pytest.raises(ValueError, match="1 and 3"):
        ensemble.probabilities(image)
    with pytest.raises(ValueError, match="1 and 3"):
        list(ensemble.strips(image))
    with pytest.raises(ValueError, match="at least one"):
        Ensemble([])


def test_strips_end_where_those_of_any_member_end() -> None:
    whole = np.arange(10, dtype=np.float32)[None, :, None]

    def stream(*ends: int):
        for start, end in zip((0, *ends), (*ends, 10), strict=True):
            yield start, whole[:, start:end]

    result = list(aligned([stream(4, 7), stream(), stream(2, 7)]))
    assert [y for y, _ in result] == [0, 2, 4, 7]
    for y, parts in result:
        for part in parts:
            np.testing.assert_array_equal(part, whole[:, y : y + part.shape[1]])
    assert result[-1][1][0].shape[1] == 3


def test_a_predictor_without_strips_gives_one() -> None:
    image = picture(30, 20)
    (y, probs), *rest = strips_of(Brightness(), image)
    assert (y, rest) == (0, [])
    np.testing.assert_array_equal(probs, Brightness().probabilities(image))
