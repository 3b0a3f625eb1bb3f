"""Stored intensities to network input."""

import numpy as np
import pytest
import torch

from seg.models.normalize import MODES, Normalize

MEAN, STD = [120.0, 60.0, 30.0], [50.0, 40.0, 10.0]


def _image(dtype=torch.uint8):
    g = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, 3, 8, 9), generator=g, dtype=torch.uint8).to(dtype)


def _reference_normalize(image, mode):
    """Pixel values as float64, one image and channel at a time."""
    out = np.empty(image.shape, dtype=np.float64)
    for n, c in np.ndindex(*image.shape[:2]):
        plane = image[n, c].numpy().astype(np.float64)
        mean, std = {
            "unit": (0.0, 255.0),
            "dataset": (MEAN[c], STD[c]),
            "image": (plane.mean(), plane.std()),
        }[mode]
        out[n, c] = (plane - mean) / std
    return out


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_agrees_with_a_plain_computation(mode, dtype):
    out = Normalize(mode=mode, mean=MEAN, std=STD)(_image(dtype))
    assert out.dtype == torch.float32
    expected = _reference_normalize(_image(), mode)
    np.testing.assert_allclose(out.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_unit_is_from_zero_to_one_whatever_the_statistics():
    image = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 2)
    out = Normalize(mode="unit", mean=[99.0], std=[3.0])(image)
    assert out.flatten().tolist() == [0, 1]


def test_image_mode_leaves_each_image_centred_with_unit_deviation():
    image = _image(torch.float32)
    image[1] = image[1] * 0.1 + 100
    out = Normalize(mode="image", mean=MEAN, std=STD)(image)
    torch.testing.assert_close(out.mean((2, 3)), torch.zeros(2, 3), atol=1e-4, rtol=0)
    torch.testing.assert_close(out.std((2, 3), correction=0), torch.ones(2, 3), atol=1e-3, rtol=0)


def test_image_mode_does_not_depend_on_the_other_images_of_the_batch():
    layer, image = Normalize(mode="image", mean=MEAN, std=STD), _image()
    torch.testing.assert_close(layer(image)[:1], layer(image[:1]))


@pytest.mark.parametrize("value", [0, 17, 255])
def test_an_image_of_one_value_becomes_zero_and_not_nan(value):
    image = torch.full((1, 3, 4, 4), value, dtype=torch.uint8)
    assert Normalize(mode="image", mean=MEAN, std=STD)(image).abs().max() == 0


def test_an_image_of_one_pixel_becomes_zero_and_not_nan():
    image = torch.full((1, 3, 1, 1), 9, dtype=torch.uint8)
    assert Normalize(mode="image", mean=MEAN, std=STD)(image).abs().max() == 0


def test_the_statistics_travel_with_the_weights():
    source = Normalize(mode="dataset", mean=MEAN, std=STD)
    other = Normalize(mode="dataset", mean=[0.0] * 3, std=[1.0] * 3)
    other.load_state_dict(source.state_dict())
    assert torch.equal(other(_image()), source(_image()))
    assert list(source.parameters()) == []  # nothing here is trained


def test_a_mode_that_is_none_is_refused_with_the_choices():
    with pytest.raises(
        ValueError, match=r"dataset\.normalize='imagenet' is none of unit, dataset, image"
    ):
        Normalize(mode="imagenet", mean=MEAN, std=STD)
