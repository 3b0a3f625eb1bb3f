"""Classes that a mirror image exchanges."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from PIL import Image

from seg.data.mirrored_classes import by_masks, by_names, find_partners


@pytest.mark.parametrize(
    ("names", "axis"),
    [
        (["left", "right"], "horizontal"),
        (["right_kidney", "left_kidney"], "horizontal"),
        (["lung_left", "right lung"], "horizontal"),
        (["L", "R"], "horizontal"),
        (["LLung", "RLung"], "horizontal"),
        (["lung-l", "lung-r"], "horizontal"),
        (["leftLung", "rightLung"], "horizontal"),
        (["leftlung", "rightlung"], "horizontal"),
        (["Niere links", "Niere rechts"], "horizontal"),
        (["rein gauche", "rein droit"], "horizontal"),
        (["riñón izquierdo", "riñón derecho"], "horizontal"),
        (["OD", "OS"], "horizontal"),
        (["lt lung", "rt lung"], "horizontal"),
        (["upper_jaw", "lower_jaw"], "vertical"),
        (["top", "bottom"], "vertical"),
        (["superior rectus", "inferior rectus"], "vertical"),
    ],
)
def test_names_of_opposite_sides(names: list[str], axis: str) -> None:
    assert list(by_names(names)) == [(0, 1, axis)]
    assert list(by_names([names[1], "heart", names[0]])) == [(0, 2, axis)]


@pytest.mark.parametrize(
    "names",
    [
        ["left"], ["left lung", "right kidney"], ["LV", "RV", "MYO"], ["lesion", "resion"],
        ["organ", "lesion"], ["class_1", "class_2"], ["top", "stop"], ["disc", "cup"],
        ["left lung", "lung"], ["left upper lobe", "right lower lobe"], ["OD", "OC"],
        ["cytoplasm", "nucleus"], ["G3", "G4"], ["tool", "tissue"],
    ],
)  # fmt: skip
def test_other_names(names: list[str]) -> None:
    assert list(by_names(names)) == []


def two_organs(count: int, *, seed: int, jitter: int = 6, axis: int = 1) -> Iterator[np.ndarray]:
    """Class 1 left (or above) and class 2 right (or below) of the middle, 64x64."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        mask = np.zeros((64, 64), np.uint8)
        move = rng.integers(-jitter, jitter + 1, 2)
        for label, side in ((1, -14), (2, 14)):
            centre = (32 + move + rng.integers(-2, 3, 2)).astype(int)
            centre[1 - axis] += side
            axes = [int(x) for x in rng.integers(6, 12, 2)]
            cv2.ellipse(mask, [int(x) for x in centre], axes, 0, 0, 360, label, -1)
        yield mask


def anywhere(count: int, *, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        mask = np.zeros((64, 64), np.uint8)
        for label in (1, 2):
            centre = [int(x) for x in rng.integers(8, 56, 2)]
            cv2.circle(mask, centre, int(rng.integers(5, 12)), label, -1)
        yield mask


@pytest.mark.parametrize("jitter", [0, 6, 12])
@pytest.mark.parametrize(("axis", "name"), [(1, "horizontal"), (0, "vertical")])
def test_organs_on_opposite_sides(jitter: int, axis: int, name: str) -> None:
    for seed in range(5):
        masks = list(two_organs(28, seed=seed, jitter=jitter, axis=axis))
        assert list(by_masks(masks, 2)) == [(0, 1, name)]
        layers = [np.stack([mask == 1, mask == 2]).astype(np.uint8) for mask in masks]
        assert list(by_masks(layers, 2)) == [(0, 1, name)]


def test_organs_of_which_an_image_has_one() -> None:
    masks = [mask * (mask == 1 + i % 2) for i, mask in enumerate(two_organs(40, seed=0))]
    assert list(by_masks(masks, 2)) == [(0, 1, "horizontal")]


def test_classes_that_lie_anywhere() -> None:
    found = [list(by_masks(anywhere(20, seed=seed), 2)) for seed in range(100)]
    assert sum(map(bool, found)) <= 1


def test_sides_that_change_from_image_to_image() -> None:
    masks = [mask[:, :: 1 if i % 2 else -1] for i, mask in enumerate(two_organs(40, seed=0))]
    assert list(by_masks(masks, 2)) == []


def test_organs_of_other_sizes_and_a_single_one_on_one_side() -> None:
    small = [np.where(cv2.erode(mask, np.ones((9, 9))) == 2, 2, mask * (mask == 1))
             for mask in two_organs(40, seed=0)]  # fmt: skip
    assert list(by_masks(small, 2)) == []
    nested = [np.where((mask == 1) & (cv2.erode(mask, np.ones((5, 5))) == 1), 2, mask * (mask == 1))
              for mask in two_organs(40, seed=0)]  # fmt: skip
    assert list(by_masks(nested, 2)) == []
    assert list(by_masks([mask * (mask == 1) for mask in two_organs(40, seed=0)], 2)) == []


def test_few_masks_and_ignored_pixels_show_nothing() -> None:
    assert list(by_masks(two_organs(8, seed=0), 2)) == []
    assert list(by_masks([np.full((8, 8), 255, np.uint8)] * 40, 2)) == []


def test_what_says_so_is_kept_apart() -> None:
    masks = list(two_organs(28, seed=0))
    assert [p.by for p in find_partners(["left", "right"], masks)] == ["names and masks"]
    assert [p.by for p in find_partners(["a", "b"], masks)] == ["masks"]
    assert [p.by for p in find_partners(["left", "right"])] == ["names"]
    assert find_partners(["organ"], masks) == []


def test_blood_cells_are_no_partners(real) -> None:
    grey = [np.asarray(Image.open(path)) for path in sorted((real / "wbc/masks").iterdir())]
    masks = [(image == 128) + 2 * (image == 255).astype(np.uint8) for image in grey]
    assert len(masks) >= 300
    assert sum(mask.any() for mask in masks) >= 300
    for size in (20, 60, 300):
        for start in range(0, 300, size):
            assert list(by_masks(masks[start : start + size], 2)) == []
