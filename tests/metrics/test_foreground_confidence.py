"""The confidence in a mask, computed by hand and in parts."""

import numpy as np
import pytest
from numpy.typing import NDArray

from seg.metrics.foreground_confidence import ForegroundConfidence, foreground_confidence


def test_it_is_the_mean_probability_of_the_pixels_of_the_mask() -> None:
    probs = np.array([[[0.9, 0.6], [0.4, 0.1]]], np.float32)
    mask = np.array([[1, 1], [0, 0]], np.uint8)
    np.testing.assert_allclose(foreground_confidence(probs, mask, classes=1), [0.75], rtol=1e-6)


def test_without_a_pixel_it_is_the_probability_that_there_is_none() -> None:
    probs = np.array([[[0.3, 0.1], [0.0, 0.2]]], np.float32)
    found = foreground_confidence(probs, np.zeros((2, 2), np.uint8), classes=1)
    np.testing.assert_allclose(found, [0.7], rtol=1e-6)


def test_each_class_has_its_own_channel_and_the_background_none() -> None:
    probs = np.array([[[0.1, 0.7]], [[0.6, 0.2]], [[0.3, 0.1]]], np.float32)
    found = foreground_confidence(probs, probs.argmax(0).astype(np.uint8), classes=2)
    np.testing.assert_allclose(found, [0.6, 1 - 0.3], rtol=1e-6)


def test_classes_that_share_pixels_have_a_plane_each() -> None:
    probs = np.array([[[0.8, 0.6]], [[0.9, 0.4]]], np.float32)
    found = foreground_confidence(probs, (probs > 0.5).astype(np.uint8), classes=2)
    np.testing.assert_allclose(found, [0.7, 0.9], rtol=1e-6)


def _reference_confidence(probs: NDArray, mask: NDArray, classes: int) -> list[float]:
    values = []
    for k in range(1, classes + 1):
        p = probs[len(probs) - classes + k - 1].astype(float).ravel().tolist()
        area = ((mask == k) if mask.ndim == 2 else mask[k - 1] == 1).ravel().tolist()
        inside = [one for one, there in zip(p, area, strict=True) if there]
        values.append(sum(inside) / len(inside) if inside else 1 - max(p))
    return values


@pytest.mark.parametrize(("channels", "classes"), [(1, 1), (4, 3), (3, 3)])
def test_parts_of_an_image_are_as_the_whole(channels: int, classes: int) -> None:
    probs = np.random.default_rng(0).random((channels, 30, 20), dtype=np.float32)
    mask = (probs > 0.6).astype(np.uint8) if channels == classes > 1 else probs.argmax(0)
    mask = (probs[0] > 0.6) * 1 if channels == 1 else mask
    mask[mask == classes] = 0 if mask.ndim == 2 and classes > 1 else mask[mask == classes]
    parts = ForegroundConfidence(classes)
    for rows in (slice(0, 7), slice(7, 8), slice(8, 30)):
        parts.add(probs[:, rows], mask[..., rows, :].astype(np.uint8))
    expected = _reference_confidence(probs, mask, classes)
    np.testing.assert_allclose(parts.values(), expected, rtol=1e-6)
    whole = foreground_confidence(probs, mask.astype(np.uint8), classes=classes)
    np.testing.assert_allclose(whole, expected, rtol=1e-6)


def test_a_class_can_be_given_another_area() -> None:
    probs = np.array([[[0.9, 0.6, 0.2]]], np.float32)
    confidence = ForegroundConfidence(1)
    confidence.add(probs, np.array([[1, 1, 0]], np.uint8))
    confidence.replace(1, probs[0], np.array([[True, False, False]]))
    np.testing.assert_allclose(confidence.values(), [0.9], rtol=1e-6)
    confidence.replace(1, probs[0], np.zeros((1, 3), bool))
    np.testing.assert_allclose(confidence.values(), [0.1], rtol=1e-6)
