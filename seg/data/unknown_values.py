"""The error of a mask with values that no class has."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seg.data.errors import DataError


class UnknownValues(DataError):
    """A mask with values that no class has; `values` are all of them, `7` or `#rrggbb`."""

    def __init__(
        self, path: Path | str, reason: str = "", fix: str = "", values: Sequence[str] = ()
    ) -> None:
        super().__init__(path, reason, fix)
        self.values = list(values)


def refuse(
    unknown: np.ndarray, *, size: int, in_colour: bool, binary: bool, path: Path, fix: str
) -> None:
    """Raise `UnknownValues` for these pixels of a mask of `size` pixels; colours are 0xRRGGBB."""
    values, counts = np.unique(unknown, return_counts=True)
    order = np.argsort(-counts)[:4]
    names = [f"#{v:06x}" if in_colour else str(v) for v in values.tolist()]
    listed = ", ".join(f"{names[i]} ({100 * counts[i] / size:.2g} % of pixels)" for i in order)
    listed += f" and {len(values) - 4} more" if len(values) > 4 else ""
    kind = "colour" if in_colour else "value"
    where = "in a binary mask, which holds 0 and 1 or 0 and 255" if binary else "of no class"
    fix = fix or "correct the mask, or name all its values in dataset.classes"
    raise UnknownValues(path, f"{kind} {listed} {where}", fix, names)
