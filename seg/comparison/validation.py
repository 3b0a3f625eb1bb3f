"""Whether the val/dice of different choices are of the same images, at one size."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from seg.comparison.choices import Choice

SIZE = "dataset.image_size"


def cautions(choices: Sequence[Choice]) -> list[str]:
    """Why val/dice may not compare the choices; nothing if it does, or the files do not tell."""
    whole = [choice for choice in choices if choice.finished and choice.is_whole]
    notes = []
    sets = {frozenset(c.items()) for c in map(_images, whole) if c}
    if len(sets) > 1:
        notes.append(
            "the choices were validated on different images, so that val/dice does not compare "
            "them: what is first may have had the easier ones"
        )
    sizes = {str(c.finished[0].run.config.get(SIZE)) for c in whole}
    if len(sizes) > 1:
        notes.append(
            f"{SIZE} differs, and val/dice is measured at that size: masks at different sizes are "
            "not equally hard; seg.evaluate scores all at the masks' own size"
        )
    return notes


def _images(choice: Choice) -> Counter[frozenset[str]] | None:
    """The sets of validation images of its jobs, by digest; None if one cannot be read."""
    found: Counter[frozenset[str]] = Counter()
    for job in choice.finished:
        images = _read(job.run.folder / "split.csv")
        if not images:
            return None
        found[images] += 1
    return found


def _read(path: Path) -> frozenset[str]:
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            return frozenset(
                f"{row['image_sha256']} {row['mask_sha256']}"
                for row in csv.DictReader(handle)
                if row["split"] == "val"
            )
    except (OSError, KeyError, ValueError, csv.Error):
        return frozenset()
