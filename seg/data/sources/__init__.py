"""Data sets by their layout on disk: each lists its pairs of image and mask files."""

from pathlib import Path
from typing import Any, Protocol

from seg.data.pairs import Pair, PairingErrors


class Source(Protocol):
    """What a data set must offer: its pairs and the meaning of its masks."""

    root: Path
    classes: dict[str, Any] | None
    ignore_value: int | None

    def pairs(self) -> list[Pair]: ...


def read_pairs(source: Source) -> tuple[list[Pair], list[str]]:
    """The pairs of a source, and a message for each file that could not be paired."""
    try:
        return source.pairs(), []
    except PairingErrors as error:
        return error.pairs, error.messages
