"""PNG, JPEG, TIFF, BMP, GIF and npy: pixels as stored, by the library that reads each exactly."""

from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import tifffile
from PIL import Image

from seg.data.errors import DataError
from seg.data.formats.intensity import ValueRange

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".npy"})
PILLOW_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF")
_PILLOW_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I;16B", "I;16L", "I", "F"}
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# What tifffile decodes without the imagecodecs package: so the results do not depend on whether it
# is installed.
_TIFFFILE_COMPRESSIONS = {1, 8, 32773, 32946}
_TIFF_LOSSLESS = _TIFFFILE_COMPRESSIONS | {2, 3, 4, 5, 34925, 50000}

_MAX_CHANNELS = 128  # as OpenCV's; more are slices
_SOFT = 0.1  # share of half-transparent pixels above which a TIFF's last channel is no alpha

Plane = tuple[int, int]  # axis and index of a slice of a volume


class Header(NamedTuple):
    """What a file says of its picture without being decoded."""

    height: int  # in pixels as stored, not turned
    width: int
    orientation: int  # EXIF or TIFF, 1-8; 1 if the file has none
    spacing: tuple[float, float] | None = None  # of rows and of columns in mm, if stated


class Pixels(NamedTuple):
    """The stored values of a picture, and what the file says of how to show them."""

    values: np.ndarray  # (H, W) or (H, W, C), as stored, colours in RGB order
    alpha: bool = False  # the last channel is the alpha channel
    slices: bool = False  # the channels may as well be slices: the file does not say
    lossy: bool = False
    palette: np.ndarray | None = None  # (256, 3) uint8, then `values` are its indices
    grey_step: int = 1  # an image's grey is value * step: 85 and 17 for greys of 2 and 4 bits
    value_range: ValueRange | None = None  # of the whole volume that `values` are a slice of
    window: tuple[float, float] | None = None  # low and high that the file states
    measured: bool = False  # an instrument's values, of no known range
    inverted: bool = False  # the lowest value is white


def decode(path: Path, plane: Plane | None, data: bytes | None = None) -> Pixels:
    """The picture as stored, in the file or in these bytes; call it within `data_errors`."""
    if path.suffix.lower() == ".npy":
        array = open_npy(path)
        pixels = Pixels(np.array(array, dtype=array.dtype.newbyteorder("=")))
    else:
        data = path.read_bytes() if data is None else data
        decode_format = _decode_tiff if data[:4] in _TIFF_MAGIC else _decode_pillow
        pixels = decode_format(data, path)
    values = pixels.values
    if values.ndim == 3 and values.shape[2] == 1:
        return pixels._replace(values=values[..., 0])
    if values.ndim != 2 and (values.ndim != 3 or values.shape[2] > _MAX_CHANNELS):
        fix = "save one picture of shape (H, W) or (H, W, C)"
        raise DataError(path, f"array of shape {values.shape}", fix)
    return pixels


def read_header(path: Path, plane: Plane | None) -> Header:
    """Size and orientation; call it within `data_errors`."""
    if path.suffix.lower() == ".npy":
        return Header(*open_npy(path).shape[:2], 1)
    with path.open("rb") as file:
        is_tiff = file.read(4) in _TIFF_MAGIC
        file.seek(0)
        if is_tiff:
            with tifffile.TiffFile(file) as tiff:
                page, stack = tiff.pages[0], _stack_of(tiff)
                tag = page.tags.get("Orientation")
                size = stack.size if stack else (page.imagelength, page.imagewidth)
                return Header(*size, _orientation(tag and tag.value))
        with Image.open(file, formats=PILLOW_FORMATS) as image:
            # Pillow decodes a whole PNG to look for EXIF after the pixels: look only before.
            has_exif = image.format != "PNG" or "exif" in image.info
            value = image.getexif().get(0x0112) if has_exif else 1
            return Header(image.height, image.width, _orientation(value))


def open_npy(path: Path) -> np.ndarray:
    """The array of a .npy file, memory-mapped, (H, W) or (H, W, C)."""
    array = np.lib.format.open_memmap(path, mode="r")  # checks the length, loads no pickles
    if array.ndim < 2:
        raise DataError(path, f"array of shape {array.shape}", "save (H, W) or (H, W, C)")
    return np.moveaxis(array, _channel_axis(array.shape), 2) if array.ndim == 3 else array


def _channel_axis(shape: tuple[int, ...]) -> int:
    """0 for (C, H, W), 2 for (H, W, C): the shorter axis, or the last if it has 4 or fewer."""
    return 2 if shape[2] <= max(4, shape[0]) else 0


class _Stack(NamedTuple):
    """The pages of a TIFF as the channels of one picture. named: the file calls them channels."""

    series: tifffile.TiffPageSeries
    axis: int
    named: bool

    @property
    def size(self) -> tuple[int, int]:
        height, width = (n for axis, n in enumerate(self.series.shape) if axis != self.axis)
        return height, width


def _stack_of(tiff: tifffile.TiffFile) -> _Stack | None:
    """None if the file has one page, or if its pages cannot be channels."""
    page = tiff.pages[0]
    # One page can hold a whole stack, as its ImageJ or tifffile description says.
    described = (tiff.is_imagej or tiff.is_shaped) and tiff.series[0].size != page.size
    if len(tiff.pages) == 1 and not described:
        return None
    series = tiff.series[0]
    axes = series.axes.replace("Q", "I")  # both: pages of no name
    if len(tiff.series) > 1 or sorted(axes) not in (sorted("CYX"), sorted("IYX")):
        return None
    axis = axes.index("C") if "C" in axes else _channel_axis(series.shape)
    return _Stack(series, axis, named="C" in axes)


def _decode_tiff(data: bytes, path: Path) -> Pixels:
    with tifffile.TiffFile(BytesIO(data)) as tiff:
        page, stack = tiff.pages[0], _stack_of(tiff)
        several = len(tiff.pages) > 1 or page.axes not in ("YX", "YXS", "SYX")
        if several and stack is None:
            raise DataError(path, "several pages or slices in one file", "save one file for each")
        height, width = stack.size if stack else (page.imagelength, page.imagewidth)
        if height * width > 2 * Image.MAX_IMAGE_PIXELS:
            raise Image.DecompressionBombError(f"{width}x{height} pixels")
        if page.photometric == tifffile.PHOTOMETRIC.SEPARATED:
            raise DataError(path, "CMYK colours", "save it as RGB")
        grey = page.photometric == tifffile.PHOTOMETRIC.MINISBLACK
        inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
        direct = grey or page.photometric == tifffile.PHOTOMETRIC.RGB
        plain = page.compression in _TIFFFILE_COMPRESSIONS
        alpha = bool(page.extrasamples) and page.extrasamples[-1] in (1, 2)
        if plain and (direct or inverted) and page.bitspersample in (1, 8, 16, 32, 64):
            # its threads cost ten times the decoding
            values = (stack.series if stack else page).asarray(maxworkers=1)
            if stack or page.axes == "SYX":
                values = np.moveaxis(values, stack.axis if stack else 0, 2)  # (H, W, C)
            if inverted and values.dtype == bool:
                values = ~values
            elif inverted:
                if values.dtype.kind != "u":
                    raise DataError(path, f"white-is-zero {values.dtype}", "save black as zero")
                values = np.iinfo(values.dtype).max - values
            slices = stack is not None and not stack.named
            return Pixels(values, alpha=alpha and _is_alpha(values[..., -1]), slices=slices)
        colours = 1 if grey or inverted or page.photometric == tifffile.PHOTOMETRIC.PALETTE else 3
        if stack or page.samplesperpixel > colours + alpha:
            # Pillow drops channels, and OpenCV takes one for alpha.
            channels = stack.series.shape[stack.axis] if stack else page.samplesperpixel
            fix = "save it uncompressed or with deflate compression"
            raise DataError(path, f"{channels} channels in a compressed TIFF", fix)
        tag = page.tags.get("Orientation")
        if _orientation(tag and tag.value) != 1:
            # Pillow and OpenCV turn such a file, each in its own way.
            fix = "save it upright, uncompressed or with deflate compression"
            raise DataError(path, f"compressed TIFF with orientation {tag.value}", fix)
        lossy = page.compression not in _TIFF_LOSSLESS
        deep = page.bitspersample > 8 and page.samplesperpixel > 1
        bits = page.bitspersample
    pixels = _decode_pillow(data, path, deep=deep, bits=bits)
    alpha = pixels.alpha and _is_alpha(pixels.values[..., -1])
    return pixels._replace(lossy=lossy, alpha=alpha)


def _is_alpha(values: np.ndarray) -> bool:
    """Whether a TIFF's channel (H, W) that is marked as alpha is one: opaque or transparent.

    tifffile, for one, marks any fourth channel as alpha, such as the near infrared.
    """
    full = 1 if values.dtype.kind == "f" else np.iinfo(values.dtype).max
    soft = np.count_nonzero((values > 0) & (values < full)) > _SOFT * values.size
    return not soft or values.min() == values.max()


def _decode_pillow(data: bytes, path: Path, *, deep: bool = False, bits: int = 0) -> Pixels:
    with Image.open(BytesIO(data), formats=PILLOW_FORMATS) as image:
        alpha = image.mode in ("LA", "RGBA")
        # MPO is a JPEG whose further pictures are a preview or a gain map of the first.
        if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
            raise DataError(path, "several pages or frames in one file", "save one file for each")
        if image.mode not in _PILLOW_MODES:
            raise DataError(path, f"{image.mode} colours", "save it as RGB or grey")
        image.load()  # decodes the whole file: a truncated one raises here
        if image.mode == "P":
            palette = np.zeros((256, 3), dtype=np.uint8)
            colours = np.array(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
            palette[: len(colours)] = colours
            if image.format == "GIF":  # programs renumber its palette: only the colours are kept
                return Pixels(palette[np.array(image)])
            return Pixels(np.array(image), palette=palette)
        bits = data[24] if image.format == "PNG" else bits
        deep = deep or (image.format == "PNG" and bits == 16 and image.mode[0] != "I")
        if image.mode == "L" and bits in (2, 4):  # Pillow spreads these greys over 0-255
            step = 255 // (2**bits - 1)
            return Pixels(np.array(image) // step, grey_step=step)
        if not deep:
            values = np.array(image)
            native = values.astype(values.dtype.newbyteorder("="), copy=False)
            return Pixels(native, alpha=alpha, lossy=image.format in ("JPEG", "MPO"))
    # Pillow cuts 16-bit colour to 8 bits, so OpenCV reads it; that the file is whole, Pillow has
    # checked above and OpenCV would not.
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise DataError(path, "16-bit colour of an unknown kind", "save it as a 16-bit RGB PNG")
    if values.ndim == 2:
        return Pixels(values)
    return Pixels(values[..., [2, 1, 0, 3][: values.shape[2]]], alpha=alpha)


def _orientation(value: object) -> int:
    return int(value) if isinstance(value, int) and 1 <= value <= 8 else 1
