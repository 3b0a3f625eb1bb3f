"""Resizing in a graph beside OpenCV's own."""

import cv2
import numpy as np
import pytest
import torch

from seg.exporting.resizing import bytes_to_size, linear_weights

SIZES = [
    ((256, 256), (64, 64)),  # whole parts
    ((128, 128), (64, 64)),  # halves, which OpenCV rounds up
    ((384, 640), (64, 64)),
    ((531, 622), (64, 64)),
    ((213, 64), (64, 64)),
    ((64, 500), (64, 64)),  # one side stays
    ((40, 500), (64, 64)),  # fewer pixels, but more rows
    ((500, 40), (64, 48)),
    ((65, 97), (128, 128)),
    ((100, 75), (100, 75)),
    ((3, 3), (64, 64)),
    ((1, 500), (64, 64)),
    ((9, 1), (32, 64)),
    ((1, 1), (64, 48)),
    ((7, 5), (1, 1)),
]


def _reference_to_size(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    fewer = size[0] * size[1] < image.shape[0] * image.shape[1]
    how = cv2.INTER_AREA if fewer else cv2.INTER_LINEAR
    return cv2.resize(image, size[::-1], interpolation=how)


@pytest.mark.parametrize(("own", "size"), SIZES)
def test_bytes_are_resized_to_the_last_bit_as_opencv_does(
    own: tuple[int, int], size: tuple[int, int]
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*own, 3), dtype=np.uint8)
    inputs = torch.from_numpy(image).permute(2, 0, 1)[None]
    resized = bytes_to_size(inputs, *size)[0].permute(1, 2, 0).numpy()
    assert np.array_equal(resized, _reference_to_size(image, size))


def test_averages_of_thirds_may_round_halves_to_either_side() -> None:
    image = np.random.default_rng(0).integers(0, 256, (213, 64, 3), dtype=np.uint8)
    inputs = torch.from_numpy(image).permute(2, 0, 1)[None]
    resized = bytes_to_size(inputs, 64, 48)[0].permute(1, 2, 0).numpy()
    off = np.abs(resized - _reference_to_size(image, (64, 48)))
    assert off.max() <= 1
    assert (off > 0).mean() < 0.001


@pytest.mark.parametrize(("own", "size"), SIZES)
def test_probabilities_are_resized_as_opencv_does(
    own: tuple[int, int], size: tuple[int, int]
) -> None:
    probs = np.random.default_rng(0).random(size, dtype=np.float32)
    expected = cv2.resize(probs, own[::-1], interpolation=cv2.INTER_LINEAR)
    rows, columns = (linear_weights(a, b) for a, b in zip(size, own, strict=True))
    resized = rows @ (torch.from_numpy(probs) @ columns.T)
    assert np.abs(resized.numpy() - expected).max() < 1e-6


def test_a_batch_is_resized_image_by_image() -> None:
    images = torch.randint(0, 256, (3, 1, 37, 51), dtype=torch.uint8)
    together = bytes_to_size(images, 16, 20)
    alone = [bytes_to_size(image[None], 16, 20) for image in images]
    assert torch.equal(together, torch.cat(alone))
