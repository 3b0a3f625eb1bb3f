"""Windows are cut alike from arrays and tensors, and mirrored beyond an image."""

import numpy as np
import pytest
import torch

from seg.data.windows import cut, cut_mask

PLACES = [((0, 0), (4, 4)), ((3, 2), (4, 6)), ((5, 5), (30, 9)), ((0, 6), (9, 20))]


@pytest.mark.parametrize(("corner", "size"), PLACES)
@pytest.mark.parametrize("shape", [(8, 9, 3), (1, 1, 1), (2, 40, 5)])
def test_a_window_is_that_of_the_mirrored_image(corner, size, shape) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    mirrored = np.pad(image, ((0, 60), (0, 60), (0, 0)), mode="reflect")
    expected = mirrored[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]]
    np.testing.assert_array_equal(cut(image, corner, size), expected)
    np.testing.assert_array_equal(cut(torch.from_numpy(image), corner, size), expected)


@pytest.mark.parametrize(("corner", "size"), PLACES)
def test_beyond_a_mask_is_the_value_asked_for(corner, size) -> None:
    mask = np.random.default_rng(0).integers(0, 3, (8, 9), dtype=np.uint8)
    filled = np.pad(mask, (0, 60), constant_values=255)
    expected = filled[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]]
    np.testing.assert_array_equal(cut_mask(mask, corner, size, fill=255), expected)
    tensor = cut_mask(torch.from_numpy(mask), corner, size, fill=255)
    np.testing.assert_array_equal(tensor, expected)
