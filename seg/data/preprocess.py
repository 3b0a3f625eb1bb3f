"""One case from its files to arrays at training size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np

from seg.data import annotations
from seg.data.errors import DataError
from seg.data.formats import read_header
from seg.data.formats.intensity import Window
from seg.data.grey_masks import from_threshold
from seg.data.images import check_geometry, read_mask, read_stack
from seg.data.masks import BACKGROUND, IGNORE, to_indices, to_planes, uses_colours
from seg.data.pairs import MaskFile, Pair


@dataclass(frozen=True)
class Preprocessing:
    """How a file becomes an array.

    Args:
        size: height and width in pixels that images are resized to; None: their own.
        channels: of the image: 1 (grey), 3 (RGB), or the sum over a case's image files.
        classes: meaning of the mask values (see `masks.to_indices`).
        ignore_value: mask value of ignored pixels, or None.
        window: for more than 8 bits, (low, high) in stored units that become 0 and 255, or
            "percentile", or None (see `images.read_image`).
        overlap: whether a pixel may be of several classes; masks are planes then (`unite`).
        mask_threshold: stored value from which a mask file of one class is foreground; None where
            its values are those of the class.
        image_suffix: how the names of a case's image files end, in the order of their channels;
            empty where a case has one file.
        patch: height and width of the windows that the network takes; None: whole images.
    """

    size: tuple[int, int] | None
    channels: int
    classes: dict | None
    ignore_value: int | None
    window: Window = None
    overlap: bool = False
    mask_threshold: float | None = None
    image_suffix: tuple[str, ...] = ()
    patch: tuple[int, int] | None = None

    @property
    def network_size(self) -> tuple[int, int]:
        """Height and width of what the network is trained with."""
        return self.patch or self.size

    def size_of(self, pair: Pair) -> tuple[int, int]:
        """Height and width of a case in the cache. Raises DataError for an unreadable header."""
        return self.size or read_header(pair.image, pair.plane)[:2]


def preprocessing(
    *,
    image_size: int | list[int] | None,
    window: list[float] | str | None,
    classes: dict | None,
    overlap: bool = False,
    patch_size: int | list[int] | None = None,
    **fields: Any,
) -> Preprocessing:
    """`Preprocessing` from the keys of `dataset`: a side or [height, width], lists for tuples.

    A single class has nothing to share pixels with: `overlap` changes nothing then.
    """
    window = (window[0], window[1]) if isinstance(window, list) else window
    overlap = overlap and len(classes or "1") > 1
    sizes = {"size": _height_width(image_size), "patch": _height_width(patch_size)}
    return Preprocessing(window=window, classes=classes, overlap=overlap, **sizes, **fields)


def _height_width(size: int | list[int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def image_to_size(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize (H, W, C) to `size`, bilinear; by area averaging when it shrinks, against aliasing."""
    height, width = size
    if image.shape[:2] == size:
        return image
    if image.shape[2] > 4:  # OpenCV averages 4 at most
        parts = [image_to_size(image[..., c : c + 4], size) for c in range(0, image.shape[2], 4)]
        return np.concatenate(parts, axis=2)
    shrinks = height * width < image.shape[0] * image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(image, (width, height), interpolation=interpolation)
    return resized.reshape(height, width, image.shape[2])


def mask_to_size(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize class indices (H, W) or planes (H, W, K) to `size`, nearest neighbour with pixel
    centres aligned.
    """
    if mask.shape[:2] == size:
        return mask
    if mask.ndim == 3:  # OpenCV takes few channels
        return np.stack([mask_to_size(plane, size) for plane in np.moveaxis(mask, 2, 0)], axis=2)
    return cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)


def read_pair(pair: Pair, pre: Preprocessing) -> tuple[np.ndarray, np.ndarray, bool]:
    """One case at its own size.

    Returns:
        The image (H, W, C), uint8 or float32 in 0-255; the mask as from `unite`; and whether a
        mask file is lossy.

    Raises:
        DataError: a file cannot be used, or the files differ in size or orientation.
    """
    image = read_channels(pair, pre)
    parts = read_mask_files(pair, pre)
    check_files(pair)
    mask = unite(parts, pre, size=image.shape[:2])
    return image, mask, any(part.lossy for part in parts)


def read_channels(pair: Pair, pre: Preprocessing) -> np.ndarray:
    """The case's image files as one image (H, W, C), as from `images.read_stack`."""
    options = {"channels": pre.channels, "plane": pair.plane, "window": pre.window}
    return read_stack(pair.images, **options)


def check_files(pair: Pair) -> None:
    """Raise DataError unless all files of a case have one size, orientation and position.

    Annotations are checked where they are drawn.
    """
    masks = (path for path in pair.mask_paths if not annotations.is_annotation(path))
    for path in (*pair.images[1:], *masks):
        check_geometry(pair.image, path, plane=pair.plane)


class MaskPart(NamedTuple):
    """What one mask file of a case holds: `values` and `lossy` as from `images.read_mask`."""

    file: MaskFile
    values: np.ndarray
    lossy: bool


def read_mask_files(pair: Pair, pre: Preprocessing) -> list[MaskPart]:
    """The stored values of each mask file. Raises DataError for a file that cannot be read."""
    as_colours = uses_colours(pre.classes)
    options = {"palette_as_colours": as_colours, "plane": pair.plane}
    options["fractions"] = pre.mask_threshold is not None
    if pre.overlap and not as_colours:
        options["planes"] = len(pre.classes or ())
    drawn = {"classes": pre.classes or (), "overlap": pre.overlap}
    parts = [
        MaskPart(file, annotations.read(file, pair.image, **drawn), False)
        if annotations.is_annotation(file.path)
        else MaskPart(file, *read_mask(file.path, **options))
        for file in pair.masks
    ]
    return parts if pre.mask_threshold is None else [_thresholded(part, pre) for part in parts]


def _thresholded(part: MaskPart, pre: Preprocessing) -> MaskPart:
    path = part.file.path
    if part.file.label is None and len(pre.classes or "1") > 1:
        fix = "dataset.mask_threshold is for files of one class: take it out"
        raise DataError(path, f"has the classes {', '.join(pre.classes)}", fix)
    options = {"ignore_value": pre.ignore_value, "path": path}
    return MaskPart(part.file, from_threshold(part.values, pre.mask_threshold, **options), False)


def unite(parts: Sequence[MaskPart], pre: Preprocessing, *, size: tuple[int, int]) -> np.ndarray:
    """The union of mask files as class indices (H, W) uint8, 255 where one file ignores a pixel
    and none has a class.

    With `pre.overlap` a plane for each class (H, W, K) uint8, in the order of `pre.classes`: 1
    where a file has the class, else 255 where one ignores the pixel, else 0.

    Args:
        size: (H, W) of the image, for a case without mask files.

    Raises:
        DataError: a value of no class, a pixel that two files give to different classes, or files
            of different sizes.
    """
    size = parts[0].values.shape[:2] if parts else size
    mask = np.zeros((*size, len(pre.classes)) if pre.overlap else size, dtype=np.uint8)
    for part in parts:
        labels = _planes(part, pre) if pre.overlap else _labels(part, pre)
        if len(parts) == 1:
            return labels
        if labels.shape != mask.shape:
            reason = f"is {labels.shape[1]}x{labels.shape[0]}, another mask file is"
            reason += f" {mask.shape[1]}x{mask.shape[0]} ({parts[0].file.path})"
            raise DataError(part.file.path, reason, "save both of one size (width x height)")
        labelled = (labels != BACKGROUND) & (labels != IGNORE)
        conflict = labelled & (mask != BACKGROUND) & (mask != IGNORE) & (mask != labels)
        if conflict.any():
            raise DataError(
                part.file.path,
                f"{np.count_nonzero(conflict)} pixels have another class in another mask file",
                "dataset.overlap=true lets classes share pixels",
            )
        mask[labelled | (mask == BACKGROUND)] = labels[labelled | (mask == BACKGROUND)]
    return mask


def _labels(part: MaskPart, pre: Preprocessing) -> np.ndarray:
    label = part.file.label
    labels = to_indices(
        part.values,
        lossy=part.lossy,
        classes=pre.classes if label is None and pre.mask_threshold is None else None,
        ignore_value=pre.ignore_value,
        path=part.file.path,
    )
    if label is not None:
        labels[labels == 1] = 1 + list(pre.classes or {}).index(label)
    return labels


def _planes(part: MaskPart, pre: Preprocessing) -> np.ndarray:
    """(H, W, K): of a file of one class, of one with a channel for each class, or of values."""
    classes, label = pre.classes or {}, part.file.label
    about = {"lossy": part.lossy, "ignore_value": pre.ignore_value, "path": part.file.path}
    if label is not None:
        planes = np.zeros((*part.values.shape[:2], len(classes)), dtype=np.uint8)
        planes[..., list(classes).index(label)] = to_indices(part.values, classes=None, **about)
        return planes
    if part.values.ndim == 3 and part.values.shape[2] == len(classes) and not uses_colours(classes):
        claims = [None if claim is None else {name: claim} for name, claim in classes.items()]
        channels = zip(np.moveaxis(part.values, 2, 0), claims, strict=True)
        return np.stack([to_indices(one, classes=claim, **about) for one, claim in channels], 2)
    return to_planes(part.values, classes=classes, **about)
