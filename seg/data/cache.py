"""Decoding is paid once: every case at training size, in memory-mapped arrays keyed by contents."""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from seg.data.images import DataError, DataErrors, check_geometry, read_image, read_mask
from seg.data.masks import IGNORE, to_indices, uses_colours
from seg.data.pairs import Pair

log = logging.getLogger(__name__)

VERSION = (
    1  # raise it when decoding or resizing changes, so that no older array is taken for a new one
)
THREADS = 4


@dataclass(frozen=True)
class Preprocessing:
    """How a file becomes an array: size (height, width), channels 1 or 3, the masks' meaning."""

    size: tuple[int, int]
    channels: int
    classes: dict | None
    ignore_value: int | None


@dataclass(frozen=True)
class Cache:
    """Decoded cases, in the order of their pairs.

    images: (N, H, W, C) uint8, or float32 in 0-255 where a file had more than 8 bits.
    masks: (N, H, W) uint8 class indices, 255 void. foreground: (N,) share of pixels that are not
        background.
    image_sha256, mask_sha256: hex digests of the files.
    """

    images: np.ndarray
    masks: np.ndarray
    foreground: np.ndarray
    image_sha256: list[str]
    mask_sha256: list[str]
    path: Path


def image_to_size(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize (H, W, C) to `size`; by area averaging when shrinking, as bilinear would alias."""
    height, width = size
    if image.shape[:2] == size:
        return image
    shrinks = height * width < image.shape[0] * image.shape[1]
    resized = cv2.resize(
        image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    return resized.reshape(height, width, image.shape[2])


def mask_to_size(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize class indices (H, W) to `size`, nearest neighbour with pixel centres aligned."""
    if mask.shape == size:
        return mask
    return cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)


def load(
    pairs: Sequence[Pair],
    preprocessing: Preprocessing,
    *,
    folder: Path,
    progress: Callable[[Iterator, int, str], Iterator] = lambda steps, total, label: steps,
) -> Cache:
    """Open the arrays of these pairs, decoding the files only if no earlier run did.

    folder: where caches lie; one subfolder for each set of contents and preprocessing.
    progress: wraps the iterators of long work (steps, total, label).

    Raises DataErrors naming every file that cannot be used.
    """
    image_sha, mask_sha = _hash_all(pairs, preprocessing, progress)
    target = folder / _key(pairs, image_sha, mask_sha, preprocessing)
    if not target.is_dir():
        _build(pairs, preprocessing, target, progress)
    return Cache(
        images=np.load(target / "images.npy", mmap_mode="r"),
        masks=np.load(target / "masks.npy", mmap_mode="r"),
        foreground=np.load(target / "foreground.npy"),
        image_sha256=image_sha,
        mask_sha256=mask_sha,
        path=target,
    )


def _hash_all(
    pairs: Sequence[Pair], pre: Preprocessing, progress: Callable
) -> tuple[list[str], list[str]]:
    """Hex digests of all images and masks. Raises DataErrors, which names undecodable files too."""

    def digest(path: Path) -> str | DataError:
        try:
            with path.open("rb") as handle:
                return hashlib.file_digest(handle, "sha256").hexdigest()
        except OSError as error:
            return DataError(path, error.strerror or str(error), "restore the file or its pair")

    def problem(pair: Pair) -> str | None:
        try:
            read_pair(pair, pre)
        except DataError as error:
            return str(error)
        return None

    paths = [p.image for p in pairs] + [p.mask for p in pairs]
    with ThreadPoolExecutor(THREADS) as pool:
        digests = list(progress(pool.map(digest, paths), len(paths), "checking files"))
        if any(isinstance(d, DataError) for d in digests):
            found = progress(pool.map(problem, pairs), len(pairs), "checking images")
            raise DataErrors([message for message in found if message is not None])
    return digests[: len(pairs)], digests[len(pairs) :]


def _key(pairs: Sequence[Pair], images: list[str], masks: list[str], pre: Preprocessing) -> str:
    text = json.dumps(
        [
            VERSION,
            cv2.__version__.split(".")[0],
            pre.size,
            pre.channels,
            pre.classes,
            pre.ignore_value,
            [p.case for p in pairs],
            images,
            masks,
        ]
    )
    return f"{pre.size[0]}x{pre.size[1]}-{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def _build(pairs: Sequence[Pair], pre: Preprocessing, target: Path, progress: Callable) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # Written beside the target and renamed: a killed run leaves nothing that looks complete, and of
    # two processes that build the same cache the second finds the first one's and drops its own.
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    temporary.chmod(0o755)  # others may share it, mkdtemp's folders are private
    try:
        if not _decode_all(pairs, pre, temporary, np.uint8, progress):
            _decode_all(pairs, pre, temporary, np.float32, progress)
        try:
            os.rename(temporary, target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _decode_all(
    pairs: Sequence[Pair], pre: Preprocessing, folder: Path, dtype: type, progress: Callable
) -> bool:
    """Write the arrays; False if a file has more than the 8 bits that `dtype` holds."""
    n, (height, width) = len(pairs), pre.size
    need = n * height * width * (pre.channels * np.dtype(dtype).itemsize + 1)
    free = shutil.disk_usage(folder).free
    if need > free:
        raise OSError(
            f"{folder.parent}: the decoded data needs {need / 1e9:.1f} GB, "
            f"{free / 1e9:.1f} GB are free; set dataset.cache_dir to a larger disk"
        )
    open_array = np.lib.format.open_memmap
    images = open_array(
        folder / "images.npy", mode="w+", dtype=dtype, shape=(n, height, width, pre.channels)
    )
    masks = open_array(folder / "masks.npy", mode="w+", dtype=np.uint8, shape=(n, height, width))
    foreground = np.zeros(n)
    problems: list[str] = []
    deeper = False
    lossy = np.zeros(n, dtype=bool)

    def decode(i: int) -> DataError | None:
        nonlocal deeper
        try:
            image, mask, lossy[i] = read_pair(pairs[i], pre)
        except DataError as error:
            return error
        if image.dtype != np.uint8 and dtype == np.uint8:
            deeper = True
            return None
        foreground[i] = np.count_nonzero((mask > 0) & (mask != IGNORE)) / mask.size
        images[i] = image_to_size(image, pre.size)
        masks[i] = mask_to_size(mask, pre.size)
        return None

    with ThreadPoolExecutor(THREADS) as pool:
        for error in progress(pool.map(decode, range(n)), n, "decoding"):
            if error is not None:
                problems.append(str(error))
    if problems:
        raise DataErrors(problems)
    if deeper:
        return False
    if lossy.any():
        log.warning("%d masks are lossy JPEG: their greys are thresholded at half", lossy.sum())
    for array in (images, masks):
        array.flush()
    np.save(folder / "foreground.npy", foreground)
    return True


def read_pair(pair: Pair, pre: Preprocessing) -> tuple[np.ndarray, np.ndarray, bool]:
    """One case at its own size: image (H, W, C) uint8 or float32 in 0-255, mask (H, W) uint8
    indices.

    Raises DataError where the two have not the same geometry or a file cannot be used.
    """
    image = read_image(pair.image, channels=pre.channels)
    values, lossy = read_mask(pair.mask, palette_as_colours=uses_colours(pre.classes))
    check_geometry(pair.image, pair.mask)
    mask = to_indices(
        values, lossy=lossy, classes=pre.classes, ignore_value=pre.ignore_value, path=pair.mask
    )
    return image, mask, lossy
