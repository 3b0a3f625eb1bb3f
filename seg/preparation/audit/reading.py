"""Read the files of a data set as training reads them: their facts, pictures, fingerprints."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from seg.data import Progress, no_progress
from seg.data.cache import THREADS, file_digests
from seg.data.errors import DataError, data_errors
from seg.data.formats import is_image, read_header, suffix_of
from seg.data.formats.pictures import PILLOW_FORMATS, open_npy
from seg.data.images import check_geometry, read_image, read_mask
from seg.data.masks import to_indices, uses_colours
from seg.data.near_duplicates.hash import Fingerprint, fingerprint
from seg.data.pairs import Pair
from seg.data.preprocess import Preprocessing
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
    files = list(dict.fromkeys(path for p in pairs for path in (p.image, p.mask)))
    sha256 = file_digests(files, progress=progress, label="hashing files")

    def measure(pair: Pair) -> CaseFacts:
        facts = CaseFacts(pair.case, pair.group, pair.image, pair.mask, pair.plane)
        facts.image_sha256, facts.mask_sha256 = sha256[pair.image], sha256[pair.mask]
        facts.kind, facts.mask_kind = kind_of(pair.image), kind_of(pair.mask)
        with facts.noting(UNREADABLE, pair.image):
            header = read_header(pair.image, pair.plane)
            facts.size, facts.orientation = header[:2], header.orientation
            facts.spacing = header.spacing
        with facts.noting(UNREADABLE, pair.image):
            measure_image(facts, _image(pair, pre))
        with facts.noting(UNREADABLE, pair.mask):
            values, facts.lossy = _mask_values(pair, pre)
            measure_mask(facts, values, pre)
        with facts.noting(GEOMETRY, pair.image):
            check_geometry(pair.image, pair.mask, plane=pair.plane)
        return facts

    with ThreadPoolExecutor(THREADS) as pool:
        return list(progress(pool.map(measure, pairs), len(pairs), "reading images"))


def reader(pairs: Sequence[Pair], pre: Preprocessing) -> Read:
    """A function that reads a case for the contact sheet."""

    def read(index: int) -> tuple[np.ndarray | None, np.ndarray | None]:
        pair, image, mask = pairs[index], None, None
        with suppress(DataError):
            image = _image(pair, pre)
        with suppress(DataError):
            values, lossy = _mask_values(pair, pre)
            mask = to_indices(
                values, lossy=lossy, classes=pre.classes, ignore_value=pre.ignore_value,
                path=pair.mask,
            )  # fmt: skip
        return image, mask

    return read


def _image(pair: Pair, pre: Preprocessing) -> np.ndarray:
    return read_image(pair.image, channels=pre.channels, plane=pair.plane, window=pre.window)


def _mask_values(pair: Pair, pre: Preprocessing) -> tuple[np.ndarray, bool]:
    """Raw values, and whether they are lossy."""
    return read_mask(pair.mask, palette_as_colours=uses_colours(pre.classes), plane=pair.plane)


def kind_of(path: Path) -> str:
    """Format and pixels as stored, from the header; the extension where that does not tell."""
    try:
        with data_errors(path):
            if path.suffix.lower() == ".npy":
                array = open_npy(path)
                return f"NPY {array.dtype} {'RGB' if array.ndim == 3 else 'grey'}"
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
            return fingerprint(read_image(path, channels=3))
        except DataError:
            return None

    with ThreadPoolExecutor(THREADS) as pool:
        return list(progress(pool.map(measure, files), len(files), "reading other images"))
