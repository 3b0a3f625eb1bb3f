"""Connected components in a graph beside scipy's."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from seg.exporting.components import clean_up, components, fill_holes, largest_component


def random_masks(
    count: int = 12, size: tuple[int, int] = (23, 31), classes: int = 1, seed: int = 0
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, classes + 1, (count, *size)).astype(np.int64)


def spiral(side: int = 41) -> np.ndarray:
    """One path that winds inwards, a pixel wide."""
    mask = np.zeros((side, side), np.int64)
    top, left, bottom, right = 0, 0, side - 1, side - 1
    while top <= bottom and left <= right:
        mask[top, max(left - 2, 0) : right + 1] = 1
        mask[top : bottom + 1, right] = 1
        mask[bottom, left : right + 1] = 1
        mask[top + 2 : bottom + 1, left] = 1
        top, left, bottom, right = top + 2, left + 2, bottom - 2, right - 2
    return mask


def _reference_largest(mask: np.ndarray, index: int) -> np.ndarray:
    result, count = ndimage.label(mask == index, structure=np.ones((3, 3)))
    if count < 2:
        return mask
    sizes = np.bincount(result.ravel())[1:]
    return np.where((result > 0) & (result != 1 + sizes.argmax()), 0, mask)


def _reference_filled(mask: np.ndarray, index: int) -> np.ndarray:
    closed = ndimage.binary_fill_holes(mask == index)
    return np.where(closed & (mask == 0), index, mask)


@pytest.mark.parametrize("diagonal", [True, False])
def test_components_are_those_of_scipy(diagonal: bool) -> None:
    masks = np.concatenate([random_masks(size=(41, 41)), spiral()[None]])
    result = components(torch.from_numpy(masks == 1), diagonal=diagonal).numpy()
    structure = np.ones((3, 3)) if diagonal else None
    for one, mask in zip(result, masks, strict=True):
        expected, count = ndimage.label(mask == 1, structure=structure)
        pairs = {(a, b) for a, b in zip(one.ravel(), expected.ravel(), strict=True) if b}
        assert len(pairs) == count == len({a for a, _ in pairs})


def test_the_largest_component_is_left_in_each_mask() -> None:
    masks = random_masks(classes=2)
    for index in (1, 2):
        result = largest_component(torch.from_numpy(masks), index).numpy()
        for one, mask in zip(result, masks, strict=True):
            assert np.array_equal(one, _reference_largest(mask, index))


def test_holes_are_filled_and_other_classes_stay() -> None:
    # mostly of the class, so that there are holes
    masks = np.where(random_masks(classes=5) > 2, 1, random_masks(classes=2, seed=1))
    result = fill_holes(torch.from_numpy(masks), 1).numpy()
    assert (result != masks).any()
    assert any(((one == 2) & ndimage.binary_fill_holes(one == 1)).any() for one in masks)
    for one, mask in zip(result, masks, strict=True):
        assert np.array_equal(one, _reference_filled(mask, 1))


def test_a_hole_at_the_border_is_none() -> None:
    ring = torch.ones((1, 5, 5), dtype=torch.int64)
    ring[0, 2, 2:] = 0
    assert torch.equal(fill_holes(ring, 1), ring)
    ring[0, 2, 4] = 1
    assert fill_holes(ring, 1).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2)])
@pytest.mark.parametrize("value", [0, 1])
def test_small_empty_and_full_masks_stay(size: tuple[int, int], value: int) -> None:
    mask = torch.full((2, *size), value)
    steps = {"largest_component": ["a"], "fill_holes": ["a"]}
    assert torch.equal(clean_up(mask, steps, ["a"]), mask)


def test_steps_are_those_of_their_classes() -> None:
    mask = torch.zeros((1, 3, 7), dtype=torch.int64)
    mask[0, 0, [0, 2]], mask[0, 2, [0, 2, 3]] = 1, 2
    done = clean_up(mask, {"largest_component": ["b"], "fill_holes": []}, ["a", "b"])
    assert done[0, 0].tolist() == mask[0, 0].tolist()
    assert done[0, 2].tolist() == [0, 0, 2, 2, 0, 0, 0]


def test_planes_are_cleaned_up_each_for_itself():
    planes = np.stack([random_masks(seed=k) for k in range(2)], axis=1)  # (N, K, H, W)
    steps = {"largest_component": ["a"], "fill_holes": ["a", "b"]}
    cleaned = clean_up(torch.from_numpy(planes), steps, ["a", "b"]).numpy()
    for got, mask in zip(cleaned, planes, strict=True):
        assert np.array_equal(got[0], _reference_filled(_reference_largest(mask[0], 1), 1))
        assert np.array_equal(got[1], _reference_filled(mask[1], 1))
