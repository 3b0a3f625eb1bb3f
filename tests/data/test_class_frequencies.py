"""How frequent classes are, counted by hand."""

import numpy as np
import pytest

from seg.data.class_frequencies import class_frequencies


def test_a_class_is_counted_in_the_masks_that_have_it():
    first, second = np.zeros((4, 5), np.uint8), np.zeros((2, 5), np.uint8)
    first[0] = 1
    first[1, :2] = 2
    first[3] = 255  # 15 of 20 pixels count
    second[0] = 1
    shares = class_frequencies([first, second], 3)
    assert shares == pytest.approx([13 / 25, 10 / 25, 2 / 15, 0])


def test_planes_have_no_background():
    mask = np.zeros((4, 5, 2), np.uint8)
    mask[:2, :, 0] = 1
    mask[1, :, 1] = 1
    mask[3, :, 1] = 255
    empty = np.zeros((4, 5, 2), np.uint8)
    assert class_frequencies([mask, empty], 2, overlap=True) == pytest.approx([10 / 20, 5 / 15])
