"""Corruptions: what they do to images of any kind, how much, and that the mask goes along."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from omegaconf import OmegaConf

from seg.cli.compose import CONF_DIR
from seg.evaluation.corruptions import UNITS, amount_for, corrupt

AMOUNTS = {name: OmegaConf.load(CONF_DIR / "protocol" / "robustness.yaml")[name] for name in UNITS}
NOTHING = {"blur": 1e-6, "noise": 1e-9, "brightness": 1.0, "scale": 1.0, "rotation": 1e-9}


def image_of(channels: int, kind: str, size: tuple[int, int] = (160, 220)) -> NDArray:
    """A texture; of 16 bits a small part of the range, as from a scanner of 12 bits."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    planes = [np.sin(rows / (5 + c)) * np.cos(columns / (9 - c % 4)) for c in range(channels)]
    fine = np.random.default_rng(0).normal(0, 9, (*size, channels))
    values = (127 + 90 * np.stack(planes, axis=2) + fine).clip(0, 255)
    if kind == "uint8":
        return np.rint(values).astype(np.uint8)
    return (values / 16).astype(np.float32)


def degraded(image: NDArray, name: str, amount: float, case: str = "a") -> NDArray:
    mask = np.zeros(image.shape[:2], np.uint8)
    return corrupt(image, mask, corruption=name, amount=amount, case=case)[0]


@pytest.mark.parametrize("kind", ["uint8", "float32"])
@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("name", UNITS)
def test_any_image_keeps_its_form_and_loses_more_at_each_strength(
    name: str, channels: int, kind: str
) -> None:
    image = image_of(channels, kind)
    before = image.copy()
    losses = []
    for amount in AMOUNTS[name]:
        after = degraded(image, name, amount)
        assert (after.shape, after.dtype) == (image.shape, image.dtype)
        assert after.min() >= 0
        assert after.max() <= 255
        losses.append(np.abs(after.astype(float) - image).mean())
    np.testing.assert_array_equal(image, before)
    assert losses[0] > 0
    if name in ("blur", "noise", "jpeg", "brightness"):
        assert losses == sorted(losses)


@pytest.mark.parametrize("name", NOTHING)
def test_the_smallest_amount_changes_nothing(name: str) -> None:
    image = image_of(3, "uint8")
    mask = (image[..., 0] > 127).astype(np.uint8)
    after = corrupt(image, mask, corruption=name, amount=NOTHING[name], case="a")
    np.testing.assert_array_equal(after[0], image)
    np.testing.assert_array_equal(after[1], mask)


@pytest.mark.parametrize("name", UNITS)
def test_a_corruption_follows_from_the_names_alone(name: str) -> None:
    image, amount = image_of(3, "uint8"), AMOUNTS[name][2]
    once = degraded(image, name, amount)
    np.random.default_rng().random()
    np.testing.assert_array_equal(degraded(image, name, amount), once)
    if name == "noise":
        assert (degraded(image, name, amount, case="b") != once).any()


@pytest.mark.parametrize(("kind", "span"), [("uint8", 255.0), ("float32", 40.0)])
def test_noise_is_a_share_of_the_range(kind: str, span: float) -> None:
    image = np.full((200, 300, 1), 120, np.dtype(kind))
    image[0, :2] = [[100], [140]]
    noise = degraded(image, "noise", 0.1).astype(float) - image
    assert noise.std() == pytest.approx(0.1 * span, rel=0.02)
    assert abs(noise.mean()) < 0.01 * span
    weak = degraded(image, "noise", 0.05).astype(float) - image
    assert np.corrcoef(noise.ravel(), weak.ravel())[0, 1] > 0.99  # the same at every strength


def test_blur_is_a_share_of_the_shorter_side() -> None:
    image = np.zeros((100, 200, 1), np.float32)
    image[50, 100] = 255
    spot = degraded(image, "blur", 0.03)[..., 0] / 255  # sigma of 3 pixels
    columns = np.arange(200) - 100
    assert spot.sum() == pytest.approx(1, abs=1e-3)
    assert np.sqrt((spot.sum(0) * columns**2).sum()) == pytest.approx(3, rel=0.02)


def test_brightness_multiplies_and_saturates() -> None:
    image, factors = image_of(3, "uint8"), set()
    for case in "abcdef":
        factor = amount_for("brightness", 2, case)
        factors.add(factor)
        expected = np.clip(np.rint(image * np.float32(factor)), 0, 255)
        np.testing.assert_array_equal(degraded(image, "brightness", 2, case), expected)
    assert factors == {2, 0.5}


def test_jpeg_keeps_colours_and_the_range_of_more_bits() -> None:
    red = np.zeros((40, 40, 3), np.uint8)
    red[..., 0] = 200
    assert np.abs(degraded(red, "jpeg", 90).astype(int) - red).max() < 6
    dim = image_of(1, "float32")
    errors = degraded(dim, "jpeg", 90) - dim
    assert np.abs(errors).mean() < 0.02 * (dim.max() - dim.min())
    blank = np.full((40, 40, 1), 7, np.float32)
    np.testing.assert_array_equal(degraded(blank, "jpeg", 10), blank)


@pytest.mark.parametrize("name", ["brightness", "scale", "rotation"])
def test_about_half_of_the_cases_go_each_way(name: str) -> None:
    amounts = [amount_for(name, 2, f"images/{i}.png") for i in range(200)]
    inverse = -2 if name == "rotation" else 0.5
    assert set(amounts) == {2, inverse}
    assert 70 < amounts.count(2) < 130
    same = [amount_for(name, 5, f"images/{i}.png") > 1 for i in range(200)]
    assert same == [amount > 1 for amount in amounts]
    assert {amount_for(n, 2, str(i)) for n in ("blur", "noise", "jpeg") for i in range(20)} == {2}


@pytest.mark.parametrize("planes", [0, 2])
def test_a_quarter_turn_turns_image_and_mask(planes: int) -> None:
    image = image_of(5, "uint8", size=(51, 51))
    mask = (image[..., : planes or 1] > 150).astype(np.uint8)
    mask = mask if planes else mask[..., 0]
    turned = corrupt(image, mask, corruption="rotation", amount=90, case="a")
    times = 1 if amount_for("rotation", 90, "a") > 0 else -1  # counter-clockwise
    np.testing.assert_array_equal(turned[0], np.rot90(image, times))
    np.testing.assert_array_equal(turned[1], np.rot90(mask, times))


@pytest.mark.parametrize("case", ["a", "b", "c", "d"])
def test_scale_is_about_the_centre_and_what_comes_in_is_ignored(case: str) -> None:
    mask = np.zeros((100, 140), np.uint8)
    cv2.rectangle(mask, (60, 45), (79, 54), 1, -1)  # 20x10 about the centre
    image = np.repeat(mask[..., None] * 200, 3, axis=2)
    factor = amount_for("scale", 2, case)
    moved, reference = corrupt(image, mask, corruption="scale", amount=2, case=case)
    assert (reference == 1).sum() == pytest.approx(200 * factor**2, rel=0.1)
    rows, columns = np.nonzero(reference == 1)
    assert (rows.mean(), columns.mean()) == pytest.approx((49.5, 69.5), abs=0.6)
    outside = 1 - min(factor, 1) ** 2
    assert (reference == 255).mean() == pytest.approx(outside, abs=0.03)
    same = (moved[..., 0] > 100) == (reference == 1)
    assert same[reference != 255].mean() > 0.99
    assert {amount_for("scale", 2, name) for name in "abcd"} == {2, 0.5}
