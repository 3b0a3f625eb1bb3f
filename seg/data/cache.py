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

from seg.data.cache_folder import building, unfinished
from seg.data.errors import DataError, DataErrors
from seg.data.masks import IGNORE
from seg.data.near_duplicates import hash
from seg.data.pairs import Pair
from seg.data.preprocess import Preprocessing, image_to_size, mask_to_size, read_pair

log = logging.getLogger(__name__)

# Raise it when decoding or resizing changes, so that no older array is taken for a new one.
VERSION = 2
THREADS = 4


Progress = Callable[[Iterator, int, str], Iterator]


def no_progress(steps: Iterator, total: int, label: str) -> Iterator:
    """Pass the steps on in silence."""
    return steps


@dataclass(frozen=True)
class Cache:
    """Decoded cases, in the order of their pairs.

    images: (N, H, W, C) uint8, or float32 in 0-255 where a file had more than 8 bits.
    masks: (N, H, W) uint8 class indices, 255 void. foreground: (N,) share of pixels that are not
        background, before resizing.
    near: (M, 2) rows of near-duplicate images. sizes: (N, 2) heights and widths of the files.
    image_sha256, mask_sha256: hex digests of the files.
    """

    images: np.ndarray
    masks: np.ndarray
    foreground: np.ndarray
    near: np.ndarray
    sizes: np.ndarray
    image_sha256: list[str]
    mask_sha256: list[str]
    path: Path


def load(
    pairs: Sequence[Pair],
    preprocessing: Preprocessing,
    *,
    folder: Path,
    progress: Progress = no_progress,
    problems: Sequence[str] = (),
) -> Cache:
    """Open the arrays of these pairs, decoding the files only if no earlier run did.

    folder: where caches lie; one subfolder for each set of contents and preprocessing.
    progress: wraps the iterators of long work (steps, total, label).
    problems: what is wrong with other files of the set, to be said in one message with the rest.

    Raises DataErrors naming every file that cannot be used.
    """
    if problems:
        raise DataErrors([*problems, *unusable(pairs, preprocessing, progress=progress)])
    image_sha, mask_sha = _hash_all(pairs, preprocessing, progress)
    target = folder / _key(pairs, image_sha, mask_sha, preprocessing)
    if not target.is_dir():
        _build(pairs, preprocessing, target, progress)
    return Cache(
        images=np.load(target / "images.npy", mmap_mode="r"),
        masks=np.load(target / "masks.npy", mmap_mode="r"),
        foreground=np.load(target / "foreground.npy"),
        near=np.load(target / "near.npy"),
        sizes=np.load(target / "sizes.npy"),
        image_sha256=image_sha,
        mask_sha256=mask_sha,
        path=target,
    )


def unusable(
    pairs: Sequence[Pair], pre: Preprocessing, *, progress: Progress = no_progress
) -> list[str]:
    """A message for every pair that cannot be used."""

    def problem(pair: Pair) -> str | None:
        try:
            read_pair(pair, pre)
        except DataError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(THREADS) as pool:
        found = progress(pool.map(problem, pairs), len(pairs), "checking images")
        return [message for message in found if message is not None]


def _hash_all(
    pairs: Sequence[Pair], pre: Preprocessing, progress: Progress
) -> tuple[list[str], list[str]]:
    """Hex digests of all images and masks. Raises DataErrors, which names undecodable files too."""

    def digest(path: Path) -> str | None:
        try:
            with path.open("rb") as handle:
                return hashlib.file_digest(handle, "sha256").hexdigest()
        except OSError:
            return None

    paths = list(dict.fromkeys([p.image for p in pairs] + [p.mask for p in pairs]))
    with ThreadPoolExecutor(THREADS) as pool:
        digests = list(progress(pool.map(digest, paths), len(paths), "checking files"))
    if None in digests:
        raise DataErrors(unusable(pairs, pre, progress=progress))
    of = {path: str(digest) for path, digest in zip(paths, digests, strict=True)}
    return [of[p.image] for p in pairs], [of[p.mask] for p in pairs]


def _key(pairs: Sequence[Pair], images: list[str], masks: list[str], pre: Preprocessing) -> str:
    text = json.dumps(
        [
            VERSION,
            cv2.__version__.split(".")[0],
            pre.size,
            pre.channels,
            pre.classes,
            pre.ignore_value,
            pre.window,
            [(p.case, p.plane) for p in pairs],
            images,
            masks,
        ]
    )
    return f"{pre.size[0]}x{pre.size[1]}-{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def _build(pairs: Sequence[Pair], pre: Preprocessing, target: Path, progress: Progress) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    for dead in unfinished(target.parent):
        shutil.rmtree(dead, ignore_errors=True)
    # Written beside the target and renamed: a killed run leaves nothing that looks complete, and of
    # two processes that build the same cache the second finds the first one's and drops its own.
    prefix = building(target.name)
    temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
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
    pairs: Sequence[Pair], pre: Preprocessing, folder: Path, dtype: type, progress: Progress
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
    foreground, sizes = np.zeros(n), np.zeros((n, 2), dtype=np.int64)
    prints = hash.empty(n)
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
        sizes[i] = mask.shape
        prints.hashes[i], prints.thumbnails[i] = hash.fingerprint(image)
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
    np.save(folder / "sizes.npy", sizes)
    near = hash.near_pairs(prints, progress=progress)
    np.save(folder / "near.npy", np.array(near, dtype=np.int64).reshape(-1, 2))
    return True
