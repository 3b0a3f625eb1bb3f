"""An image at a scale of its own: one pass, and windows that give the same."""

import logging

import numpy as np
import pytest
from numpy.typing import NDArray

from seg.data.symmetries import VIEWS
from seg.inference.native_scale import (
    LARGEST,
    ScaledPredictor,
    at_size,
    largest_side,
    window_of,
)
from seg.inference.tta import TestTimeAugmentation
from tests.inference.small import Brightness, picture, predictor

REACH = 22  # of the U-Net of depth 2, to each side; measured with up to 7 more


def one_pass(image: NDArray, scale: float, **more) -> NDArray[np.float32]:
    size = tuple(round(side * scale) for side in image.shape[:2])
    return predictor(size, **more).probabilities(image)


@pytest.mark.parametrize(("scale", "size"), [(1.0, (300, 420)), (0.5, (600, 700))])
@pytest.mark.parametrize("outputs", [1, 3])
def test_windows_that_memory_allows_give_what_one_pass_gives_away_from_borders(
    scale: float, size: tuple[int, int], outputs: int
) -> None:
    image, network = picture(*size), predictor(32, outputs=outputs)
    scaled = ScaledPredictor(network, scale=scale, budget=3_000_000)
    parts = list(scaled.strips(image))
    assert len(parts) > 1  # in windows
    expected = one_pass(image, scale, outputs=outputs)
    assert np.ptp(expected) > 0.3
    edge = round((REACH + 8) / scale)
    inner = np.s_[:, edge:-edge, edge:-edge]
    result = np.concatenate([part for _, part in parts], axis=1)
    assert np.abs(result - expected)[inner].max() < 1e-5


@pytest.mark.parametrize("budget", [1 << 20, 1 << 23, 1 << 30])
def test_a_window_stays_within_the_budget(budget: int) -> None:
    scaled = ScaledPredictor(predictor(32), scale=1.0, budget=budget)
    assert scaled.window.side**2 * scaled.bytes_per_pixel <= budget
    assert largest_side(100.0, 1 << 60) == LARGEST


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize(("tile", "budget"), [("auto", 1 << 30), (None, 1)])
def test_an_image_that_fits_or_must_goes_in_one_pass(
    scale: float, tile: str | None, budget: int
) -> None:
    image = picture(100, 150)
    scaled = ScaledPredictor(predictor(32), scale=scale, tile=tile, budget=budget)
    np.testing.assert_allclose(scaled.probabilities(image), one_pass(image, scale), atol=1e-6)
    assert len(list(scaled.strips(image))) == 1


def test_a_tile_of_ones_own_has_as_many_image_pixels() -> None:
    scaled = ScaledPredictor(predictor(32), scale=0.5, tile=256)
    assert scaled.window.side == 128
    assert scaled.window.exact
    image = picture(400, 500)
    inner = np.s_[:, 60:-60, 60:-60]
    difference = scaled.probabilities(image) - one_pass(image, 0.5)
    assert np.abs(difference)[inner].max() < 1e-5


def test_a_window_too_small_for_the_receptive_field_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        small = ScaledPredictor(predictor(32), scale=1.0, tile=64)
    assert not small.window.exact
    assert "windows of 64 " in caplog.text
    assert f" {small.receptive_field} pixels" in caplog.text
    assert small.probabilities(picture(150, 150)).shape == (1, 150, 150)


def test_a_network_that_sees_a_whole_image_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        scaled = ScaledPredictor(predictor(32, norm="instance"), scale=1.0, tile=128)
    assert "windows of 128 " in caplog.text
    assert scaled.receptive_field is None
    assert not scaled.window.exact


@pytest.mark.parametrize(
    ("side", "reach", "exact"), [(128, 22, True), (128, 32, True), (128, 33, False), (128, 0, True)]
)
def test_overlap_covers_the_receptive_field_and_leaves_pixels_to_blend(
    side: int, reach: int, exact: bool
) -> None:
    windows = window_of(side, reach, 0.0)
    assert windows.exact is exact
    if exact:
        assert windows.overlap * side >= 2 * reach + 32
        assert windows.overlap <= 0.75
    assert window_of(side, 0, 0.7).overlap == 0.7


@pytest.mark.parametrize("budget", [3_000_000, 1 << 30])
def test_views_are_those_of_one_pass_in_windows_as_well(budget: int) -> None:
    image, network = picture(256, 288), predictor(32)
    scaled = ScaledPredictor(
        TestTimeAugmentation(network, symmetries=VIEWS), scale=1.0, budget=budget
    )
    views = TestTimeAugmentation(at_size(network, None), symmetries=VIEWS).probabilities(image)
    result = scaled.probabilities(image)
    assert np.abs(result - views)[:, 30:-30, 30:-30].max() < 1e-5
    assert scaled.windows.predictor.views_at_once == 1  # the budget is for one
    assert np.abs(result - at_size(network, None).probabilities(image)).max() > 0.01


def test_the_network_at_another_size_leaves_the_first_one_as_it_was() -> None:
    network = predictor(32)
    other = at_size(network, (64, 96))
    assert (network.size, other.size) == ((32, 32), (64, 96))
    assert other.model is network.model


def test_predictors_that_resize_by_themselves_and_odd_scales_are_refused() -> None:
    with pytest.raises(ValueError, match="scale=null"):
        ScaledPredictor(Brightness(), scale=0.5)
    with pytest.raises(ValueError, match="tile=3 .*16"):
        ScaledPredictor(predictor(32), scale=1.0, tile=3)
    for scale in (0, -1.0, 17.0, float("nan")):
        with pytest.raises(ValueError, match=f"scale={scale}"):
            ScaledPredictor(predictor(32), scale=scale)
