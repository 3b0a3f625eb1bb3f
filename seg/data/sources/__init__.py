"""Data sets by their layout on disk: each lists its pairs of image and mask files."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from seg.data import naming
from seg.data.pairs import Pair, PairingErrors


class Source(Protocol):
    """What a data set must offer: its pairs and the meaning of its masks."""

    root: Path
    classes: dict[str, Any] | None
    ignore_value: int | None

    def pairs(self) -> list[Pair]: ...


def read_pairs(source: Source) -> tuple[list[Pair], list[str]]:
    """The pairs of a source, and the reasons why others could not be paired."""
    try:
        with _uncollected():
            return source.pairs(), []
    except PairingErrors as error:
        return error.pairs, naming.explained(source, error.messages)
    except FileNotFoundError as error:
        if hint := naming.annotation_files(Path(source.root)):
            raise FileNotFoundError(f"{error}; {hint}") from error
        raise


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the search for garbage, which takes as long as making a million objects."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
