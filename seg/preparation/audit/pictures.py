"""Image files that belong to no pair: those of another set, to be compared with this one."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from seg.data.errors import DataError
from seg.data.formats import is_image
from seg.data.images import read_image
from seg.data.near_duplicates import hash


def pictures_below(folder: Path) -> list[Path]:
    """All image files in a folder and those below it, hidden ones apart, in order."""
    files = (p for p in folder.rglob("*") if is_image(p) and p.is_file())
    return sorted(p for p in files if not any(s[0] == "." for s in p.relative_to(folder).parts))


def fingerprints(
    files: Sequence[Path],
    *,
    progress: Callable[[Iterator, int, str], Iterator] = lambda steps, total, label: steps,
    threads: int = 4,
) -> list[hash.Fingerprint | None]:
    """Of each file, as `CaseFacts.fingerprint`; None where it cannot be read as one picture."""

    def measure(path: Path) -> hash.Fingerprint | None:
        try:
            return hash.fingerprint(read_image(path, channels=3))
        except DataError:
            return None

    with ThreadPoolExecutor(threads) as pool:
        return list(progress(pool.map(measure, files), len(files), "reading other images"))
