"""What one pair of files holds, and why training would refuse it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seg.data.errors import DataError
from seg.data.near_duplicates.hash import Fingerprint

# What a fault or a finding is called, on the contact sheet as well.
UNREADABLE, GEOMETRY, VALUES, UNPAIRED = "unreadable", "size differs", "mask values", "unpaired"


class Fault(NamedTuple):
    """Why training would refuse a file. text: the DataError's message."""

    kind: str
    file: Path
    text: str


@dataclass
class CaseFacts:
    """What one pair of files holds; None where a file does not let it be known.

    size: (H, W) as stored. kind, mask_kind: format and pixels, e.g. "PNG 8-bit RGB".
    histogram: (channels, 64) shares of the pixels over 0-255; mean, low, high, deviation: grey
        levels 0-255 over all channels.
    values: stored mask value, or '#rrggbb', -> pixels, the 64 most frequent of `distinct`; empty
        for lossy masks, whose pixels are in `greys`: black, grey, white.
    labels_sha256: of the class indices. class_pixels: of background and each class; None if the
        values are not the classes'. Then what follows is measured on all that is not 0.
    foreground: share of the pixels. frame: share of the outermost pixels that are foreground.
    components: connected parts of the foreground. specks, pinholes: parts, and holes, of at most 4
        pixels that are less than 0.1 % of the foreground.
    """

    case: str
    group: str
    image: Path
    mask: Path
    size: tuple[int, int] | None = None
    mask_size: tuple[int, int] | None = None
    kind: str = ""
    mask_kind: str = ""
    orientation: int = 1
    spacing: tuple[float, ...] | None = None
    image_sha256: str | None = None
    mask_sha256: str | None = None
    histogram: np.ndarray | None = None
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    deviation: float | None = None
    fingerprint: Fingerprint | None = None
    lossy: bool = False
    values: dict[str, int] = field(default_factory=dict)
    distinct: int = 0
    greys: tuple[int, int, int] | None = None
    labels_sha256: str | None = None
    class_pixels: list[int] | None = None
    void_pixels: int = 0
    foreground: float | None = None
    frame: float | None = None
    components: int | None = None
    specks: int = 0
    pinholes: int = 0
    plane: tuple[int, int] | None = None
    faults: list[Fault] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Why training would refuse the pair, a message each; empty if it would not."""
        return [fault.text for fault in self.faults]

    @property
    def empty(self) -> bool:
        return self.foreground == 0

    def has(self, kind: str) -> bool:
        return any(fault.kind == kind for fault in self.faults)

    @contextmanager
    def noting(self, kind: str, file: Path) -> Iterator[None]:
        """A DataError raised within becomes a fault; each message is kept once."""
        try:
            yield
        except DataError as error:
            if str(error) not in self.problems:
                self.faults.append(Fault(kind, file, str(error)))
