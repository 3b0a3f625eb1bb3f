"""Class indices from probabilities, against scipy's morphology."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from seg.data.preprocess import Preprocessing
from seg.inference.model import NO_POSTPROCESS, LoadedModel
from seg.inference.segmentation import clean_up, decide, fill_holes, largest_component, segment
from seg.metrics.foreground_confidence import foreground_confidence

EIGHT = np.ones((3, 3))


def blobs(seed: int, *, classes: int = 2, size: int = 40) -> NDArray[np.uint8]:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(size, size)), 1.5)
    return np.digitize(noise, np.quantile(noise, [0.6, 0.85])[:classes]).astype(np.uint8)


def _reference_largest(mask: NDArray, index: int) -> NDArray:
    parts, count = ndimage.label(mask == index, EIGHT)
    sizes = [int((parts == i).sum()) for i in range(1, count + 1)]
    kept = parts == 1 + sizes.index(max(sizes)) if sizes else np.zeros_like(mask, bool)
    return np.where((mask == index) & ~kept, 0, mask)


def _reference_filled(mask: NDArray, index: int) -> NDArray:
    return np.where(ndimage.binary_fill_holes(mask == index) & (mask == 0), index, mask)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("index", [1, 2])
def test_parts_and_holes_are_those_of_scipy(seed: int, index: int) -> None:
    mask = blobs(seed)
    np.testing.assert_array_equal(largest_component(mask, index), _reference_largest(mask, index))
    np.testing.assert_array_equal(fill_holes(mask, index), _reference_filled(mask, index))


def test_parts_touch_by_corners_and_holes_do_not_leak_through_them() -> None:
    ring = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.uint8)
    np.testing.assert_array_equal(largest_component(ring), ring)
    assert fill_holes(ring)[1, 1] == 1
    assert fill_holes(ring)[0, 0] == 0


def test_another_class_inside_a_hole_stays() -> None:
    mask = np.ones((5, 5), np.uint8)
    mask[1:4, 1:4] = 0
    mask[2, 2] = 2
    filled = fill_holes(mask, 1)
    assert filled[2, 2] == 2
    assert (filled == 1).sum() == 24


@pytest.mark.parametrize("value", [0, 1])
def test_empty_and_full_masks_stay_as_they_are(value: int) -> None:
    mask = np.full((7, 9), value, np.uint8)
    for step in (largest_component, fill_holes):
        np.testing.assert_array_equal(step(mask), mask)


def test_the_mask_that_came_in_is_left_as_it_was() -> None:
    mask = blobs(3)
    before = mask.copy()
    for step in (largest_component, fill_holes):
        step(mask, 1)
    np.testing.assert_array_equal(mask, before)


def test_only_the_classes_that_are_named_are_cleaned_up() -> None:
    mask = blobs(1)
    np.testing.assert_array_equal(clean_up(mask, NO_POSTPROCESS, ["a", "b"]), mask)
    steps = {"largest_component": ["b"], "fill_holes": ["b"]}
    expected = _reference_filled(_reference_largest(mask, 2), 2)
    assert (expected != mask).any()
    np.testing.assert_array_equal(clean_up(mask, steps, ["a", "b"]), expected)


def test_a_single_class_is_above_the_threshold_and_several_take_the_likeliest() -> None:
    one = np.array([[[0.3, 0.5, 0.500001]]], np.float32)
    np.testing.assert_array_equal(decide(one, 0.5), [[0, 0, 1]])
    np.testing.assert_array_equal(decide(one, 0.2), [[1, 1, 1]])
    three = np.array([[[0.2]], [[0.3]], [[0.5]]], np.float32)
    np.testing.assert_array_equal(decide(three, 0.9), [[2]])


def test_classes_that_share_pixels_have_a_threshold_and_a_clean_up_each() -> None:
    probs = np.random.default_rng(0).random((3, 30, 40), dtype=np.float32)
    one, each = decide(probs, 0.5, overlap=True), decide(probs, [0.5, 0.2, 0.9], overlap=True)
    for k, threshold in enumerate((0.5, 0.2, 0.9)):
        assert np.array_equal(one[k], decide(probs[k : k + 1], 0.5))
        assert np.array_equal(each[k], decide(probs[k : k + 1], threshold))
    planes = np.stack([blobs(seed, classes=1) for seed in range(3)])
    before = planes.copy()
    steps = {"largest_component": ["b"], "fill_holes": ["b", "c"]}
    cleaned = clean_up(planes, steps, ["a", "b", "c"])
    assert np.array_equal(planes, before)
    assert np.array_equal(cleaned[0], planes[0])
    assert np.array_equal(cleaned[1], fill_holes(largest_component(planes[1])))
    assert np.array_equal(cleaned[2], fill_holes(planes[2]))


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("cleaned", [[], ["b"]])
def test_the_confidence_is_that_of_the_mask_as_it_is_also_in_strips(
    overlap: bool, cleaned: list[str]
) -> None:
    noise = np.random.default_rng(0).normal(size=(3 - overlap, 60, 40))
    probs = np.exp(8 * ndimage.gaussian_filter(noise, (0, 2, 2)))
    probs = (probs / (1 + probs) if overlap else probs / probs.sum(0)).astype(np.float32)
    steps = {"largest_component": cleaned, "fill_holes": cleaned}
    model = LoadedModel(
        predictor=None, classes=["a", "b"], threshold=0.5, postprocess=steps, mean=[], std=[],
        preprocessing=Preprocessing(size=(8, 8), channels=1, classes=None, ignore_value=None,
                                    overlap=overlap), members=[],
    )  # fmt: skip
    strips = [(0, probs[:, :25]), (25, probs[:, 25:31]), (31, probs[:, 31:])]
    found = segment(iter(strips), (60, 40), model)
    plain = decide(probs, 0.5, overlap=overlap)
    assert (found.mask != plain).any() == bool(cleaned)
    expected = foreground_confidence(probs, found.mask, classes=2)
    np.testing.assert_allclose(found.foreground_confidence, expected, atol=1e-4)
    if cleaned:
        assert abs(found.foreground_confidence - foreground_confidence(probs, plain, classes=2))[1]
