"""Image and mask files as arrays, exactly as stored."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from seg.data import formats
from seg.data.errors import DataError
from seg.data.formats.intensity import Window, to_255
from seg.data.formats.pictures import Pixels, Plane

# Largest difference between the channels of a JPEG that still counts as grey (chroma rounding).
_JPEG_GREY_SPREAD = 32
_FRACTIONS = "save whole numbers, or dataset.mask_threshold=0.5 for probabilities"


def read_image(
    path: Path, *, channels: int | None, plane: Plane | None = None, window: Window = None
) -> np.ndarray:
    """The image as (H, W, channels), 0-255, contiguous and writable.

    uint8 if the file has 8 bits, else float32 as `intensity.to_255` makes it: 16 bits are divided
    by 257, so that an 8-bit copy reads the same. Alpha is dropped, unless it is one of the
    `channels` asked for; palettes are expanded; grey becomes RGB by repetition and RGB grey by the
    ITU-R 601 weights. EXIF orientation is not applied.

    Args:
        channels: 1 (grey), 3 (RGB), or as many as the file has; None for those of the file.
        plane: axis and index of the slice, if the file is a volume; else it is ignored.
        window: for more than 8 bits: low and high, "percentile" (of the whole file; by channel
            unless it is RGB), or None for the file's own.

    Raises:
        DataError: the file cannot be used; among others, its values need a window, or it has
            another number of channels.
    """
    return as_image(formats.decode(path, plane), path, channels=channels, window=window)


def as_image(
    pixels: Pixels, path: Path, *, channels: int | None, window: Window = None
) -> np.ndarray:
    """What `read_image` makes of a decoded picture.

    Args:
        path: what messages name; its suffix tells volumes from pictures.
        channels, window: as for `read_image`.
    """
    values = pixels.values if pixels.palette is None else pixels.palette[pixels.values]
    if pixels.alpha and values.shape[2] != channels:
        values = values[..., :-1]
    count = values.shape[2] if values.ndim == 3 else 1
    if pixels.slices and (channels in (1, 3) or channels not in (None, count)):
        fix = "save one file for each"
        if count != 3:  # the default, which nobody has asked for
            fix += f", or dataset.channels={count} takes them as channels of one picture"
        raise DataError(path, f"several pages or slices in one file ({count})", fix)
    # three channels of a volume are sequences, no colours
    sequences = count > 1 and formats.suffix_of(path) in formats.NIFTI_SUFFIXES
    convertible = {count, channels} == {1, 3} and not sequences
    if channels not in (None, count) and not convertible:
        has = f"has {count} channel{'s' * (count > 1)}, not {channels}"
        raise DataError(path, has, f"dataset.channels={count} trains on such images")
    values = to_255(
        values * np.uint8(pixels.grey_step) if pixels.grey_step > 1 else values,
        path,
        window=window,
        value_range=pixels.value_range,
        file_window=pixels.window,
        measured=pixels.measured,
        by_channel=sequences or count not in (1, 3),
    )
    values = 255 - values if pixels.inverted else values
    values = values.reshape(*values.shape[:2], -1)  # (H, W, C)
    if channels == 3 and count == 1:
        values = np.repeat(values, 3, axis=2)
    elif channels == 1 and count == 3:
        values = _grey(values)[..., None]
    return np.require(values, requirements=["C", "W"])


def read_stack(
    paths: Sequence[Path], *, channels: int, plane: Plane | None = None, window: Window = None
) -> np.ndarray:
    """The files of one case as one image (H, W, channels): uint8 if all have 8 bits, else float32.

    Their channels follow one another. Where these are not as many as asked for, each file gives an
    equal share of `channels`: greys may be stored as RGB. Other arguments as in `read_image`.

    Raises:
        DataError: a file cannot be used, or they have another number of channels together.
    """
    if len(paths) == 1:
        return read_image(paths[0], channels=channels, plane=plane, window=window)
    for path in paths[1:]:
        check_geometry(paths[0], path, plane=plane)
    images = [read_image(path, channels=None, plane=plane, window=window) for path in paths]
    counts = [image.shape[2] for image in images]
    if sum(counts) == channels:
        return np.concatenate(images, axis=2)
    each = channels // len(paths) if channels % len(paths) == 0 else None
    shares = [_converted(image, each) for image in images]
    if any(share is None for share in shares):
        has = f"has {' + '.join(map(str, counts))} channels in its {len(paths)} files"
        fix = f"dataset.channels={sum(counts)} trains on such images"
        raise DataError(paths[0], f"{has}, not {channels}", fix)
    return np.concatenate(shares, axis=2)


def _converted(image: np.ndarray, channels: int | None) -> np.ndarray | None:
    """Grey as RGB, or RGB that is grey as one channel; None where values would be lost."""
    if image.shape[2] == channels:
        return image
    if (image.shape[2], channels) == (1, 3):
        return np.repeat(image, 3, axis=2)
    is_grey = (image.shape[2], channels) == (3, 1) and (image == image[..., :1]).all()
    return image[..., :1] if is_grey else None


def read_mask(
    path: Path,
    *,
    palette_as_colours: bool = False,
    plane: Plane | None = None,
    planes: int | None = None,
    fractions: bool = False,
) -> tuple[np.ndarray, bool]:
    """The mask's stored values, and whether the format is lossy (JPEG).

    The values are (H, W) integers, or (H, W, 3) uint8 if the mask is in colour, or (H, W, planes).
    Greys of 1, 2 and 4 bits give 0 to 1, 3 and 15. EXIF orientation is not applied.

    Args:
        palette_as_colours: a palette file gives its colours instead of its indices. GIFs always
            do, and files whose palette shows that the indices mean nothing (`_indices_mislead`).
        plane: as for `read_image`.
        planes: a file of so many channels has one for each class, and no colours.
        fractions: whether floats need not be whole numbers; they stay as they are.

    Raises:
        DataError: the file cannot be used as a mask, such as for fractions or transparent parts.
    """
    pixels = formats.decode(path, plane)
    values, lossy, palette = pixels.values, pixels.lossy, pixels.palette
    if pixels.inverted:
        raise DataError(path, "mask in which 0 is white (MONOCHROME1)", "save it as MONOCHROME2")
    if palette is not None and (palette_as_colours or _indices_mislead(values, palette)):
        values = palette[values]
    in_colour = values.ndim == 3 and values.shape[2] != planes
    if in_colour and pixels.alpha:
        alpha = values[..., -1]
        if (alpha != alpha.flat[0]).any():
            raise DataError(path, "mask with transparent parts", "save it without alpha channel")
        values = values[..., :-1]
    if in_colour and values.shape[2] not in (1, 3):
        has = f"mask with {values.shape[2]} channels or pages"
        raise DataError(path, has, "save one of shape (H, W), or in colours")
    if in_colour:
        values = _without_equal_channels(values, lossy=lossy)
    if values.dtype.kind == "f" and not (fractions and np.isfinite(values).all()):
        whole = values.astype(np.int64) if np.isfinite(values).all() else None
        if whole is None or (whole != values).any():
            raise DataError(path, "mask with fractions", _FRACTIONS)
        values = whole
    if in_colour and values.ndim == 3 and values.dtype != np.uint8:
        raise DataError(path, f"colour mask of type {values.dtype}", "save it with 8 bits")
    values = values.astype(np.uint8) if values.dtype == bool else values
    return np.require(values, requirements=["C", "W"]), lossy


def check_geometry(image_path: Path, mask_path: Path, *, plane: Plane | None = None) -> None:
    """Raise DataError unless two files of a case have the same size and orientation as stored.

    Two volumes must agree in shape and position in space as well. The mask of a slice may be a
    picture, which has no position: it needs the rows and columns that `formats.nifti` describes.
    """
    formats.check_position(image_path, mask_path)
    image, mask = formats.read_header(image_path, plane), formats.read_header(mask_path, plane)
    differences = []
    if image[:2] != mask[:2]:
        sizes = [f"{header.width}x{header.height}" for header in (image, mask)]
        differences.append("is {}, the other is {}".format(*sizes))
    turns = image.orientation, mask.orientation
    if turns[0] != turns[1]:
        differences.append("has EXIF orientation {}, the other has {}".format(*turns))
    if differences:
        fix = "save both upright and of one size (width x height)"
        raise DataError(image_path, f"{' and '.join(differences)} ({mask_path})", fix)


def _grey(rgb: np.ndarray) -> np.ndarray:
    if rgb.dtype == np.uint8:
        return np.array(Image.fromarray(rgb).convert("L"))
    weights = np.array([19595, 38470, 7471], dtype=np.float32) / 65536  # Pillow's, before rounding
    return rgb @ weights  # (H, W)


def _indices_mislead(indices: np.ndarray, palette: np.ndarray) -> bool:
    """Whether the colours, not the indices, hold the values of a palette mask.

    With a coloured palette (VOC), with {0: black, 1: white}, and with one that names no colours,
    the indices are the values. But programs that shrink files renumber palettes, so greys that
    differ from their indices are the values themselves, and black must be index 0.
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
