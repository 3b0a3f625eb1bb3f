"""What is measured of a mask is the same in both forms, where no class shares a pixel."""

import numpy as np

from seg.data.planes import class_pixels, foreground_of, planes_first


def test_both_forms_of_a_mask_agree() -> None:
    indices = np.random.default_rng(0).choice([0, 1, 2, 255], (9, 11)).astype(np.uint8)
    planes = np.stack([indices == k for k in (1, 2)], axis=2).astype(np.uint8)
    planes[indices == 255] = 255
    assert np.array_equal(foreground_of(planes), foreground_of(indices))
    assert class_pixels(planes, 2) == class_pixels(indices, 2)
    assert planes_first(indices) is indices
    assert planes_first(planes).shape == (2, 9, 11)


def test_pixels_of_several_classes_count_for_each() -> None:
    planes = np.array([[[1, 0], [1, 1], [0, 0], [0, 255], [255, 1]]], np.uint8)
    assert foreground_of(planes).tolist() == [[True, True, False, False, True]]
    assert class_pixels(planes, 2) == [1, 2, 2]
