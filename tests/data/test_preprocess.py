"""One case from its files to arrays: aligned, in range, and refused where the two do not fit."""

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from seg.data.errors import DataError
from seg.data.grey_masks import from_threshold
from seg.data.masks import to_indices
from seg.data.pairs import MaskFile, Pair
from seg.data.preprocess import (
    Preprocessing,
    image_to_size,
    mask_to_size,
    preprocessing,
    read_pair,
)

KEYS = {"image_size": 32, "channels": 3, "window": None, "classes": None, "ignore_value": None}


def written(folder: Path, image: np.ndarray, mask: np.ndarray) -> Pair:
    for name, array in (("image", image), ("mask", mask)):
        cv2.imwrite(str(folder / f"{name}.png"), array)
    return Pair("image.png", (folder / "image.png",), (MaskFile(folder / "mask.png"),), "g")


def test_keys_of_the_configuration_become_settings_that_do_not_change() -> None:
    made = preprocessing(**KEYS)
    assert made == Preprocessing(size=(32, 32), channels=3, classes=None, ignore_value=None)
    with pytest.raises(FrozenInstanceError):
        made.channels = 1  # type: ignore[misc]
    other = preprocessing(**KEYS | {"image_size": [24, 40], "window": [-100, 200]})
    assert other.size == (24, 40)  # height first
    assert other.window == (-100, 200)
    assert preprocessing(**KEYS | {"window": "percentile"}).window == "percentile"


def test_a_pair_is_read_at_its_own_size(tmp_path: Path) -> None:
    image = np.arange(30 * 20, dtype=np.uint16).reshape(30, 20).astype(np.uint8)
    mask = np.zeros((30, 20), np.uint8)
    mask[3:7, 2:9] = 255
    pair = written(tmp_path, image, mask)
    got, indices, lossy = read_pair(pair, preprocessing(**KEYS))
    assert got.dtype == np.uint8
    assert np.array_equal(got, np.repeat(image[..., None], 3, axis=2))
    assert np.array_equal(indices, mask // 255)
    assert not lossy
    grey, _, _ = read_pair(pair, preprocessing(**KEYS | {"channels": 1}))
    assert grey.shape == (30, 20, 1)


def test_classes_and_void_are_told_by_the_settings(tmp_path: Path) -> None:
    mask = np.tile(np.array([0, 64, 128, 9], np.uint8), (8, 2))
    pair = written(tmp_path, np.zeros((8, 8), np.uint8), mask)
    settings = KEYS | {"classes": {"organ": 128, "cyst": [64]}, "ignore_value": 9}
    _, indices, _ = read_pair(pair, preprocessing(**settings))
    assert indices[0, :4].tolist() == [0, 2, 1, 255]
    with pytest.raises(DataError, match=r"mask\.png"):
        read_pair(pair, preprocessing(**KEYS | {"classes": {"organ": 128}}))


def test_the_window_reaches_images_of_more_than_8_bits(tmp_path: Path) -> None:
    image = np.tile(np.array([0, 100, 200, 400], np.uint16), (8, 2))
    pair = written(tmp_path, image, np.zeros((8, 8), np.uint8))
    got, _, _ = read_pair(pair, preprocessing(**KEYS | {"window": [100, 300]}))
    assert got.dtype == np.float32
    assert got[0, :4, 0].tolist() == [0, 0, 127.5, 255]


def test_a_slice_of_a_volume_is_read_with_its_own_mask(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel", reason="reads NIfTI; in the medical extra")
    volume = np.zeros((5, 4, 3), np.uint8)
    volume[..., 1] = 1
    for name in ("image", "mask"):
        nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / f"{name}.nii")
    for i in range(3):
        files = (tmp_path / "image.nii",), (MaskFile(tmp_path / "mask.nii"),)
        pair = Pair(f"v#{i}", *files, "g", None, (2, i))
        image, mask, _ = read_pair(pair, preprocessing(**KEYS))
        assert mask.shape == image.shape[:2]
        assert mask.min() == mask.max() == (i == 1)


def test_image_and_mask_of_two_sizes_are_refused(tmp_path: Path) -> None:
    pair = written(tmp_path, np.zeros((8, 9), np.uint8), np.zeros((8, 8), np.uint8))
    with pytest.raises(DataError, match=r"image\.png: .*9x8,.*8x8"):
        read_pair(pair, preprocessing(**KEYS))


def test_a_lossy_mask_is_said_to_be_one(tmp_path: Path) -> None:
    mask = np.zeros((16, 16), np.uint8)
    mask[4:12, 4:12] = 255
    Image.fromarray(mask).save(tmp_path / "mask.jpg", quality=60)
    pair = written(tmp_path, np.zeros((16, 16), np.uint8), mask)
    lossless = read_pair(pair, preprocessing(**KEYS))
    pair = Pair("image.png", pair.images, (MaskFile(tmp_path / "mask.jpg"),), "g")
    lossy = read_pair(pair, preprocessing(**KEYS))
    assert (lossless[2], lossy[2]) == (False, True)
    assert np.array_equal(lossless[1], lossy[1])


def test_masks_are_resized_without_new_values_and_images_stay_in_range() -> None:
    rng = np.random.default_rng(0)
    mask = rng.choice(np.array([0, 3, 255], np.uint8), (65, 97))
    assert set(np.unique(mask_to_size(mask, (128, 128)))) <= {0, 3, 255}
    grey = rng.integers(0, 255, (65, 97, 1), dtype=np.uint8)
    assert image_to_size(grey, (32, 40)).shape == (32, 40, 1)


def test_image_and_mask_stay_aligned_under_resizing() -> None:
    # The same picture through both paths: nearest of a blurred edge against area averaging.
    mask = np.zeros((200, 300), np.uint8)
    cv2.circle(mask, (170, 90), 60, 1, -1)
    small = mask_to_size(mask, (67, 101))
    image = image_to_size(np.repeat(mask[..., None] * 255, 3, 2), (67, 101))[..., 0] > 127
    assert np.mean(image != small) < 0.01
    ys, xs = np.nonzero(small)
    yi, xi = np.nonzero(image)
    assert abs(ys.mean() - yi.mean()) < 0.1
    assert abs(xs.mean() - xi.mean()) < 0.1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_shape_type_and_level_are_kept_by_resizing(channels: int, dtype: type) -> None:
    image = np.full((30, 41, channels), 77, dtype)
    for size in ((15, 20), (60, 82), (30, 41), (50, 10)):
        resized = image_to_size(image, size)
        assert resized.shape == (*size, channels)
        assert resized.dtype == dtype
        assert np.abs(resized - 77.0).max() < (1e-4 if dtype is np.float32 else 1e-9)


def test_shrinking_averages_instead_of_picking() -> None:
    """Single bright pixels must not vanish or grow with their place."""
    stripes = np.zeros((64, 64, 1), np.uint8)
    stripes[:, ::4] = 200
    assert (image_to_size(stripes, (16, 16)) == 50).all()


def write(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values).save(path)
    return path


def test_several_image_files_are_channels_in_their_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    planes = rng.integers(0, 256, (2, 6, 7), dtype=np.uint8)
    images = tuple(write(tmp_path / f"a_{i}.png", plane) for i, plane in enumerate(planes))
    mask = MaskFile(write(tmp_path / "mask.png", np.zeros((6, 7), np.uint8)))
    shape = preprocessing(image_size=6, channels=2, window=None, classes=None, ignore_value=None)
    image, _, _ = read_pair(Pair("a_0.png", images, (mask,), "g"), shape)
    np.testing.assert_array_equal(image, np.moveaxis(planes, 0, -1))
    write(images[1], np.zeros((7, 7), np.uint8))
    with pytest.raises(DataError, match=r"a_0\.png.*7x7"):
        read_pair(Pair("a_0.png", images, (mask,), "g"), shape)


def test_several_mask_files_are_united_and_none_is_background(tmp_path: Path) -> None:
    image = write(tmp_path / "a.png", np.full((4, 4), 9, np.uint8))
    parts = np.zeros((2, 4, 4), np.uint8)
    parts[0, :2], parts[1, 1:3] = 255, 255
    files = [write(tmp_path / f"m{i}.png", part) for i, part in enumerate(parts)]
    classes = {"cup": 255, "disc": 255}
    shape = preprocessing(image_size=4, channels=1, window=None, classes=None, ignore_value=None)
    masks = tuple(map(MaskFile, files))
    _, mask, _ = read_pair(Pair("a", (image,), masks, "g"), shape)
    np.testing.assert_array_equal(mask, parts.any(axis=0))
    _, mask, _ = read_pair(Pair("a", (image,), (), "g"), shape)
    np.testing.assert_array_equal(mask, np.zeros((4, 4)))
    labelled = tuple(map(MaskFile, files, classes))
    shape = replace(shape, classes=classes)
    with pytest.raises(DataError, match=r"m1\.png: 4 pixels"):  # row 1 is both cup and disc
        read_pair(Pair("a", (image,), labelled, "g"), shape)
    write(files[1], np.where(parts[0] > 0, 0, parts[1]))
    _, mask, _ = read_pair(Pair("a", (image,), labelled, "g"), shape)
    np.testing.assert_array_equal(mask, np.repeat([1, 1, 2, 0], 4).reshape(4, 4))


DISC_AND_CUP = {"disc": None, "cup": None}


def overlapping(**changes: object) -> Preprocessing:
    return preprocessing(**KEYS | {"overlap": True, "classes": DISC_AND_CUP} | changes)


def test_files_of_classes_that_share_pixels_are_planes(tmp_path: Path) -> None:
    image = write(tmp_path / "a.png", np.full((4, 5), 9, np.uint8))
    disc, cup = np.zeros((2, 4, 5), np.uint8)
    disc[:3], cup[1:2], cup[3] = 255, 255, 7
    files = write(tmp_path / "disc.png", disc), write(tmp_path / "cup.png", cup)
    masks = tuple(map(MaskFile, files[::-1], ("cup", "disc")))  # in any order
    shape = overlapping(ignore_value=7)
    _, mask, _ = read_pair(Pair("a", (image,), masks, "g"), shape)
    assert mask[:, 0].tolist() == [[1, 0], [1, 1], [1, 0], [0, 255]]
    _, mask, _ = read_pair(Pair("a", (image,), masks[:1], "g"), shape)
    assert mask[:, 0].tolist() == [[0, 0], [0, 1], [0, 0], [0, 255]]
    _, mask, _ = read_pair(Pair("a", (image,), (), "g"), shape)
    assert mask.shape == (4, 5, 2)
    assert not mask.any()


@pytest.mark.parametrize("suffix", [".npy", ".png", ".tif"])
def test_a_file_with_a_channel_for_each_class_is_planes(tmp_path: Path, suffix: str) -> None:
    planes = np.random.default_rng(0).choice([0, 255], (6, 7, 3)).astype(np.uint8)
    image = write(tmp_path / "a.png", np.full((6, 7), 9, np.uint8))
    path = tmp_path / f"m{suffix}"
    pair = Pair("a", (image,), (MaskFile(path),), "g")
    shape = overlapping(classes=dict.fromkeys("abc"))
    # equal channels are three classes as well, and not a grey picture
    for values in (np.repeat(planes[..., :1], 3, 2), np.zeros_like(planes), planes):
        np.save(path, values) if suffix == ".npy" else Image.fromarray(values).save(path)
        _, mask, _ = read_pair(pair, shape)
        np.testing.assert_array_equal(mask, values // 255)
    with pytest.raises(DataError, match="value"):  # each channel holds the value of its class
        read_pair(pair, overlapping(classes={"a": 1, "b": 255, "c": 255}))


def test_values_that_belong_to_several_classes_are_planes(tmp_path: Path) -> None:
    values = np.array([[0, 128, 255, 128]], np.uint8)
    pair = written(tmp_path, np.zeros((1, 4), np.uint8), values)
    classes = {"cell": [128, 255], "nucleus": 255}
    _, mask, _ = read_pair(pair, overlapping(classes=classes))
    assert mask.tolist() == [[[0, 0], [1, 0], [1, 1], [1, 0]]]
    with pytest.raises(ValueError, match="overlap=true"):
        read_pair(pair, overlapping(classes=classes, overlap=False))


def test_a_single_class_overlaps_nothing(tmp_path: Path) -> None:
    pair = written(tmp_path, np.zeros((4, 4), np.uint8), np.eye(4, dtype=np.uint8))
    for classes in (None, {"a": 1}):
        shape = overlapping(classes=classes)
        assert not shape.overlap
        assert read_pair(pair, shape)[1].shape == (4, 4)


def test_planes_are_resized_one_by_one() -> None:
    planes = np.random.default_rng(0).choice([0, 1, 255], (37, 41, 6)).astype(np.uint8)
    small = mask_to_size(planes, (16, 24))
    assert small.shape == (16, 24, 6)
    for k in range(6):
        assert np.array_equal(small[..., k], mask_to_size(planes[..., k], (16, 24)))


# Masks of greys: dataset.mask_threshold.


def soft_disc(side: int = 40) -> np.ndarray:
    """A disc with a soft outline, (H, W) float in 0-1."""
    y, x = np.mgrid[:side, :side] - side / 2
    return np.clip((12 - np.hypot(y, x)) / 4 + 0.5, 0, 1)


@pytest.mark.parametrize(
    ("name", "scale", "dtype", "threshold"),
    [
        ("m.png", 255, np.uint8, 128),
        ("m.png", 255, np.uint8, 30),
        ("m.jpg", 255, np.uint8, 128),
        ("m.png", 65535, np.uint16, 32768),
        ("m.npy", 1, np.float32, 0.5),
        ("m.tif", 1, np.float32, 0.25),
    ],
)
def test_greys_are_foreground_from_the_threshold_on(
    tmp_path: Path, name: str, scale: float, dtype: type, threshold: float
) -> None:
    values = (soft_disc() * scale).astype(dtype)
    path = tmp_path / name
    np.save(path, values) if name.endswith("npy") else cv2.imwrite(str(path), values)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((40, 40), np.uint8))
    pair = Pair("a.png", (tmp_path / "a.png",), (MaskFile(path),), "g")
    for classes in (None, {"polyp": [1, 255]}, {"lesion": 7}):
        pre = Preprocessing((40, 40), 1, classes, None, mask_threshold=threshold)
        _, mask, _ = read_pair(pair, pre)
        expected = values >= threshold
        if name.endswith("jpg"):
            assert (mask != expected).mean() < 0.01
        else:
            np.testing.assert_array_equal(mask, expected)
    if name != "m.jpg":  # a JPEG's greys are cut at half without it
        with pytest.raises(DataError, match=r"dataset\.mask_threshold="):
            read_pair(pair, Preprocessing((40, 40), 1, None, None))


def test_a_threshold_keeps_ignored_pixels_and_masks_of_0_and_1(tmp_path: Path) -> None:
    values = np.array([[0, 1], [1, 0]], np.uint8)
    same = from_threshold(values, 128, ignore_value=None, path=tmp_path)
    np.testing.assert_array_equal(same, values)
    values = np.array([[0, 90, 130], [200, 255, 1]], np.uint8)
    labels = from_threshold(values, 128, ignore_value=255, path=tmp_path)
    options = {"lossy": False, "classes": None, "path": tmp_path}
    assert to_indices(labels, ignore_value=255, **options).tolist() == [[0, 0, 1], [1, 255, 0]]
    labels = from_threshold(values, 128, ignore_value=1, path=tmp_path)
    assert to_indices(labels, ignore_value=1, **options).tolist() == [[0, 0, 1], [1, 1, 255]]


def test_a_threshold_that_leaves_nothing_of_probabilities_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"0\.9.*mask_threshold=0\.5"):
        from_threshold(np.array([[0.2, 0.9]]), 128, ignore_value=None, path=tmp_path)


def test_a_threshold_is_for_files_of_one_class(tmp_path: Path) -> None:
    for name in ("a", "m", "n"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), (soft_disc() * 255).astype(np.uint8))
    pre = Preprocessing((40, 40), 1, {"disc": None, "cup": None}, None, mask_threshold=128)
    image, mask = (tmp_path / "a.png",), tmp_path / "m.png"
    with pytest.raises(DataError, match=r"disc, cup; dataset\.mask_threshold"):
        read_pair(Pair("a.png", image, (MaskFile(mask),), "g"), pre)
    of_class = read_pair(Pair("a.png", image, (MaskFile(mask, "cup"),), "g"), pre)[1]
    assert np.unique(of_class).tolist() == [0, 2]
