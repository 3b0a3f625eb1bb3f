"""Facts against those worked out by hand or by scipy."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from seg.data.sources.folder import Folder

from .sets import scanned, square, write_set


def test_facts_are_those_worked_out_by_hand(tmp_path: Path) -> None:
    mask = square(60, side=20)
    mask[50, 50] = 255  # no speck beside 400 pixels: more than a thousandth
    pairs = write_set(tmp_path, [mask])
    (facts,) = scanned(pairs)
    image = np.array(Image.open(pairs[0].image))
    assert facts.size == (60, 60)
    assert (facts.kind, facts.mask_kind) == ("PNG 8-bit RGB", "PNG 8-bit grey")
    assert facts.values == {"0": 3600 - 401, "255": 401}
    assert facts.class_pixels == [3199, 401]
    assert facts.foreground == 401 / 3600
    assert (facts.components, facts.specks, facts.pinholes) == (2, 0, 0)
    assert facts.mean == pytest.approx(image.mean())
    for channel in range(3):
        expected = np.histogram(image[..., channel], bins=64, range=(0, 256))[0] / 3600
        assert facts.histogram[channel] == pytest.approx(expected)


def _reference_tiny(inside: np.ndarray) -> tuple[int, int, int]:
    """Parts, specks and pinholes by scipy, pixel by pixel."""
    eight = np.ones((3, 3))
    labels, parts = ndimage.label(inside, eight)
    limit = [n <= 4 and n < 0.001 * inside.sum() for n in range(6)]
    specks = sum(limit[min((labels == k).sum(), 5)] for k in range(1, parts + 1))
    holes, count = ndimage.label(~inside, eight)
    rim = set(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]]).tolist())
    pins = [k for k in range(1, count + 1) if k not in rim]
    return parts, specks, sum(limit[min((holes == k).sum(), 5)] for k in pins)


def test_specks_and_pinholes_are_those_of_a_reference(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    masks = []
    for _ in range(4):
        mask = square(120, side=80)
        for _ in range(12):
            y, x = rng.integers(0, 116, 2)
            h, w = rng.integers(1, 4, 2)
            mask[y : y + h, x : x + w] = 255 - mask[y, x]
        masks.append(mask)
    counts = [(f.components, f.specks, f.pinholes) for f in scanned(write_set(tmp_path, masks))]
    assert counts == [_reference_tiny(mask > 0) for mask in masks]
    assert sum(specks for _, specks, _ in counts) > 2
    assert sum(pins for *_, pins in counts) > 2


def test_background_cut_off_at_the_frame_is_no_pinhole(tmp_path: Path) -> None:
    mask = np.full((90, 90), 255, np.uint8)
    mask[0, :2] = 0
    mask[40, 40] = 0
    (facts,) = scanned(write_set(tmp_path, [mask]))
    assert facts.pinholes == 1


def test_ignored_pixels_are_no_foreground(tmp_path: Path) -> None:
    mask = square(value=1)
    mask[30:] = 255
    (facts,) = scanned(write_set(tmp_path, [mask]), ignore_value=255)
    assert facts.problems == []
    assert facts.foreground == 144 / 1600
    assert facts.class_pixels == [1600 - 144 - 400, 144]


def test_palette_masks_are_colours_only_where_the_classes_are(tmp_path: Path) -> None:
    pairs = write_set(tmp_path, [square(value=1)])
    indexed = Image.fromarray(square(value=1)).convert("P")
    indexed.putpalette([0, 0, 0, 200, 30, 40])
    indexed.save(pairs[0].mask_paths[0])
    (by_index,) = scanned(pairs, classes={"organ": 1})
    (by_colour,) = scanned(pairs, classes={"organ": "#c81e28"})
    assert by_index.values == {"0": 1456, "1": 144}
    assert by_colour.values == {"#000000": 1456, "#c81e28": 144}
    assert by_index.class_pixels == by_colour.class_pixels == [1456, 144]


def test_a_lossy_mask_is_counted_as_black_grey_and_white(tmp_path: Path) -> None:
    (pair,) = write_set(tmp_path, [square(60, side=21)])
    pair.mask_paths[0].unlink()
    blurred = cv2.GaussianBlur(square(60, side=21), (0, 0), 0.8)
    Image.fromarray(blurred).save(pair.mask_paths[0].with_suffix(".jpg"), quality=95)
    (facts,) = scanned(Folder(root=str(tmp_path)).pairs())
    grey = np.array(Image.open(facts.pair.mask_paths[0])).astype(int)
    expected = (grey < 32).sum(), ((grey >= 32) & (grey < 224)).sum(), (grey >= 224).sum()
    assert facts.greys == expected
    assert ((grey >= 224) & (grey < 250)).any()
    assert facts.values == {}
