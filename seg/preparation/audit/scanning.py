"""From pairs of files to facts, read as training reads them."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from seg.data.formats import read_header
from seg.data.images import check_geometry
from seg.data.pairs import Pair
from seg.preparation.audit.facts import GEOMETRY, UNREADABLE, CaseFacts
from seg.preparation.audit.kind import kind_of
from seg.preparation.audit.measures import measure_image, measure_mask
from seg.preparation.audit.reading import image_of, mask_of, plane_of


def scan(
    pairs: Sequence[Pair],
    *,
    channels: int,
    classes: dict | None,
    ignore_value: int | None,
    progress: Callable[[Iterator, int, str], Iterator] = lambda steps, total, label: steps,
    threads: int = 4,
    **reading: object,
) -> list[CaseFacts]:
    """The facts of every pair, in order; a bad file is a fault of its case, never an exception.

    reading: handed on to `read_image`. Raises ValueError where the classes contradict each other.
    """
    files = list(dict.fromkeys(path for p in pairs for path in (p.image, p.mask)))
    with ThreadPoolExecutor(threads) as pool:
        digests = progress(pool.map(_digest, files), len(files), "hashing files")
        sha256 = dict(zip(files, digests, strict=True))

        def measure(pair: Pair) -> CaseFacts:
            facts = CaseFacts(pair.case, pair.group, pair.image, pair.mask, plane=pair.plane)
            facts.image_sha256, facts.mask_sha256 = sha256[pair.image], sha256[pair.mask]
            facts.kind, facts.mask_kind = kind_of(pair.image), kind_of(pair.mask)
            with facts.noting(UNREADABLE, pair.image):
                header = read_header(pair.image, **plane_of(pair))
                facts.size, facts.orientation = header[:2], header.orientation
                facts.spacing = header.spacing
            with facts.noting(UNREADABLE, pair.image):
                measure_image(facts, image_of(pair, channels, reading))
            with facts.noting(UNREADABLE, pair.mask):
                values, facts.lossy = mask_of(pair, classes)
                facts.mask_size = values.shape[:2]
                measure_mask(facts, values, classes=classes, ignore_value=ignore_value)
            with facts.noting(GEOMETRY, pair.image):
                check_geometry(pair.image, pair.mask, **plane_of(pair))
            return facts

        return list(progress(pool.map(measure, pairs), len(pairs), "reading images"))


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError:
        return None  # the reader says why
