"""Mask values to class indices, and the rule for JPEG masks."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from seg.data.errors import DataError
from seg.data.images import read_mask
from seg.data.masks import to_indices, to_planes, uses_colours

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "data"
PATH = Path("mask.png")


def _indices(values, classes=None, *, ignore_value=None, lossy=False, dtype=np.uint8):
    array = np.asarray(values, dtype=dtype)
    return to_indices(array, lossy=lossy, classes=classes, ignore_value=ignore_value, path=PATH)


RED, GREEN, WHITE = [255, 0, 0], [0, 255, 0], [255, 255, 255]
BLACK = [0, 0, 0]
ACCEPTED = {
    "0 and 1": ([[0, 1]], None, None, [[0, 1]]),
    "0 and 255": ([[0, 255]], None, None, [[0, 1]]),
    "empty": ([[0, 0]], None, None, [[0, 0]]),
    "all foreground": ([[255, 255]], None, None, [[1, 1]]),
    "0, 1 and ignored 255": ([[0, 1, 255]], None, 255, [[0, 1, 255]]),
    "0, 255 and ignored 128": ([[0, 255, 128]], None, 128, [[0, 1, 255]]),
    "values": ([[0, 128, 255]], {"a": 255, "b": 128}, None, [[0, 2, 1]]),
    "lists of values": ([[0, 3, 5, 9]], {"a": [3, 9], "b": 5}, None, [[0, 1, 2, 1]]),
    "three values": ([[7, 8, 9, 0]], {"a": [7, 8, 9]}, None, [[1, 1, 1, 0]]),
    "ignore": ([[0, 1, 9]], {"a": 1}, 9, [[0, 1, 255]]),
    "ignored zero": ([[0, 1, 2]], {"bg": 1, "a": 2}, 0, [[255, 1, 2]]),
    "colours": ([[RED, GREEN, BLACK]], {"a": RED, "b": GREEN}, None, [[1, 2, 0]]),
    "hex colours": ([[RED, GREEN, BLACK]], {"a": "#00ff00", "b": "FF0000"}, None, [[2, 1, 0]]),
    "lists of colours": (
        [[RED, GREEN, WHITE]],
        {"a": [RED, "#00ff00"], "b": [WHITE]},
        None,
        [[1, 1, 2]],
    ),
    "three numbers in colour": ([[[7, 8, 9], BLACK]], {"a": [7, 8, 9]}, None, [[1, 0]]),
    "ignored white": ([[RED, WHITE, BLACK]], {"a": RED}, 255, [[1, 255, 0]]),
    "colours, empty grey file": ([[0, 0]], {"a": RED}, None, [[0, 0]]),
    "grey colours, grey file": ([[0, 255]], {"a": RED, "b": WHITE}, None, [[0, 2]]),
}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
@pytest.mark.parametrize("case", ACCEPTED)
def test_values_become_indices(case, dtype):
    values, classes, ignore_value, expected = ACCEPTED[case]
    indices = _indices(values, classes, ignore_value=ignore_value, dtype=dtype)
    assert indices.dtype == np.uint8
    assert indices.tolist() == expected


def test_values_beyond_eight_bits_are_exact():
    assert _indices([[0, 256, 65535]], {"a": 256, "b": 65535}, dtype=np.uint16).tolist() == [
        [0, 1, 2]
    ]
    assert _indices([[0, -5, 70000]], {"a": 70000, "b": -5}, dtype=np.int32).tolist() == [[0, 2, 1]]


def test_random_labels_agree_with_a_plain_loop():
    values = np.random.default_rng(0).choice([0, 4, 7, 200], (40, 30)).astype(np.uint8)
    classes = {"a": 200, "b": [4, 7]}
    expected = np.vectorize({0: 0, 200: 1, 4: 2, 7: 2}.get)(values)
    for dtype in (np.uint8, np.int32):
        assert np.array_equal(_indices(values, classes, dtype=dtype), expected)


REFUSED = {
    "stray value": ([[0, 255, 7, 7]], None, None, r"mask.png: value 7 \(50 % of pixels\)"),
    "three levels": ([[0, 128, 255]], None, None, "value 128 .* binary.*dataset.classes"),
    "both 1 and 255": ([[0, 1, 255]], None, None, "both 1 and 255"),
    "both, without 0": ([[1, 255]], None, None, "both 1 and 255"),
    "unclaimed": ([[0, 1, 2]], {"a": 1}, None, r"value 2 \(33 % "),
    "only 255 where 1 is claimed": ([[0, 255]], {"a": 1}, None, "value 255"),
    "many": ([[0, 2, 3, 4, 5, 6, 7]], None, None, "and 2 more"),
    "unclaimed colour": ([[RED, GREEN]], {"a": RED}, None, "colour #00ff00 .50 % of pixels"),
    "colour file, value classes": (
        [[RED, BLACK]],
        {"a": 1},
        None,
        r"dataset\.classes=.*255, 0, 0",
    ),
    "colour file, no classes": ([[RED, BLACK]], None, None, "colour mask"),
    "grey that is no whole part of a colour": ([[0, 254]], {"a": RED}, None, "value 254"),
    "index file, colour classes": ([[0, 1]], {"a": RED}, None, "value 1"),
}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("case", REFUSED)
def test_unclaimed_value_is_refused_by_name(case, dtype):
    values, classes, ignore_value, reason = REFUSED[case]
    with pytest.raises(DataError, match=reason) as caught:
        _indices(values, classes, ignore_value=ignore_value, dtype=dtype)
    assert "\n" not in str(caught.value)
    assert "; " in str(caught.value)


@pytest.mark.parametrize(
    ("classes", "ignore_value", "reason"),
    [
        ({}, None, "1 to 254 classes"),
        ({"a": 0}, None, "a: .*background"),
        ({"a": [0, 1]}, None, "a: .*background"),
        ({"a": 1, "b": [2, 1]}, None, "1 belongs to a and b.*overlap=true"),
        ({"a": 1.5}, None, "dataset.classes: a: |dataset.classes: b: "),
        ({"a": True}, None, "dataset.classes: a: |dataset.classes: b: "),
        ({"a": []}, None, "dataset.classes: a: |dataset.classes: b: "),
        ({"a": "red"}, None, "dataset.classes: a: |dataset.classes: b: "),
        ({"a": [256, 0, 0]}, None, "dataset.classes: a: |dataset.classes: b: "),
        ({"a": "#ff0000", "b": 1}, None, "dataset.classes: a: |dataset.classes: b: "),
        ({"a": 1}, 1, "dataset.ignore_value=1"),
    ],
)
def test_classes_that_contradict_are_refused(classes, ignore_value, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        _indices([[0, 1]], classes, ignore_value=ignore_value)
    assert not isinstance(caught.value, DataError)


def test_only_unmistakable_colours_use_colours():
    assert uses_colours({"a": RED})
    assert uses_colours({"a": "#ff0000"})
    assert uses_colours({"a": [RED]})
    assert uses_colours({"a": [7, 8, 9], "b": RED})
    assert not uses_colours({"a": [7, 8, 9]})
    assert not uses_colours({"a": 1})
    assert not uses_colours(None)


def _disc(size=96, radius=30):
    mask = np.zeros((size, size), np.uint8)
    cv2.circle(mask, (size // 2, size // 2), radius, 255, -1)
    return mask


def _through_jpeg(mask, quality, tmp_path):
    path = tmp_path / "mask.jpg"
    Image.fromarray(mask).save(path, quality=quality)
    values, lossy = read_mask(path)
    assert lossy
    return to_indices(values, lossy=True, classes=None, ignore_value=None, path=path)


@pytest.mark.parametrize("quality", [10, 50, 75, 95])
def test_jpeg_mask_is_thresholded_at_half(quality, tmp_path):
    truth = _disc() == 255
    indices = _through_jpeg(_disc(), quality, tmp_path)
    assert set(np.unique(indices)) == {0, 1}
    assert (indices != truth).mean() < 0.01
    assert quality < 95 or np.array_equal(indices, truth)


def test_jpeg_threshold_is_128():
    values = np.zeros((20, 20), np.uint8)
    values[0, :4] = [127, 128, 255, 224]
    assert _indices(values, lossy=True)[0, :5].tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("level", [0, 255])
def test_jpeg_mask_of_one_level_is_accepted(level, tmp_path):
    indices = _through_jpeg(np.full((40, 40), level, np.uint8), 75, tmp_path)
    assert (indices == (level == 255)).all()


def test_jpeg_mask_enlarged_smoothly_is_accepted(tmp_path):
    shrunk = cv2.resize(_disc(384, 120), (96, 96), interpolation=cv2.INTER_AREA)
    enlarged = cv2.resize(shrunk, (384, 384), interpolation=cv2.INTER_LINEAR)
    assert _through_jpeg(enlarged, 75, tmp_path).any()


@pytest.mark.parametrize("quality", [30, 75, 95])
@pytest.mark.parametrize("radius", [8, 30])
def test_jpeg_mask_with_a_third_grey_is_refused(quality, radius, tmp_path):
    mask = _disc(192, 60)
    cv2.circle(mask, (30, 30), radius, 128, -1)
    with pytest.raises(DataError, match="third grey level, about 1[23]"):
        _through_jpeg(mask, quality, tmp_path)


def test_jpeg_photograph_is_refused_as_a_mask(tmp_path):
    rng = np.random.default_rng(0)
    photo = cv2.GaussianBlur(rng.integers(0, 256, (96, 96, 3), dtype=np.uint8), (0, 0), 2)
    photo = cv2.normalize(photo, None, 0, 255, cv2.NORM_MINMAX)
    with pytest.raises(DataError, match="JPEG in colour"):
        _through_jpeg(photo, 90, tmp_path)
    with pytest.raises(DataError, match="neither black nor white"):
        _through_jpeg(photo[..., 0], 90, tmp_path)


@pytest.mark.parametrize(
    ("high", "reason"),
    [(1, "does not keep such values"), (20, "does not keep"), (130, "without white")],
)
def test_jpeg_mask_without_white_is_refused(high, reason, tmp_path):
    with pytest.raises(DataError, match=reason):
        _through_jpeg((_disc() > 0).astype(np.uint8) * np.uint8(high), 100, tmp_path)


@pytest.mark.parametrize(
    ("classes", "ignore_value"), [({"a": 1, "b": 2}, None), (None, 255), ({"a": 255}, 128)]
)
def test_jpeg_mask_of_several_classes_is_refused(classes, ignore_value):
    with pytest.raises(DataError, match="PNG"):
        _indices(_disc(), classes, ignore_value=ignore_value, lossy=True)


def test_jpeg_mask_of_one_named_class_is_its_white():
    assert np.array_equal(_indices(_disc(), {"polyp": 255}, lossy=True), _disc() == 255)
    with pytest.raises(DataError, match="value 255"):
        _indices(_disc(), {"polyp": 1}, lossy=True)


@pytest.mark.parametrize("name", ["kvasir_seg_256", "kvasir_seg_native"])
def test_real_jpeg_masks_are_accepted_and_their_photographs_refused(name):
    masks = sorted((SAMPLES / name / "masks").glob("*.jpg"))
    if not masks:
        pytest.skip(f"no {name} samples beside the repository")
    for path in masks:
        values, lossy = read_mask(path)
        indices = to_indices(values, lossy=lossy, classes=None, ignore_value=None, path=path)
        assert np.array_equal(indices, np.asarray(Image.open(path).convert("L")) >= 128)
    for path in sorted((SAMPLES / name / "images").glob("*.jpg"))[::40]:
        values, lossy = read_mask(path)
        with pytest.raises(DataError, match="JPEG in colour"):
            to_indices(values, lossy=lossy, classes=None, ignore_value=None, path=path)


def test_real_three_level_masks_need_their_classes(tmp_path):
    masks = sorted((SAMPLES / "wbc" / "masks").glob("*.png"))[::30]
    if not masks:
        pytest.skip("no wbc samples beside the repository")
    for path in masks:
        values, lossy = read_mask(path)
        with pytest.raises(DataError, match="value 128"):
            to_indices(values, lossy=lossy, classes=None, ignore_value=None, path=path)
        classes = {"cytoplasm": 128, "nucleus": 255}
        indices = to_indices(values, lossy=lossy, classes=classes, ignore_value=None, path=path)
        assert np.array_equal(indices, values.astype(int) // 127)
        with pytest.raises(DataError, match="third grey|neither black nor white"):
            _through_jpeg(values, 75, tmp_path)


def test_values_of_several_classes_become_planes() -> None:
    values = np.random.default_rng(0).choice([0, 1, 2, 3, 9], (20, 30)).astype(np.uint8)
    classes = {"cell": [1, 2], "nucleus": 2, "spot": [2, 3]}
    about = {"lossy": False, "ignore_value": 9, "path": PATH}
    for dtype in (np.uint8, np.int32):
        planes = to_planes(values.astype(dtype), classes=classes, **about)
        assert planes.shape == (20, 30, 3)
        assert planes.dtype == np.uint8
        for plane, claim in zip(np.moveaxis(planes, 2, 0), classes.values(), strict=True):
            inside = np.isin(values, claim).astype(np.uint8)
            assert np.array_equal(plane, np.where(values == 9, 255, inside))
    with pytest.raises(DataError, match="value 3"):
        to_planes(values, classes={"cell": [1, 2], "nucleus": 2}, **about)
    with pytest.raises(ValueError, match="background"):
        to_planes(values, classes={"cell": [0, 1], "nucleus": 2}, **about)


def test_colours_of_several_classes_become_planes() -> None:
    values = np.array([[RED, GREEN, BLACK]], np.uint8)
    classes = {"disc": [RED, GREEN], "cup": "#00ff00"}
    planes = to_planes(values, lossy=False, classes=classes, ignore_value=None, path=PATH)
    assert planes.tolist() == [[[1, 0], [1, 1], [0, 0]]]
