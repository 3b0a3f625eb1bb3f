"""The reader against independent readers and against values written here.

What each format reads as is in `test_formats.py`.
"""

import os
import pickle
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from seg.data.errors import DataError, DataErrors
from seg.data.formats import read_header
from seg.data.images import check_geometry, read_image, read_mask

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "data"
RGB = np.random.default_rng(0).integers(0, 256, (13, 17, 3), dtype=np.uint8)
RGB[0, 0], RGB[0, 1] = 0, 255  # so that every range is known
GREY = RGB[..., 0].copy()
ALPHA = RGB[..., 1].copy()
DEEP = np.random.default_rng(1).integers(0, 65536, (13, 17, 3), dtype=np.uint16)
LABELS = np.random.default_rng(2).choice(np.array([0, 1, 2, 5], np.uint8), (13, 17))
BINARY = (LABELS == 1).astype(np.uint8)
VOC = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0, 0, 0, 128, 128, 0, 128]


def _pillow(array, **options):
    return lambda path: Image.fromarray(array).save(path, **options)


def _tiff(array, **options):
    return lambda path: tifffile.imwrite(path, array, **options)


def _npy(array):
    return lambda path: np.save(path, array)


def _palette(indices, colours, **options):
    def write(path):
        image = Image.new("P", indices.shape[::-1])
        image.putdata(indices.ravel().tolist())
        image.putpalette(colours)
        image.save(path, **options)

    return write


def _cv2(array):
    def write(path):
        order = array if array.ndim == 2 else array[..., [2, 1, 0, 3][: array.shape[2]]]
        path.write_bytes(cv2.imencode(path.suffix, np.ascontiguousarray(order))[1].tobytes())

    return write


def _chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _reference_grey(rgb):
    r, g, b = (rgb[..., c].astype(int) for c in range(3))
    return ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16).astype(np.uint8)


def _three(grey):
    return np.dstack([grey] * 3)


INVERTED = {"photometric": "miniswhite"}


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpeg_reads_as_pillow_decodes_it(mode, tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(RGB).convert(mode).save(path)
    reference = np.asarray(Image.open(path).convert("RGB"))
    assert np.array_equal(read_image(path, channels=3), reference)


@pytest.mark.parametrize(("name", "write"), [("a.png", _pillow(RGB)), ("a.npy", _npy(RGB))])
def test_rgb_becomes_grey_by_the_weights_of_itu_601(name, write, tmp_path):
    write(tmp_path / name)
    grey = read_image(tmp_path / name, channels=1)
    assert grey.shape == (13, 17, 1)
    assert grey.dtype == np.uint8
    assert np.array_equal(grey[..., 0], _reference_grey(RGB))


def test_grey_image_has_one_channel_unchanged(tmp_path):
    _pillow(GREY)(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png", channels=1)[..., 0], GREY)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_image_equals_its_eight_bit_copy(suffix, tmp_path):
    _cv2(RGB.astype(np.uint16) * 257)(tmp_path / f"deep{suffix}")
    _cv2(RGB)(tmp_path / f"flat{suffix}")
    deep = read_image(tmp_path / f"deep{suffix}", channels=3)
    assert deep.dtype == np.float32
    assert np.array_equal(deep, read_image(tmp_path / f"flat{suffix}", channels=3))
    grey = read_image(tmp_path / f"deep{suffix}", channels=1)
    assert np.abs(grey[..., 0] - _reference_grey(RGB)).max() <= 0.501


COLOURS = np.array(VOC, np.uint8).reshape(-1, 3)[LABELS]
RAMP = np.repeat(np.arange(256), 3).tolist()
OPAQUE = np.full_like(GREY, 255)
MASKS = {
    "grey png": ("a.png", _pillow(LABELS), LABELS),
    "1-bit png": ("a.png", _pillow(BINARY.astype(bool)), BINARY),
    "1-bit bmp": ("a.bmp", _pillow(BINARY.astype(bool)), BINARY),
    "1-bit group 4 tiff": ("a.tif", _pillow(BINARY.astype(bool), compression="group4"), BINARY),
    "1-bit white-is-zero tiff": ("a.tif", _tiff(BINARY.astype(bool), **INVERTED), 1 - BINARY),
    "palette of colours": ("a.png", _palette(LABELS, VOC), LABELS),
    "palette gif, renumbered by Pillow": ("a.gif", _palette(LABELS, VOC), COLOURS),
    "palette tiff": ("a.tif", _palette(LABELS, VOC), LABELS),
    "palette that is a grey ramp": ("a.png", _palette(LABELS, RAMP), LABELS),
    "palette of black and white": ("a.png", _palette(BINARY, [0, 0, 0, 255, 255, 255]), BINARY),
    "palette without colours": ("a.png", _palette(BINARY, [0] * 6), BINARY),
    "palette of white and black": (
        "a.png",
        _palette(BINARY, [255, 255, 255, 0, 0, 0]),
        (1 - BINARY) * 255,
    ),
    "palette of white and black, all black": (
        "a.png",
        _palette(BINARY * 0 + 1, [255, 255, 255, 0, 0, 0]),
        BINARY * 0,
    ),
    "palette of red and black": (
        "a.png",
        _palette(BINARY, [255, 0, 0, 0, 0, 0]),
        np.dstack([(1 - BINARY) * 255, BINARY * 0, BINARY * 0]),
    ),
    "palette renumbered by a program that shrinks": (
        "a.png",
        _palette(BINARY, [0, 0, 0, 2, 2, 2]),
        BINARY * 2,
    ),
    "grey gif": ("a.gif", _pillow(BINARY * 5), BINARY * 5),
    "rgb with equal channels": ("a.png", _pillow(_three(LABELS)), LABELS),
    "rgba, opaque": ("a.png", _pillow(np.dstack([_three(LABELS), OPAQUE])), LABELS),
    "grey-alpha, opaque": ("a.png", _pillow(np.dstack([LABELS, OPAQUE])), LABELS),
    "colour map": ("a.png", _pillow(COLOURS), COLOURS),
    "16-bit png": ("a.png", _pillow(LABELS.astype(np.uint16) * 300), LABELS.astype(int) * 300),
    "16-bit rgb png": ("a.png", _cv2(_three(LABELS * np.uint16(300))), LABELS.astype(int) * 300),
    "16-bit tiff": ("a.tif", _tiff(LABELS.astype(np.uint16) * 300), LABELS.astype(int) * 300),
    "32-bit tiff": ("a.tif", _tiff(LABELS.astype(np.int32) * 70000), LABELS.astype(int) * 70000),
    "lzw tiff": ("a.tif", _pillow(LABELS, compression="tiff_lzw"), LABELS),
    "float tiff of whole numbers": ("a.tif", _tiff(LABELS.astype(np.float32)), LABELS),
    "npy": ("a.npy", _npy(LABELS.astype(np.int64)), LABELS),
    "bool npy": ("a.npy", _npy(BINARY.astype(bool)), BINARY),
}


@pytest.mark.parametrize("case", MASKS)
def test_mask_reads_as_the_values_written(case, tmp_path):
    name, write, expected = MASKS[case]
    write(tmp_path / name)
    values, lossy = read_mask(tmp_path / name)
    assert not lossy
    assert values.dtype.kind in "iu"
    assert np.array_equal(values, expected)
    assert read_header(tmp_path / name)[:2] == (13, 17)


def test_palette_can_be_read_as_colours(tmp_path):
    _palette(LABELS, VOC)(tmp_path / "a.png")
    values, _ = read_mask(tmp_path / "a.png", palette_as_colours=True)
    assert np.array_equal(values, COLOURS)


@pytest.mark.parametrize("shape", [(13, 17), (13, 17, 3)])
def test_jpeg_mask_is_lossy_and_grey(shape, tmp_path):
    array = np.zeros(shape, np.uint8)
    array[4:, 5:] = 255
    _pillow(array, quality=95)(tmp_path / "a.jpg")
    values, lossy = read_mask(tmp_path / "a.jpg")
    assert lossy
    assert values.shape == (13, 17)
    assert np.array_equal(values >= 128, array.reshape(13, 17, -1)[..., 0] == 255)


def test_jpeg_inside_a_tiff_and_a_jpeg_named_png_are_lossy(tmp_path):
    _pillow(BINARY * 255, compression="jpeg")(tmp_path / "a.tif")
    _pillow(BINARY * 255, format="JPEG")(tmp_path / "a.png")
    assert read_mask(tmp_path / "a.tif")[1]
    assert read_mask(tmp_path / "a.png")[1]


def test_first_picture_of_a_multi_picture_jpeg_is_read(tmp_path):
    path = tmp_path / "a.jpg"
    second = Image.fromarray(255 - RGB)
    Image.fromarray(RGB).save(path, format="MPO", save_all=True, append_images=[second])
    with Image.open(path) as image:
        assert image.n_frames == 2
        reference = np.asarray(image.convert("RGB"))
    assert np.array_equal(read_image(path, channels=3), reference)


def _cut(write, keep):
    def cut(path):
        write(path)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * keep)])

    return cut


def _flip(path):
    _pillow(RGB)(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)


def _frames(path, **options):
    Image.fromarray(RGB).save(
        path, save_all=True, append_images=[Image.fromarray(255 - RGB)], **options
    )


def _cmyk(path):
    Image.fromarray(RGB).convert("CMYK").save(path)


def _bomb(path):
    header = struct.pack(">IIBBBBB", 60000, 60000, 1, 0, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", b"") + _chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def _huge_tiff(path):
    tifffile.imwrite(path, GREY)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags["ImageWidth"].overwrite(2**20)
        tiff.pages[0].tags["ImageLength"].overwrite(2**20)


STACK = np.zeros((5, 13, 17), np.uint8)
REFUSED = {
    "empty file": ("a.png", lambda path: path.write_bytes(b""), "empty file"),
    "text": (
        "a.png",
        lambda path: path.write_text("<html>Not found"),
        "known kind, begins b'<html>",
    ),
    "text npy": ("a.npy", lambda path: path.write_text("hello, you"), "damaged"),
    "missing": ("a.png", lambda path: None, "no such file"),
    "dangling link": ("a.png", lambda path: path.symlink_to("gone.png"), "link to a file that is"),
    "directory": ("a.png", lambda path: path.mkdir(), "a directory, not a file"),
    "pipe": ("a.png", os.mkfifo, "a device or pipe"),
    "truncated jpeg": ("a.jpg", _cut(_pillow(RGB), 0.9), "damaged"),
    "truncated png": ("a.png", _cut(_pillow(RGB), 0.9), "damaged"),
    "truncated 16-bit png": ("a.png", _cut(_cv2(DEEP), 0.9), "damaged"),
    "truncated bmp": ("a.bmp", _cut(_pillow(RGB), 0.9), "damaged"),
    "truncated gif": ("a.gif", _cut(_palette(LABELS, VOC), 0.9), "damaged"),
    "truncated tiff": ("a.tif", _cut(_tiff(RGB, photometric="rgb"), 0.9), "damaged"),
    "truncated lzw tiff": (
        "a.tif",
        _cut(_pillow(RGB, compression="tiff_lzw"), 0.5),
        "damaged",
    ),
    "truncated npy": ("a.npy", _cut(_npy(RGB), 0.9), "damaged"),
    "header only": ("a.jpg", _cut(_pillow(RGB), 0.05), "damaged|known kind"),
    "flipped bit": ("a.png", _flip, "damaged"),
    "animated gif": ("a.gif", _frames, "several pages"),
    "animated png": ("a.png", _frames, "several pages"),
    "multi-page tiff": ("a.tif", _frames, "several pages"),
    "tiff stack": ("a.tif", _tiff(STACK, photometric="minisblack"), "pages"),
    "stack in one page": (
        "a.tif",
        _tiff(STACK, photometric="minisblack", truncate=True),
        "pages",
    ),
    "volumetric tiff": (
        "a.tif",
        _tiff(STACK, photometric="minisblack", volumetric=True),
        "several pages",
    ),
    "four-channel tiff": (
        "a.tif",
        _tiff(np.moveaxis(STACK[:4], 0, -1), photometric="minisblack", planarconfig="contig"),
        "4 channels",
    ),
    "cmyk jpeg": ("a.jpg", _cmyk, "CMYK colours"),
    "cmyk tiff": ("a.tif", _cmyk, "CMYK colours"),
    "decompression bomb": ("a.png", _bomb, "too large"),
    "decompression bomb tiff": ("a.tif", _huge_tiff, "too large: 1048576x1048576"),
    "pickled npy": ("a.npy", _npy(np.array([{}], dtype=object)), "damaged"),
    "stack npy": ("a.npy", _npy(STACK), "5 channels"),
    "npy of volumes": ("a.npy", _npy(STACK[None]), r"array of shape \(1, 5, 13, 17\)"),
    "flat npy": ("a.npy", _npy(GREY.ravel()), r"array of shape \(221,\)"),
    "two-channel npy": ("a.npy", _npy(RGB[..., :2]), "2 channels"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unusable_file_is_refused_in_one_line_with_reason_and_fix(case, tmp_path):
    name, write, reason = REFUSED[case]
    path = tmp_path / name
    write(path)
    for read in (lambda: read_image(path, channels=3), lambda: read_mask(path)):
        with pytest.raises(DataError, match=reason) as caught:
            read()
        message = str(caught.value)
        assert message.startswith(f"{path}: ")
        assert "; " in message
        assert "\n" not in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_refused(tmp_path):
    _pillow(RGB)(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    with pytest.raises(DataError, match="no permission"):
        read_image(tmp_path / "a.png", channels=3)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (GREY.astype(np.int64), "image of type int64"),
        (GREY.astype(np.float32) * 2 + 1, "float image with values from"),
        (GREY / np.float32(255) - 1, "float image with values from"),
        (np.where(GREY > 9, np.nan, 0.5), f"{(GREY > 9).sum()} values are nan or infinite"),
    ],
)
def test_image_of_unknown_range_is_refused(array, reason, tmp_path):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(DataError, match=reason):
        read_image(tmp_path / "a.npy", channels=3)


@pytest.mark.parametrize(
    ("name", "write", "reason"),
    [
        ("a.png", _pillow(np.dstack([_three(LABELS), ALPHA])), "transparent parts"),
        ("a.png", _pillow(np.dstack([LABELS, ALPHA])), "transparent parts"),
        ("a.png", _cv2(DEEP), "colour mask of type uint16"),
        ("a.npy", _npy(LABELS + 0.5), "mask with fractions"),
        ("a.npy", _npy(np.where(LABELS > 0, np.nan, 0)), "mask with fractions"),
    ],
)
def test_mask_without_exact_values_is_refused(name, write, reason, tmp_path):
    write(tmp_path / name)
    with pytest.raises(DataError, match=reason):
        read_mask(tmp_path / name)


def _turned(path, turn, shape=(20, 30)):
    image = Image.fromarray(np.arange(shape[0] * shape[1], dtype=np.uint8).reshape(shape))
    exif = image.getexif()
    exif[0x0112] = turn
    image.save(path, exif=exif)
    return path


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
def test_orientation_is_told_and_not_applied(name, tmp_path):
    path = _turned(tmp_path / name, 6)
    assert read_header(path)[:3] == (20, 30, 6)
    assert read_image(path, channels=1).shape == (20, 30, 1)
    assert read_mask(path)[0].shape == (20, 30)


def test_compressed_tiff_with_orientation_is_refused(tmp_path):
    image = Image.fromarray(GREY)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.tif", exif=exif, compression="tiff_lzw")
    with pytest.raises(DataError, match="orientation 6"):
        read_image(tmp_path / "a.tif", channels=1)


def test_equal_size_and_orientation_are_one_geometry(tmp_path):
    check_geometry(_turned(tmp_path / "a.jpg", 6), _turned(tmp_path / "m.jpg", 6))
    check_geometry(_turned(tmp_path / "a.jpg", 1), _turned(tmp_path / "m.png", 1))


def test_other_size_is_refused_naming_both(tmp_path):
    _turned(tmp_path / "a.jpg", 1)
    np.save(tmp_path / "m.npy", np.zeros((20, 31), np.uint8))
    with pytest.raises(DataError, match=r"30x20,.*31x20 .*m\.npy"):
        check_geometry(tmp_path / "a.jpg", tmp_path / "m.npy")


def test_other_orientation_is_refused_even_for_a_square(tmp_path):
    image, mask = tmp_path / "a.jpg", tmp_path / "m.png"
    _turned(image, 6, shape=(20, 20)), _turned(mask, 1, shape=(20, 20))
    with pytest.raises(DataError, match="orientation 6,.* 1 "):
        check_geometry(image, mask)


def test_error_survives_a_process_border():
    error = pickle.loads(pickle.dumps(DataError("a.png", "cut", "fix it")))
    assert str(error) == "a.png: cut; fix it"
    assert str(DataError("one message")) == "one message"
    assert str(pickle.loads(pickle.dumps(DataErrors(["x", "y"])))).endswith("x\ny")


def test_many_errors_are_one_message_of_at_most_fifteen_files():
    assert str(DataErrors(["x", "y"])) == "2 problems in the data:\nx\ny"
    lines = str(DataErrors([f"f{i}" for i in range(40)])).splitlines()
    assert lines[0] == "40 problems in the data:"
    assert lines[15] == "f14"
    assert lines[16] == "... and 25 more"
    assert len(lines) == 17


def test_real_tiffs_agree_with_pillow():
    files = sorted((SAMPLES / "lgg" / "kaggle_3m").rglob("*.tif"))[::20]
    if not files:
        pytest.skip("no LGG samples beside the repository")
    for path in files:
        reference = np.asarray(Image.open(path))
        read = read_mask(path)[0] if "_mask" in path.name else read_image(path, channels=3)
        assert np.array_equal(read, reference)
        assert read_header(path)[:2] == reference.shape[:2]
