"""The one reader: image and mask files as arrays, exactly as stored or a `DataError`."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".npy"})

_PILLOW_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF")
_PILLOW_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I;16B", "I;16L", "I", "F"}
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# What tifffile decodes without the imagecodecs package; the list keeps results the same with it.
_TIFFFILE_COMPRESSIONS = {1, 8, 32773, 32946}
_TIFF_LOSSLESS = _TIFFFILE_COMPRESSIONS | {2, 3, 4, 5, 34925, 50000}
# Largest difference between the channels of a JPEG that still counts as grey (chroma rounding).
_JPEG_GREY_SPREAD = 32


class DataError(ValueError):
    """A file of the data set that cannot be used: names the file, the reason and the mend."""

    # All three are `args`, and two have defaults, so that the error survives pickling and the
    # rebuilding from one message by which a DataLoader hands on what its workers raise.
    def __init__(self, path: Path | str, reason: str = "", mend: str = "") -> None:
        super().__init__(str(path), reason, mend)

    def __str__(self) -> str:
        path, reason, mend = self.args
        return path + (f": {reason}" if reason else "") + (f"; {mend}" if mend else "")


class DataErrors(DataError):
    """Many unusable files in one message of at most 17 lines; all of them in `messages`."""

    def __init__(self, messages: list[str]) -> None:
        self.messages = list(messages)
        ValueError.__init__(self, self.messages)

    def __str__(self) -> str:
        lines = [f"{len(self.messages)} files cannot be used:", *self.messages[:15]]
        if len(self.messages) > 15:
            lines.append(f"... and {len(self.messages) - 15} more")
        return "\n".join(lines)


class Header(NamedTuple):
    """Height and width in pixels as stored (not turned), EXIF orientation 1-8 (1 if none)."""

    height: int
    width: int
    orientation: int


class _Pixels(NamedTuple):
    values: np.ndarray  # (H, W) or (H, W, 2 to 4), as stored, channels in RGBA order
    lossy: bool = False
    palette: np.ndarray | None = None  # (256, 3) uint8, then `values` are its indices


def read_image(path: Path, *, channels: int) -> np.ndarray:
    """The image as (H, W, channels), 0-255, RGB or grey, contiguous and writable.

    uint8, or float32 for 16-bit files (value / 257, so that an 8-bit copy reads the same) and
    float files (0..1 is scaled by 255, 0..255 is taken as it is). Alpha is dropped, palettes are
    expanded, RGB becomes grey by the ITU-R 601 weights. EXIF orientation is not applied.
    """
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 or 3, got {channels}")
    pixels = _decode(path)
    values = pixels.values if pixels.palette is None else pixels.palette[pixels.values]
    if values.ndim == 3:
        values = values[..., : 1 if values.shape[2] == 2 else 3]  # drop alpha
    values = _to_255(values, path).reshape(*values.shape[:2], -1)  # (H, W, 1 or 3)
    if values.shape[2] < channels:
        values = np.repeat(values, channels, axis=2)
    elif values.shape[2] > channels:
        values = _grey(values)[..., None]
    return np.require(values, requirements=["C", "W"])


def read_mask(path: Path, *, palette_as_colours: bool = False) -> tuple[np.ndarray, bool]:
    """The mask's stored values, and whether they went through a lossy format (JPEG).

    (H, W) integers; or (H, W, 3) uint8 where the file is a colour map. 1-bit gives 0/1. A palette
    file gives its indices; but its colours if it is a GIF, if `palette_as_colours`, or if the
    palette says so itself (`_indices_mislead`). EXIF orientation is not applied.
    """
    values, lossy, palette = _decode(path)
    if palette is not None and (palette_as_colours or _indices_mislead(values, palette)):
        values = palette[values]
    if values.ndim == 3 and values.shape[2] in (2, 4):
        alpha = values[..., -1]
        if (alpha != alpha.flat[0]).any():
            raise DataError(path, "mask with transparent parts", "save it without alpha channel")
        values = values[..., :-1]
    if values.ndim == 3:
        values = _without_equal_channels(values, lossy=lossy)
    if values.dtype.kind == "f":
        whole = values.astype(np.int64) if np.isfinite(values).all() else None
        if whole is None or (whole != values).any():
            raise DataError(path, "mask with fractions", "save whole numbers")
        values = whole
    if values.ndim == 3 and values.dtype != np.uint8:
        raise DataError(path, f"colour mask of type {values.dtype}", "save it with 8 bits")
    values = values.astype(np.uint8) if values.dtype == bool else values
    return np.require(values, requirements=["C", "W"]), lossy


def read_header(path: Path) -> Header:
    """Size and orientation of a file from one open, without decoding it."""
    with _guard(path):
        if path.suffix.lower() == ".npy":
            return Header(*_open_npy(path).shape[:2], 1)
        with path.open("rb") as file:
            is_tiff = file.read(4) in _TIFF_MAGIC
            file.seek(0)
            if is_tiff:
                with tifffile.TiffFile(file) as tiff:
                    page = tiff.pages[0]
                    tag = page.tags.get("Orientation")
                    return Header(page.imagelength, page.imagewidth, _turn(tag and tag.value))
            with Image.open(file, formats=_PILLOW_FORMATS) as image:
                # Pillow decodes a whole PNG to look for EXIF after the pixels: look only before.
                has_exif = image.format != "PNG" or "exif" in image.info
                turn = image.getexif().get(0x0112) if has_exif else 1
                return Header(image.height, image.width, _turn(turn))


def image_size(path: Path) -> tuple[int, int]:
    """(H, W) as stored, from the header alone."""
    return read_header(path)[:2]


def orientation(path: Path) -> int:
    """EXIF (or TIFF) orientation 1-8, 1 if the file has none."""
    return read_header(path).orientation


def check_geometry(image_path: Path, mask_path: Path) -> None:
    """Raise `DataError` unless both files have one size and one orientation as stored."""
    image, mask = read_header(image_path), read_header(mask_path)
    differences = []
    if image[:2] != mask[:2]:
        differences.append(
            f"is {image.width}x{image.height}, its mask is {mask.width}x{mask.height}"
        )
    if image.orientation != mask.orientation:
        differences.append(
            f"has EXIF orientation {image.orientation}, its mask has {mask.orientation}"
        )
    if differences:
        mend = "save both upright and of one size (width x height)"
        raise DataError(image_path, f"{' and '.join(differences)} ({mask_path})", mend)


def _decode(path: Path) -> _Pixels:
    with _guard(path):
        if path.suffix.lower() == ".npy":
            array = _open_npy(path)
            if array.shape[2:] == (2,):
                raise DataError(path, "2 channels", "save (H, W) or (H, W, 3)")
            pixels = _Pixels(np.array(array, dtype=array.dtype.newbyteorder("=")))
        else:
            data = path.read_bytes()
            decode = _decode_tiff if data[:4] in _TIFF_MAGIC else _decode_pillow
            pixels = decode(data, path)
    values = pixels.values
    if values.ndim == 3 and values.shape[2] == 1:
        return pixels._replace(values=values[..., 0])
    if values.ndim != 2 and (values.ndim != 3 or values.shape[2] > 4):
        mend = "save one picture of shape (H, W) or (H, W, 3)"
        raise DataError(path, f"array of shape {values.shape}", mend)
    return pixels


def _open_npy(path: Path) -> np.ndarray:
    array = np.lib.format.open_memmap(path, mode="r")  # checks the length, loads no pickles
    if array.ndim < 2:
        raise DataError(path, f"array of shape {array.shape}", "save (H, W) or (H, W, 3)")
    return array


def _decode_tiff(data: bytes, path: Path) -> _Pixels:
    with tifffile.TiffFile(BytesIO(data)) as tiff:
        page = tiff.pages[0]
        # One page can hold a whole stack by the word of its ImageJ or tifffile description.
        stacked = (tiff.is_imagej or tiff.is_shaped) and tiff.series[0].size != page.size
        if len(tiff.pages) > 1 or stacked or page.axes not in ("YX", "YXS", "SYX"):
            raise DataError(path, "several pages or slices in one file", "save one file for each")
        if page.imagelength * page.imagewidth > 2 * Image.MAX_IMAGE_PIXELS:
            raise Image.DecompressionBombError(f"{page.imagewidth}x{page.imagelength} pixels")
        if page.photometric == tifffile.PHOTOMETRIC.SEPARATED:
            raise DataError(path, "CMYK colours", "save it as RGB")
        # Of what a microscope writes as 2 or 4 greys, none is an alpha channel to be dropped.
        grey = page.photometric == tifffile.PHOTOMETRIC.MINISBLACK
        if grey and page.samplesperpixel in (2, 4) and not {1, 2} & set(page.extrasamples):
            raise DataError(path, f"{page.samplesperpixel} channels", "save grey or RGB")
        inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
        direct = grey or page.photometric == tifffile.PHOTOMETRIC.RGB
        plain = page.compression in _TIFFFILE_COMPRESSIONS
        if plain and (direct or inverted) and page.bitspersample in (1, 8, 16, 32, 64):
            values = page.asarray(maxworkers=1)  # its threads cost ten times the decoding
            if page.axes == "SYX":
                values = np.moveaxis(values, 0, -1)  # (H, W, C)
            if inverted and values.dtype == bool:
                values = ~values
            elif inverted:
                if values.dtype.kind != "u":
                    raise DataError(path, f"white-is-zero {values.dtype}", "save black as zero")
                values = np.iinfo(values.dtype).max - values
            return _Pixels(values)
        tag = page.tags.get("Orientation")
        if _turn(tag and tag.value) != 1:
            # The other readers turn such a file on their own, and not alike.
            mend = "save it upright, uncompressed or with deflate compression"
            raise DataError(path, f"compressed TIFF with orientation {tag.value}", mend)
        lossy = page.compression not in _TIFF_LOSSLESS
        deep = page.bitspersample > 8 and page.samplesperpixel > 1
    return _decode_pillow(data, path, deep=deep)._replace(lossy=lossy)


def _decode_pillow(data: bytes, path: Path, *, deep: bool = False) -> _Pixels:
    with Image.open(BytesIO(data), formats=_PILLOW_FORMATS) as image:
        # MPO is a JPEG whose further pictures are a preview or a gain map of the first.
        if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
            raise DataError(path, "several pages or frames in one file", "save one file for each")
        if image.mode not in _PILLOW_MODES:
            raise DataError(path, f"{image.mode} colours", "save it as RGB or grey")
        image.load()  # the whole of it: a truncated file raises here
        if image.mode == "P":
            palette = np.zeros((256, 3), dtype=np.uint8)
            colours = np.array(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
            palette[: len(colours)] = colours
            if image.format == "GIF":  # its writers renumber the palette: only colours are kept
                return _Pixels(palette[np.array(image)])
            return _Pixels(np.array(image), palette=palette)
        deep = deep or (image.format == "PNG" and data[24] == 16 and image.mode[0] != "I")
        if not deep:
            values = np.array(image)
            native = values.astype(values.dtype.newbyteorder("="), copy=False)
            return _Pixels(native, lossy=image.format in ("JPEG", "MPO"))
    # Pillow drops 16-bit colour to 8 bits; it has proved the file sound, which OpenCV does not.
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise DataError(path, "16-bit colour of an unknown kind", "save it as a 16-bit RGB PNG")
    return _Pixels(values[..., [2, 1, 0, 3][: values.shape[2]]] if values.ndim == 3 else values)


def _to_255(values: np.ndarray, path: Path) -> np.ndarray:
    if values.dtype == np.uint8:
        return values
    if values.dtype == bool:
        return values.astype(np.uint8) * 255
    if values.dtype == np.uint16:
        return values.astype(np.float32) / 257
    if values.dtype.kind != "f":
        mend = "save it as uint8, uint16, or float from 0 to 1 or to 255"
        raise DataError(path, f"image of type {values.dtype}", mend)
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 255):  # catches nan as well
        mend = "scale it to 0..1 or 0..255"
        raise DataError(path, f"float image with values from {low:g} to {high:g}", mend)
    return (values * 255 if high <= 1 else values).astype(np.float32)


def _grey(rgb: np.ndarray) -> np.ndarray:
    if rgb.dtype == np.uint8:
        return np.array(Image.fromarray(rgb).convert("L"))
    weights = np.array([19595, 38470, 7471], dtype=np.float32) / 65536  # Pillow's, before rounding
    return rgb @ weights  # (H, W)


def _indices_mislead(indices: np.ndarray, palette: np.ndarray) -> bool:
    """Whether the colours, not the indices, hold the values of a palette mask.

    Indices are the values of a coloured palette (VOC), of {0: black, 1: white}, and of one that
    names no colours. Programs that shrink files renumber palettes at will, so greys that differ
    from their indices are the values themselves, and another index than 0 cannot be black.
    """
    used = np.flatnonzero(np.bincount(indices.ravel(), minlength=256))
    colours = palette[used].astype(int)  # (K, 3)
    if not palette.any() or len(np.unique(colours, axis=0)) < len(used):
        return False
    if ((colours == 0).all(axis=1) & (used != 0)).any():
        return True
    is_grey = (colours == colours[:, :1]).all()
    black_and_white = (colours == 255 * used[:, None]).all()
    return bool(is_grey and not black_and_white)


def _without_equal_channels(values: np.ndarray, *, lossy: bool) -> np.ndarray:
    """(H, W) where all channels are equal (nearly, in a lossy file), else unchanged."""
    if lossy and values.dtype == np.uint8:
        red, green, blue = cv2.split(values)
        spread = max(cv2.absdiff(a, b).max() for a, b in ((red, green), (green, blue), (blue, red)))
        return _grey(values) if spread <= _JPEG_GREY_SPREAD else values
    equal = all(np.array_equal(values[..., 0], values[..., c]) for c in range(values.shape[2]))
    return values[..., 0] if equal else values


def _turn(value: object) -> int:
    return int(value) if isinstance(value, int) and 1 <= value <= 8 else 1


@contextmanager
def _guard(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong with a file into a `DataError` of one line."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "a device or pipe"
            raise DataError(path, f"{kind}, not a file", "move it elsewhere")
        if status.st_size == 0:
            raise DataError(path, "empty file (0 bytes)", "copy or download it again")
        yield
    except DataError:
        raise
    except FileNotFoundError as error:
        reason = "link to a file that is not there" if os.path.islink(path) else "no such file"
        raise DataError(path, reason, "restore it or take it out") from error
    except PermissionError as error:
        raise DataError(path, "no permission to read it", f"chmod u+r '{path}'") from error
    except UnidentifiedImageError as error:
        with open(path, "rb") as file:
            start = file.read(12)
        mend = "take it out, or convert it to PNG"
        raise DataError(path, f"not an image of a known kind, begins {start!r}", mend) from error
    except (Image.DecompressionBombError, MemoryError) as error:
        mend = "cut it into smaller images"
        raise DataError(path, f"too large: {_line(error)}", mend) from error
    except Exception as error:  # decoders raise all kinds of things on damaged files
        mend = "copy or download it again"
        raise DataError(path, f"damaged or truncated: {_line(error)}", mend) from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
