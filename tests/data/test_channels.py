"""Images of any number of channels: every one arrives in its place, or the file is refused."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from seg.data.errors import DataError
from seg.data.formats import read_header
from seg.data.images import read_image, read_mask, read_stack
from seg.data.preprocess import image_to_size

RNG = np.random.default_rng(0)
FOUR = RNG.integers(0, 256, (13, 17, 4), dtype=np.uint8)
FIVE = RNG.integers(0, 256, (13, 17, 5), dtype=np.uint8)
OPAQUE = np.dstack([FOUR[..., :3], np.where(np.arange(17) < 8, 0, 255)[None].repeat(13, 0)])
OPAQUE = OPAQUE.astype(np.uint8)
UNMARKED = {"photometric": "rgb", "extrasamples": ["unspecified"]}
CONTIG = {"photometric": "minisblack", "planarconfig": "contig"}
PLANAR = {"photometric": "minisblack", "planarconfig": "separate"}


def first(a):
    return np.ascontiguousarray(np.moveaxis(a, -1, 0))


def tiff(order=lambda a: a, **options):
    return lambda path, a: tifffile.imwrite(path, order(a), **options)


def npy(order=lambda a: a):
    return lambda path, a: np.save(path, order(a))


def png(path, a):
    Image.fromarray(a).save(path)


def lzw(path, a):
    Image.fromarray(a).save(path, compression="tiff_lzw")


WRITTEN = {
    "rgb and infrared, unmarked": ("a.tif", FOUR, tiff(**UNMARKED)),
    "rgb and infrared, which tifffile marks as alpha": ("a.tif", FOUR, tiff(photometric="rgb")),
    "the same, lzw": ("a.tif", FOUR, lzw),
    "four greys": ("a.tif", FOUR, tiff(**CONTIG)),
    "deflate": ("a.tif", FOUR, tiff(compression="deflate", **UNMARKED)),
    "five, contiguous": ("a.tif", FIVE, tiff(**CONTIG)),
    "five, planar": ("a.tif", FIVE, tiff(first, **PLANAR)),
    "rgb and two more": ("a.tif", FIVE, tiff(photometric="rgb")),
    "five pages": ("a.tif", FIVE, tiff(first)),
    "five pages, nothing said": ("a.tif", FIVE, tiff(first, metadata=None)),
    "a page for each row": ("a.tif", FIVE, tiff(photometric="minisblack")),
    "stack in one page": ("a.tif", FIVE, tiff(first, truncate=True)),
    "ImageJ": ("a.tif", FIVE, tiff(first, imagej=True)),
    "OME": ("a.ome.tif", FIVE, tiff(first, ome=True, metadata={"axes": "CYX"})),
    "16-bit ImageJ": ("a.tif", FIVE.astype(np.uint16) * 257, tiff(first, imagej=True)),
    "float": ("a.tif", FIVE.astype(np.float32), tiff(**CONTIG)),
    "two": ("a.tif", FIVE[..., :2], tiff(**CONTIG)),
    "npy, last": ("a.npy", FIVE, npy()),
    "npy, first": ("a.npy", FIVE, npy(first)),
    "npy, two": ("a.npy", FIVE[..., :2], npy(first)),
    "rgba png": ("a.png", FOUR, png),
    "grey-alpha png": ("a.png", FOUR[..., :2].copy(), png),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_every_channel_arrives_in_its_place(case: str, tmp_path: Path) -> None:
    name, values, write = WRITTEN[case]
    write(tmp_path / name, values)
    expected = values / 257 if values.dtype == np.uint16 else values
    image = read_image(tmp_path / name, channels=values.shape[2])
    np.testing.assert_allclose(image, expected, atol=1e-4)
    assert image.dtype == (np.uint8 if values.dtype == np.uint8 else np.float32)
    assert read_header(tmp_path / name)[:2] == values.shape[:2]


@pytest.mark.parametrize("case", [case for case in WRITTEN if "png" not in case])
@pytest.mark.parametrize("channels", [1, 3, 6])
def test_no_channel_is_dropped_without_a_word(case: str, channels: int, tmp_path: Path) -> None:
    name, values, write = WRITTEN[case]
    write(tmp_path / name, values)
    with pytest.raises(DataError) as caught:
        read_image(tmp_path / name, channels=channels)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert f"dataset.channels={values.shape[2]}" in str(caught.value)
    with pytest.raises(DataError):
        read_mask(tmp_path / name)


@pytest.mark.parametrize("write", [tiff(photometric="rgb"), lzw])
def test_alpha_that_is_marked_and_opaque_or_transparent_is_dropped(write, tmp_path: Path) -> None:
    write(tmp_path / "a.tif", OPAQUE)
    assert np.array_equal(read_image(tmp_path / "a.tif", channels=3), OPAQUE[..., :3])
    assert np.array_equal(read_image(tmp_path / "a.tif", channels=4), OPAQUE)


def test_slices_are_no_channels(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, first(FIVE), metadata={"axes": "ZYX"})
    with pytest.raises(DataError, match="slices"):
        read_image(path, channels=5)
    tifffile.imwrite(path, first(FIVE[..., :3]), photometric="minisblack")  # nobody said channels
    with pytest.raises(DataError, match="slices"):
        read_image(path, channels=3)
    tifffile.imwrite(path, first(FIVE[..., :3]), photometric="minisblack", metadata={"axes": "CYX"})
    assert np.array_equal(read_image(path, channels=3), FIVE[..., :3])


def test_a_short_colour_image_is_not_taken_for_channels_first(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", FOUR[:1, :, :3])  # (1, 17, 3)
    assert read_image(tmp_path / "a.npy", channels=3).shape == (1, 17, 3)


def test_grey_becomes_rgb_but_not_four_channels(tmp_path: Path) -> None:
    png(tmp_path / "a.png", FOUR[..., 0].copy())
    assert read_image(tmp_path / "a.png", channels=3).shape == (13, 17, 3)
    with pytest.raises(DataError, match="dataset.channels=1 "):
        read_image(tmp_path / "a.png", channels=4)


def test_percentiles_are_those_of_each_channel(tmp_path: Path) -> None:
    values = RNG.normal(0, 1, (40, 50, 2)) * [1, 1000] + [5, -3000]
    np.save(tmp_path / "a.npy", values)
    image = read_image(tmp_path / "a.npy", channels=2, window="percentile")
    for channel in range(2):
        low, high = np.percentile(values[..., channel], (0.5, 99.5))
        expected = ((values[..., channel] - low) / (high - low)).clip(0, 1) * 255
        np.testing.assert_allclose(image[..., channel], expected, atol=1e-3)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_nifti_has_its_channels_on_the_fourth_axis(axis: int, tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel", reason="reads NIfTI; in the medical extra")
    volume = RNG.integers(0, 1000, (9, 8, 7, 3)).astype(np.int16)
    path = tmp_path / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), path)
    image = read_image(path, channels=3, plane=(axis, 2), window=(0, 1000))
    expected = volume.take(2, axis).swapaxes(0, 1) / 1000 * 255
    np.testing.assert_allclose(image, expected, atol=1e-3)
    for channels in (1, 2, 4):  # three sequences are no colours that could become grey
        with pytest.raises(DataError, match="dataset.channels=3"):
            read_image(path, channels=channels, plane=(axis, 2), window=(0, 1000))


def test_nifti_percentiles_are_those_of_each_channel_of_the_volume(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel", reason="reads NIfTI; in the medical extra")
    volume = RNG.normal(0, 1, (9, 8, 7, 2)) * [1, 500]
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), path)
    image = read_image(path, channels=2, plane=(2, 4), window="percentile")
    for channel in range(2):
        low, high = np.percentile(volume[..., channel], (0.5, 99.5))
        expected = ((volume[:, :, 4, channel].T - low) / (high - low)).clip(0, 1) * 255
        np.testing.assert_allclose(image[..., channel], expected, atol=1e-2)


def test_files_of_a_case_are_stacked_in_their_order(tmp_path: Path) -> None:
    png(tmp_path / "a_0000.png", FOUR[..., :3].copy())
    cv2.imwrite(str(tmp_path / "a_0001.tif"), FOUR[..., 3].astype(np.uint16) * 257)
    paths = [tmp_path / "a_0001.tif", tmp_path / "a_0000.png"]
    image = read_stack(paths, channels=4)
    assert image.dtype == np.float32  # one of them has more than 8 bits
    np.testing.assert_allclose(image, FOUR[..., [3, 0, 1, 2]], atol=1e-4)
    with pytest.raises(DataError, match="dataset.channels=4"):
        read_stack(paths, channels=2)
    with pytest.raises(DataError, match="dataset.channels=4"):
        read_stack(paths, channels=3)


def test_greys_that_are_stored_as_rgb_are_one_channel_each(tmp_path: Path) -> None:
    for number in range(2):
        grey = np.dstack([FOUR[..., number]] * 3)
        png(tmp_path / f"a_{number}.png", grey)
    paths = [tmp_path / "a_0.png", tmp_path / "a_1.png"]
    assert np.array_equal(read_stack(paths, channels=2), FOUR[..., :2])
    assert read_stack(paths, channels=6).shape == (13, 17, 6)


def test_files_of_different_size_are_no_case(tmp_path: Path) -> None:
    png(tmp_path / "a_0.png", FOUR[..., 0].copy())
    png(tmp_path / "a_1.png", FOUR[:5, :, 0].copy())
    with pytest.raises(DataError, match="17x13"):
        read_stack([tmp_path / "a_0.png", tmp_path / "a_1.png"], channels=2)


@pytest.mark.parametrize("size", [(6, 5), (30, 40), (5, 40)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_many_channels_are_resized_as_each_alone(size: tuple, dtype: type) -> None:
    image = RNG.integers(0, 256, (20, 24, 7)).astype(dtype)
    alone = [image_to_size(image[..., c : c + 1].copy(), size) for c in range(7)]
    np.testing.assert_allclose(image_to_size(image, size), np.dstack(alone), atol=1)
