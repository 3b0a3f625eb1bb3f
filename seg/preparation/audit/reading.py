"""Read the files of a data set as training reads them: their facts, pictures, fingerprints."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from seg.data import Progress, no_progress
from seg.data.cache import case_digests
from seg.data.errors import DataError, data_errors
from seg.data.file_threads import file_threads
from seg.data.formats import is_image, read_header, suffix_of
from seg.data.formats.pictures import PILLOW_FORMATS, open_npy
from seg.data.images import read_image
from seg.data.near_duplicates.hash import Fingerprint, fingerprint
from seg.data.pairs import Pair
from seg.data.planes import planes_first
from seg.data.preprocess import Preprocessing, check_files, read_channels, read_mask_files, unite
from seg.preparation.audit.facts import GEOMETRY, UNREADABLE, CaseFacts, measure_image, measure_mask

_PIXELS = {
    "1": "1-bit", "L": "8-bit grey", "LA": "8-bit grey + alpha", "P": "palette",
    "RGB": "8-bit RGB", "RGBA": "8-bit RGB + alpha", "I": "32-bit grey", "F": "float grey",
    "CMYK": "CMYK",
}  # fmt: skip

# A case's image (H, W, C) in 0-255 and class indices (H, W) by its number; None: unreadable.
Read = Callable[[int], tuple[np.ndarray | None, np.ndarray | None]]


def scan(
    pairs: Sequence[Pair], pre: Preprocessing, *, progress: Progress = no_progress
) -> list[CaseFacts]:
    """The facts of every pair, in order; a bad file is a fault of its case, not an exception.

    Raises:
        ValueError: the classes contradict each other.
    """
    digests = zip(*case_digests(pairs, progress=progress, label="hashing files"), strict=True)

    def measure(pair: Pair, sha256: tuple[str | None, str | None]) -> CaseFacts:
        facts = CaseFacts(pair)
        facts.image_sha256, facts.mask_sha256 = sha256
        facts.kind = kind_of(pair.image)
        facts.mask_kind = kind_of(pair.mask_paths[0]) if pair.masks else "none"
        with facts.noting(UNREADABLE, pair.image):
            header = read_header(pair.image, pair.plane)
            facts.size, facts.orientation = header[:2], header.orientation
            facts.spacing = header.spacing
        with facts.noting(UNREADABLE, pair.image):
            measure_image(facts, read_channels(pair, pre))
            if pre.channels not in (1, 3) or len(pair.images) > 1:
                facts.kind = f"{facts.kind.partition(' ')[0]} {pre.channels} channels"
        mask_path = next(iter(pair.mask_paths), pair.image)
        with facts.noting(UNREADABLE, mask_path):
            measure_mask(facts, read_mask_files(pair, pre), pre)
        with facts.noting(GEOMETRY, pair.image):
            check_files(pair)
        return facts

    with file_threads() as pool:
        return list(progress(pool.map(measure, pairs, digests), len(pairs), "reading images"))


def reader(pairs: Sequence[Pair], pre: Preprocessing) -> Read:
    """A function that reads a case for the contact sheet."""

    def read(index: int) -> tuple[np.ndarray | None, np.ndarray | None]:
        pair, image, mask = pairs[index], None, None
        with suppress(DataError):
            image = read_channels(pair, pre)
        with suppress(DataError):
            size = (1, 1) if image is None else image.shape[:2]
            mask = planes_first(unite(read_mask_files(pair, pre), pre, size=size))
        return image, mask

    return read


def kind_of(path: Path) -> str:
    """Format and pixels as stored, from the header; the extension where that does not tell."""
    try:
        with data_errors(path):
            if path.suffix.lower() == ".npy":
                array = open_npy(path)
                channels = array.shape[2] if array.ndim == 3 else 1
                pixels = {1: "grey", 3: "RGB"}.get(channels, f"{channels} channels")
                return f"NPY {array.dtype} {pixels}"
            with path.open("rb") as file, Image.open(file, formats=PILLOW_FORMATS) as image:
                bits = image.tag_v2.get(258, (8,)) if image.format == "TIFF" else (8,)
                file.seek(24)
                deep = max(bits) > 8 or (image.format == "PNG" and file.read(1) == b"\x10")
                pixels = _PIXELS.get(image.mode, "16-bit grey" if image.mode[0] == "I" else "")
                if deep and pixels.startswith(("8-bit", "32-bit")):
                    pixels = f"16-bit {pixels.partition(' ')[2]}"
                return f"{image.format} {pixels or image.mode}"
    except DataError:
        suffix = suffix_of(path).lstrip(".")
        return "NIfTI" if suffix.startswith("nii") else suffix.upper() or "no extension"


def images_below(folder: Path) -> list[Path]:
    """All image files in a folder and its subfolders, in order, without hidden ones."""
    files = (p for p in folder.rglob("*") if is_image(p) and p.is_file())
    return sorted(p for p in files if not any(s[0] == "." for s in p.relative_to(folder).parts))


def fingerprints(
    files: Sequence[Path], *, progress: Progress = no_progress
) -> list[Fingerprint | None]:
    """As `CaseFacts.fingerprint`; None for a file that cannot be read as one picture."""

    def measure(path: Path) -> Fingerprint | None:
        try:
            return fingerprint(read_image(path, channels=None))
        except DataError:
            return None

    with file_threads() as pool:
        return list(progress(pool.map(measure, files), len(files), "reading other images"))
