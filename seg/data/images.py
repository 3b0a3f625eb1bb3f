"""The one reader: image and mask files as arrays, exactly as stored or a `DataError`."""

from pathlib import Path

import cv2
import numpy as np
import tifffile
from PIL import Image

from seg.data.errors import DataError, DataErrors
from seg.data.formats import volumes
from seg.data.formats.decoding import (
    PILLOW_FORMATS,
    TIFF_MAGIC,
    Header,
    Pixels,
    as_orientation,
    decode,
    guard,
    open_npy,
)
from seg.data.formats.intensity import Window, to_255
from seg.data.formats.volume_cache import Plane
from seg.data.formats.volumes import stem_of, suffix_of

__all__ = [
    "IMAGE_SUFFIXES",
    "DataError",
    "DataErrors",
    "Header",
    "Plane",
    "Window",
    "check_geometry",
    "is_image",
    "read_header",
    "read_image",
    "read_mask",
    "stem_of",
]

_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".npy"})
IMAGE_SUFFIXES = _PICTURES | volumes.NIFTI_SUFFIXES | volumes.DICOM_SUFFIXES
# Largest difference between the channels of a JPEG that still counts as grey (chroma rounding).
_JPEG_GREY_SPREAD = 32


def is_image(path: Path) -> bool:
    """Whether the name is that of an image or mask file; `.nii.gz` is, another `.gz` is not."""
    return suffix_of(path) in IMAGE_SUFFIXES


def read_image(
    path: Path, *, channels: int, plane: Plane | None = None, window: Window = None
) -> np.ndarray:
    """The image as (H, W, channels), 0-255, RGB or grey, contiguous and writable.

    uint8 if the file has 8 bits, else float32: through `window` (`windows.to_255`: low and high,
    or "percentile"), or, with None, by the window that a DICOM file states; without one,
    16 bits / 257, so that an 8-bit copy reads the same, and floats from 0..1 or 0..255. The values
    of NIfTI and DICOM of more than 8 bits fill no known range, as all others: DataError names it.
    Alpha is dropped, palettes are expanded, RGB becomes grey by the ITU-R 601 weights. EXIF
    orientation is not applied.

    plane: (axis, index) of the slice, if the file is a volume; a file of one picture ignores it.
    """
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 or 3, got {channels}")
    pixels = _decode(path, plane)
    values = pixels.values if pixels.palette is None else pixels.palette[pixels.values]
    if values.ndim == 3:
        values = values[..., : 1 if values.shape[2] == 2 else 3]  # drop alpha
    values = to_255(
        values * np.uint8(pixels.grey_step) if pixels.grey_step > 1 else values,
        path,
        window=window,
        spread=pixels.spread,
        stated=pixels.window,
        measured=pixels.measured,
    )
    values = 255 - values if pixels.inverted else values
    values = values.reshape(*values.shape[:2], -1)  # (H, W, 1 or 3)
    if values.shape[2] < channels:
        values = np.repeat(values, channels, axis=2)
    elif values.shape[2] > channels:
        values = _grey(values)[..., None]
    return np.require(values, requirements=["C", "W"])


def read_mask(
    path: Path, *, palette_as_colours: bool = False, plane: Plane | None = None
) -> tuple[np.ndarray, bool]:
    """The mask's stored values, and whether they went through a lossy format (JPEG).

    (H, W) integers; or (H, W, 3) uint8 where the file is a colour map. 1-bit gives 0/1. A palette
    file gives its indices; but its colours if it is a GIF, if `palette_as_colours`, or if the
    palette says so itself (`_indices_mislead`). Greys of 1, 2 and 4 bits give 0 to 1, 3 and 15.
    EXIF orientation is not applied. plane: as for `read_image`.
    """
    pixels = _decode(path, plane)
    values, lossy, palette = pixels.values, pixels.lossy, pixels.palette
    if pixels.inverted:
        raise DataError(path, "mask of which 0 is white (MONOCHROME1)", "save it as MONOCHROME2")
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


def read_header(path: Path, plane: Plane | None = None) -> Header:
    """Size, orientation and spacing of a file, or of a plane of it, without decoding it."""
    if volumes.is_medical(path):
        return volumes.read_header(path, plane)
    with guard(path):
        if path.suffix.lower() == ".npy":
            return Header(*open_npy(path).shape[:2], 1)
        with path.open("rb") as file:
            is_tiff = file.read(4) in TIFF_MAGIC
            file.seek(0)
            if is_tiff:
                with tifffile.TiffFile(file) as tiff:
                    page = tiff.pages[0]
                    tag = page.tags.get("Orientation")
                    return Header(
                        page.imagelength, page.imagewidth, as_orientation(tag and tag.value)
                    )
            with Image.open(file, formats=PILLOW_FORMATS) as image:
                # Pillow decodes a whole PNG to look for EXIF after the pixels: look only before.
                has_exif = image.format != "PNG" or "exif" in image.info
                turn = image.getexif().get(0x0112) if has_exif else 1
                return Header(image.height, image.width, as_orientation(turn))


def image_size(path: Path) -> tuple[int, int]:
    """(H, W) as stored, from the header alone."""
    return read_header(path)[:2]


def orientation(path: Path) -> int:
    """EXIF (or TIFF) orientation 1-8, 1 if the file has none."""
    return read_header(path).orientation


def check_geometry(image_path: Path, mask_path: Path, *, plane: Plane | None = None) -> None:
    """Raise `DataError` unless both files have one size and one orientation as stored.

    plane: as for `read_image`; the mask of a slice may be a file of its own. Of two volumes, all of
    the shape and the place in space (NIfTI affine, DICOM position) must agree as well. A picture
    says nothing of its place: that of a NIfTI slice is to have the rows and columns of `nifti`.
    """
    if volumes.is_medical(image_path) and volumes.is_medical(mask_path):
        volumes.check_alike(image_path, mask_path)
    image, mask = read_header(image_path, plane), read_header(mask_path, plane)
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


def _decode(path: Path, plane: Plane | None) -> Pixels:
    return volumes.decode(path, plane) if volumes.is_medical(path) else decode(path)


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
