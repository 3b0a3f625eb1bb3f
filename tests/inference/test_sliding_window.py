"""Windows of a large image: where they lie, and how their predictions are blended."""

import itertools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from seg.data.windows import blending_weights
from seg.inference.sliding_window import SlidingWindow
from seg.inference.tta import TestTimeAugmentation
from tests.inference.small import Brightness, picture, predictor


def _reference_blend(
    image: NDArray, tops: list[int], lefts: list[int], tile: int, ramp: int
) -> NDArray[np.float64]:
    """Pixel by pixel over all windows, with two-dimensional weights and their sum."""
    height, width = image.shape[:2]
    total, weight = np.zeros((height, width)), np.zeros((height, width))
    for (i, y), (j, x) in itertools.product(enumerate(tops), enumerate(lefts)):
        mean = image[y : y + tile, x : x + tile].mean()
        for row in range(y, min(y + tile, height)):
            for column in range(x, min(x + tile, width)):
                share = 1.0
                for place, start, k, n in ((row, y, i, len(tops)), (column, x, j, len(lefts))):
                    before, after = place - start + 0.5, start + tile - place - 0.5
                    if k > 0 and before < ramp:
                        share *= (1 - np.cos(np.pi * before / ramp)) / 2
                    if k < n - 1 and after < ramp:
                        share *= (1 - np.cos(np.pi * after / ramp)) / 2
                total[row, column] += share * mean
                weight[row, column] += share
    return total / weight


class Mean:
    """One number a window: what is seen in the result is the blending alone."""

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        return np.full((1, *image.shape[:2]), image.mean() / 255, dtype=np.float32)

    def batch(self, images: list[NDArray]) -> list[NDArray[np.float32]]:
        return [self.probabilities(image) for image in images]


def test_windows_are_blended_as_written_out() -> None:
    image = picture(56, 80)
    tiled = SlidingWindow(Mean(), tile=32, network_size=(32, 32), overlap=0.25)
    tops, lefts = tiled.starts(56, axis=0), tiled.starts(80, axis=1)
    assert (tops, lefts) == ([0, 16, 32], [0, 16, 32, 48])
    mirrored = cv2.copyMakeBorder(image, 0, 8, 0, 0, cv2.BORDER_REFLECT_101)
    expected = _reference_blend(mirrored, tops, lefts, 32, ramp=16)[:56]
    np.testing.assert_allclose(tiled.probabilities(image)[0], expected / 255, atol=1e-6)


@pytest.mark.parametrize("size", [(100, 100), (33, 200), (500, 20), (64, 65), (257, 130)])
@pytest.mark.parametrize(("tile", "overlap"), [(64, 0.25), (50, 0.0), (41, 0.6)])
def test_a_prediction_pixel_by_pixel_stays_whatever_the_windows(
    size: tuple[int, int], tile: int, overlap: float
) -> None:
    image, network = picture(*size), Brightness()
    tiled = SlidingWindow(network, tile=tile, network_size=(48, 48), overlap=overlap, batch_size=3)
    probs = tiled.probabilities(image)
    assert probs.dtype == np.float32
    np.testing.assert_allclose(probs, Brightness().probabilities(image), atol=1e-6)
    assert {s for sizes in network.sizes for s in sizes} == {(tile, tile)}
    assert max(len(sizes) for sizes in network.sizes) <= 3


@pytest.mark.parametrize("length", [65, 97, 128, 250, 1000, 6000])
@pytest.mark.parametrize(("tile", "network"), [(64, 64), (64, 128), (300, 128), (37, 32)])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_windows_reach_the_end_overlap_enough_and_do_not_waste(
    length: int, tile: int, network: int, overlap: float
) -> None:
    tiled = SlidingWindow(Mean(), tile=tile, network_size=(network, network), overlap=overlap)
    starts = tiled.starts(length, axis=0)
    assert starts[0] == 0
    assert starts[-1] + tile >= length
    if len(starts) == 1:
        assert length <= tile
        return
    assert starts[-2] + tile < length  # each is needed
    assert starts[-1] < length
    steps = np.diff(starts)
    assert (steps > 0).all()
    assert steps.max() <= tile * (1 - overlap) + 1  # rounding to image pixels


def test_windows_start_where_the_network_halves_its_input() -> None:
    for tile in (256, 300, 500):
        tiled = SlidingWindow(Mean(), tile=tile, network_size=(128, 128))
        starts = np.array(tiled.starts(6000, axis=1)) * 128 / tile
        np.testing.assert_allclose(starts % 32, 0, atol=1e-9)


def test_a_mosaic_cut_at_its_joints_is_predicted_as_its_images_are() -> None:
    images = [[picture(64, 64, seed=3 * i + j) for j in range(3)] for i in range(2)]
    network = predictor(32)
    tiled = SlidingWindow(network, tile=64, network_size=(32, 32), overlap=0, batch_size=1)
    expected = np.block([[network.probabilities(image)[0] for image in row] for row in images])
    mosaic = np.concatenate([np.concatenate(row, axis=1) for row in images])
    np.testing.assert_array_equal(tiled.probabilities(mosaic)[0], expected)


# A pixel of this U-Net sees 22 to each side: 2 at full size after the last and before the first
# halving each, 2 at half size twice, 2 at a quarter, and up to 3 by where the halvings lie.
@pytest.mark.parametrize("outputs", [1, 3])
def test_windows_agree_with_the_whole_image_where_overlap_exceeds_what_a_pixel_sees(
    outputs: int,
) -> None:
    image = picture(300, 372)
    whole = predictor((300, 372), outputs=outputs).probabilities(image)
    tiled = SlidingWindow(
        predictor(128, outputs=outputs), tile=128, network_size=(128, 128), overlap=0.5, margin=24
    ).probabilities(image)
    assert np.ptp(whole) > 0.5
    inner = np.s_[:, 24 : 300 - 24, 24 : 372 - 24]
    assert np.abs(tiled - whole)[inner].max() < 1e-5
    # smoothly blended without a margin, what is odd at a window's edge is damped, not gone
    plain = SlidingWindow(
        predictor(128, outputs=outputs), tile=128, network_size=(128, 128), overlap=0.5
    ).probabilities(image)
    assert 1e-5 < np.abs(plain - whole)[inner].max() < 0.1


def test_several_classes_still_add_up_to_one() -> None:
    tiled = SlidingWindow(predictor(32, outputs=4), tile=48, network_size=(32, 32))
    np.testing.assert_allclose(tiled.probabilities(picture(100, 140)).sum(0), 1, atol=1e-5)


def test_strips_join_to_the_whole_and_are_small() -> None:
    image = picture(900, 96)
    tiled = SlidingWindow(predictor(32, outputs=3), tile=64, network_size=(32, 32))
    parts = list(tiled.strips(image))
    assert [y for y, _ in parts] == [0, *np.cumsum([p.shape[1] for _, p in parts])[:-1]]
    assert max(p.shape[1] for _, p in parts) <= 64
    np.testing.assert_array_equal(
        np.concatenate([p for _, p in parts], axis=1), tiled.probabilities(image)
    )


def test_strips_that_were_yielded_do_not_change() -> None:
    rows = SlidingWindow(Brightness(), tile=32, network_size=(32, 32)).strips(picture(200, 40))
    first = next(rows)[1]
    kept = first.copy()
    list(rows)
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("size", [(64, 64), (40, 64), (10, 30)])
def test_an_image_that_fits_into_a_tile_is_predicted_as_it_is(size: tuple[int, int]) -> None:
    network, image = predictor(32), picture(*size)
    tiled = SlidingWindow(network, tile=64, network_size=(32, 32))
    np.testing.assert_array_equal(tiled.probabilities(image), network.probabilities(image))


def test_several_images_are_as_single_ones_whatever_fills_a_batch() -> None:
    images = [picture(90, 70), picture(30, 30), picture(64, 200)]
    single = SlidingWindow(predictor(32), tile=48, network_size=(32, 32), batch_size=1)
    batches = SlidingWindow(predictor(32), tile=48, network_size=(32, 32), batch_size=7)
    for one, image in zip(batches.batch(images), images, strict=True):
        np.testing.assert_allclose(one, single.probabilities(image), atol=1e-5)


def test_windows_have_the_networks_proportions() -> None:
    network = Brightness()
    image = picture(300, 300)
    probs = SlidingWindow(network, tile=96, network_size=(32, 64)).probabilities(image)
    assert {s for sizes in network.sizes for s in sizes} == {(48, 96)}
    np.testing.assert_allclose(probs, Brightness().probabilities(image), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_images_and_those_of_more_bits_are_cut_alike(channels: int, dtype: type) -> None:
    image = picture(70, 90)[..., :channels].astype(dtype)
    probs = SlidingWindow(Brightness(), tile=32, network_size=(32, 32)).probabilities(image)
    np.testing.assert_allclose(probs, Brightness().probabilities(image), atol=1e-6)


def test_views_within_windows_are_the_views_of_the_image() -> None:
    image = picture(100, 130)
    inside = SlidingWindow(
        TestTimeAugmentation(Brightness()), tile=48, network_size=(32, 32)
    ).probabilities(image)
    around = TestTimeAugmentation(
        SlidingWindow(Brightness(), tile=48, network_size=(32, 32))
    ).probabilities(image)
    np.testing.assert_allclose(inside, around, atol=1e-6)


def test_nan_stays_where_it_is() -> None:
    class Lost(Brightness):
        def batch(self, images: list[NDArray]) -> list[NDArray[np.float32]]:
            return [np.where(p > 0.99, np.nan, p) for p in super().batch(images)]

    image = picture(100, 100) // 2 + 30
    image[80, 10] = 255
    probs = SlidingWindow(Lost(), tile=48, network_size=(32, 32)).probabilities(image)
    assert np.argwhere(np.isnan(probs[0])).tolist() == [[80, 10]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tile": 0}, "tile=0 .*16"),
        ({"overlap": 1.0}, r"overlap=1\.0 .*0\.75"),
        ({"overlap": -0.1}, "overlap=-0.1"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"margin": 20}, "margin=20"),
    ],
)
def test_values_out_of_range_are_refused(change: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SlidingWindow(Mean(), **{"tile": 64, "network_size": (32, 32)} | change)


@pytest.mark.parametrize("margin", [0, 3])
@pytest.mark.parametrize("starts", [[0], [0, 12], [0, 10, 20], [0, 5, 10, 15], [0, 3, 12, 17]])
def test_weights_add_up_to_one_wherever_there_is_a_window(starts: list[int], margin: int) -> None:
    total = np.zeros(starts[-1] + 20)
    for start, share in zip(starts, blending_weights(starts, 20, margin=margin), strict=True):
        assert share.min() >= 0
        total[start : start + 20] += share
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_weights_fall_smoothly_to_a_neighbour_and_not_at_the_ends() -> None:
    first, last = blending_weights([0, 12], 20)
    np.testing.assert_allclose(first[:12], 1)
    np.testing.assert_allclose(last[8:], 1)
    expected = np.cos(np.pi / 2 * (np.arange(8) + 0.5) / 8) ** 2
    np.testing.assert_allclose(first[12:], expected, atol=1e-6)
    np.testing.assert_allclose(first[12:], last[:8][::-1], atol=1e-6)


def test_a_margin_does_not_count_where_a_neighbour_has_it() -> None:
    first, middle, last = blending_weights([0, 10, 20], 20, margin=3)
    assert (middle[:3] == 0).all()
    assert (middle[-3:] == 0).all()
    assert (first[:10] == 1).all()
    assert (last[-10:] == 1).all()
    assert (first[-3:] == 0).all()
    expected = np.cos(np.pi / 2 * (np.arange(4) + 0.5) / 4) ** 2  # all of the overlap that is left
    np.testing.assert_allclose(first[13:17], expected, atol=1e-6)


def test_windows_that_touch_have_a_hard_edge() -> None:
    assert all((share == 1).all() for share in blending_weights([0, 20, 40], 20))


def test_too_narrow_an_overlap_for_the_margin_is_refused_with_the_figures() -> None:
    with pytest.raises(ValueError, match="by 8: margin=4 .*8; .*overlap"):
        blending_weights([0, 12], 20, margin=4)


def test_windows_with_a_gap_between_them_are_refused() -> None:
    with pytest.raises(ValueError, match="by -1"):
        blending_weights([0, 21], 20)
