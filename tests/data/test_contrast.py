"""Contrast around the mean, against a plain reference."""

import albumentations as A
import numpy as np
import pytest

from seg.data.contrast import Contrast
from seg.data.symmetries import draw_from


def _reference(channel: np.ndarray, factor: float) -> np.ndarray:
    spread = channel.mean() + (channel - channel.mean()) * factor
    return np.minimum(np.maximum(spread, channel.min()), channel.max())


@pytest.mark.parametrize("factor", [0.75, 1.25])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_values_spread_around_the_mean_of_their_channel_within_its_range(
    factor: float, channels: int, dtype: type
) -> None:
    image = np.random.default_rng(0).integers(40, 200, (16, 24, channels)).astype(dtype)
    image = image / np.float32(255) if dtype == np.float32 else image
    mask = np.arange(16 * 24, dtype=np.uint8).reshape(16, 24)
    changed = A.Compose([Contrast(factor=(factor, factor), p=1.0)])(image=image, mask=mask)
    assert np.array_equal(changed["mask"], mask)
    assert changed["image"].dtype == dtype
    assert changed["image"].shape == image.shape
    for c in range(channels):
        expected = _reference(image[..., c].astype(np.float64), factor)
        allowed = 0.51 if dtype == np.uint8 else 1e-5
        assert np.abs(changed["image"][..., c] - expected).max() <= allowed


def test_each_channel_has_a_factor_of_its_own_from_the_one_stream_of_numbers() -> None:
    image = np.random.default_rng(0).integers(0, 255, (16, 16, 1), dtype=np.uint8).repeat(3, 2)
    pipeline = A.Compose([Contrast(factor=(0.5, 0.9), p=1.0)])
    drawn = []
    for seed in (1, 1, 2):
        draw_from(pipeline, seed)
        drawn.append(pipeline(image=image)["image"])
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    assert len({float(drawn[0][..., c].std()) for c in range(3)}) == 3
