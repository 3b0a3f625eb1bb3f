"""The mean and deviation of images, by the sums of whole numbers and by hand."""

import numpy as np
import pytest

from seg.data.statistics import SAMPLE, histograms, mean_and_deviation


def _reference(images: list[np.ndarray]) -> tuple[list[float], list[float]]:
    total = np.zeros((2, images[0].shape[2]))
    for image in images:
        values = image.astype(np.float64)
        total += [values.mean((0, 1)), (values**2).mean((0, 1))]
    mean, square = total / len(images)
    return mean.tolist(), np.sqrt(np.maximum(square - mean**2, 1e-6)).tolist()


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_whole_numbers_give_the_same_digits_as_a_pass_over_the_pixels(channels: int) -> None:
    rng = np.random.default_rng(channels)
    shapes = rng.integers(1, 120, (20, 2)).tolist()
    images = [rng.integers(0, 256, (*shape, channels), dtype=np.uint8) for shape in shapes]
    assert mean_and_deviation(images, range(20), channels=channels) == _reference(images)
    deep = [image.astype(np.float32) / 3 for image in images]
    assert mean_and_deviation(deep, range(20), channels=channels) == _reference(deep)


def test_no_more_images_are_read_than_twice_the_sample() -> None:
    read = []

    class Images:
        def __getitem__(self, row: int) -> np.ndarray:
            read.append(row)
            return np.zeros((2, 2, 1), np.uint8)

    mean_and_deviation(Images(), range(100_000), channels=1)
    assert SAMPLE <= len(read) <= 2 * SAMPLE


def test_a_histogram_counts_every_pixel_of_its_channel() -> None:
    image = np.array([[[0, 255], [7, 7]]], np.uint8)
    counts = histograms(image)
    assert counts.sum(axis=1).tolist() == [2, 2]
    assert (counts[0, 0], counts[0, 7], counts[1, 7], counts[1, 255]) == (1, 1, 1, 1)
