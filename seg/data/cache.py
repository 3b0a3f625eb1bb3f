"""Every case decoded once, at training size or its own: arrays on disk, keyed by the contents."""

import hashlib
import json
import logging
import math
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from seg.data import Progress, class_map, no_progress, ragged
from seg.data.cache_folder import build_prefix, dead_builds
from seg.data.errors import DataError, DataErrors
from seg.data.file_threads import mapped
from seg.data.near_duplicates.hash import SIDE, empty, fingerprint, near_pairs
from seg.data.pairs import Pair
from seg.data.planes import foreground_of
from seg.data.preprocess import Preprocessing, image_to_size, mask_to_size, read_pair

log = logging.getLogger(__name__)

# Raise it when decoding, resizing or near-duplicates change: no older array is taken for a new one.
VERSION = 4


@dataclass(frozen=True)
class Cache:
    """Decoded cases, in the order of their pairs.

    Args:
        images: (N, H, W, C) uint8, or float32 in 0-255 where a file had more than 8 bits; of N
            sizes where images keep their own.
        masks: (N, H, W) uint8 class indices, or (N, H, W, K) planes; 255 ignored.
        foreground: (N,) share of pixels that are not background, before resizing.
        near: (M, 2) rows of near-duplicate images.
        blank: (N,) whether an image is of one value, or nearly.
        sizes: (N, 2) heights and widths of the files.
        image_sha256: hex digests of the files; mask_sha256 likewise.
        path: the folder of the arrays.
    """

    images: np.ndarray | ragged.Ragged
    masks: np.ndarray | ragged.Ragged
    foreground: np.ndarray
    near: np.ndarray
    blank: np.ndarray
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
    """Open the arrays of these pairs; decode the files only if no earlier run did.

    Args:
        folder: where caches are; one subfolder for each set of contents and preprocessing.
        problems: messages about other files of the set, to report in the same error.

    Raises:
        DataErrors: it names every file that cannot be used.
    """
    if problems:
        raise DataErrors([*problems, *file_problems(pairs, preprocessing, progress=progress)])
    images, masks = case_digests(pairs, progress=progress)
    if None in (*images, *masks):
        raise DataErrors(file_problems(pairs, preprocessing, progress=progress))
    target = folder / _key(pairs, images, masks, preprocessing)
    if not target.is_dir():
        _build(pairs, preprocessing, target, progress)
    return Cache(
        images=ragged.open_arrays(target / "images.npy"),
        masks=ragged.open_arrays(target / "masks.npy"),
        foreground=np.load(target / "foreground.npy"),
        near=np.load(target / "near.npy"),
        blank=np.load(target / "blank.npy"),
        sizes=np.load(target / "sizes.npy"),
        image_sha256=images,
        mask_sha256=masks,
        path=target,
    )


def file_problems(
    pairs: Sequence[Pair], preprocessing: Preprocessing, *, progress: Progress = no_progress
) -> list[str]:
    """A message for every pair that cannot be used."""

    def problem(pair: Pair) -> DataError | None:
        try:
            read_pair(pair, preprocessing)
        except DataError as error:
            return error
        return None

    checked = mapped(problem, pairs)
    errors = progress(checked, len(pairs), "checking images")
    return class_map.messages([e for e in errors if e is not None], pairs, preprocessing)


def case_digests(
    pairs: Sequence[Pair], *, progress: Progress, label: str = "checking files"
) -> tuple[list[str | None], list[str | None]]:
    """sha256 of each case's image and of its mask, in hex.

    That of the file; of several files, that of their digests, joined in their order; of none, "".
    None where a file cannot be read.
    """
    paths = dict.fromkeys(path for p in pairs for path in (*p.images, *p.mask_paths))
    digests = file_digests(list(paths), progress=progress, label=label)

    def of(files: Sequence[Path]) -> str | None:
        parts = [digests[path] for path in files]
        if None in parts:
            return None
        if len(parts) > 1:
            return hashlib.sha256("".join(map(str, parts)).encode()).hexdigest()
        return "".join(map(str, parts))

    return [of(pair.images) for pair in pairs], [of(pair.mask_paths) for pair in pairs]


def file_digests(
    paths: Sequence[Path], *, progress: Progress, label: str
) -> dict[Path, str | None]:
    """sha256 of each file, in hex; None for a file that cannot be read."""

    def digest(path: Path) -> str | None:
        try:
            with path.open("rb") as handle:
                return hashlib.file_digest(handle, "sha256").hexdigest()
        except OSError:
            return None

    digests = progress(mapped(digest, paths), len(paths), label)
    return dict(zip(paths, digests, strict=True))


def _key(pairs: Sequence[Pair], images: list[str], masks: list[str], pre: Preprocessing) -> str:
    content = [
        VERSION,
        cv2.__version__.split(".")[0],  # its resizing differs between major versions
        pre.size, pre.channels, pre.classes, pre.ignore_value, pre.window, pre.overlap,
        pre.mask_threshold,
        [(p.case, p.plane, len(p.images), [(m.label, m.entry) for m in p.masks]) for p in pairs],
        images,
        masks,
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    size = "original" if pre.size is None else f"{pre.size[0]}x{pre.size[1]}"
    return f"{size}-{digest[:20]}"


def _build(pairs: Sequence[Pair], pre: Preprocessing, target: Path, progress: Progress) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    for path in dead_builds(target.parent):
        shutil.rmtree(path, ignore_errors=True)
    # Written beside the target and renamed: a killed run leaves nothing that looks complete, and of
    # two processes that build the same cache the second drops its own and uses the first one's.
    prefix = build_prefix(target.name)
    temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    temporary.chmod(0o755)  # mkdtemp's folders are private, but others may share the cache
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
    """Write the arrays; False if `dtype` is uint8 and a file has more than 8 bits."""
    try:
        n, shapes = len(pairs), [pre.size_of(pair) for pair in pairs]
    except DataError as error:
        raise DataErrors(file_problems(pairs, pre) or [str(error)]) from error
    planes = (len(pre.classes or "1"),) if pre.overlap else ()
    each = pre.channels * np.dtype(dtype).itemsize + math.prod(planes)
    needed = each * sum(height * width for height, width in shapes) + n * SIDE**2
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"{folder.parent}: the decoded data needs {needed / 1e9:.1f} GB, "
            f"{free / 1e9:.1f} GB are free; set dataset.cache_dir to a larger disk"
        )
    one = {"in_one": pre.size is not None}
    images, masks = (
        ragged.create(folder / name, shapes=[(*s, *more) for s in shapes], dtype=kind, **one)
        for name, more, kind in (
            ("images.npy", (pre.channels,), dtype), ("masks.npy", planes, np.uint8)
        )
    )  # fmt: skip
    foreground, sizes = np.zeros(n), np.zeros((n, 2), dtype=np.int64)
    prints = empty(n, folder=folder)
    lossy, too_deep = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)

    def decode(i: int) -> DataError | None:
        try:
            image, mask, lossy[i] = read_pair(pairs[i], pre)
        except DataError as error:
            return error
        if image.dtype != np.uint8 and dtype == np.uint8:
            too_deep[i] = True
            return None
        foreground[i] = foreground_of(mask).mean()
        sizes[i] = mask.shape[:2]
        prints.hashes[i], prints.thumbnails[i], prints.blank[i] = fingerprint(image)
        images[i] = image_to_size(image, shapes[i])
        masks[i] = mask_to_size(mask, shapes[i])
        return None

    decoded = progress(mapped(decode, range(n)), n, "decoding")
    if problems := [error for error in decoded if error is not None]:
        raise DataErrors(class_map.messages(problems, pairs, pre))
    if too_deep.any():
        return False
    if lossy.any():
        log.warning("%d masks are lossy JPEG: their greys are thresholded at half", lossy.sum())
    for array in (images, masks):
        array.flush()
    np.save(folder / "foreground.npy", foreground)
    np.save(folder / "sizes.npy", sizes)
    np.save(folder / "blank.npy", prints.blank)
    near = near_pairs(prints, progress=progress)
    np.save(folder / "near.npy", np.array(near, dtype=np.int64).reshape(-1, 2))
    return True
