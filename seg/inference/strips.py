"""Probabilities of a large image some rows at a time, so that never all of them are held."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from seg.inference.model import Predictor

# Image rows from y on: (y, (K, h, W)); without gaps, from above to below.
Rows = Iterator[tuple[int, NDArray[np.float32]]]


@runtime_checkable
class AsksByRows(Predictor, Protocol):
    """What gives the probabilities of one image also in parts, of a size that memory bounds."""

    def rows(self, image: NDArray) -> Rows: ...


def rows_of(asks: Predictor, image: NDArray) -> Rows:
    """The rows of an image from whatever predicts; all at once where it knows no parts."""
    if isinstance(asks, AsksByRows):
        return asks.rows(image)
    return iter([(0, asks.probabilities(image))])


def joined(rows: Iterable[tuple[int, NDArray[np.float32]]], height: int) -> NDArray[np.float32]:
    """All rows of an image in one array, (K, height, W)."""
    probs: NDArray[np.float32] | None = None
    for y, part in rows:
        if part.shape[1] == height:
            return part
        if probs is None:
            probs = np.empty((len(part), height, part.shape[2]), dtype=np.float32)
        probs[:, y : y + part.shape[1]] = part
    if probs is None:
        raise ValueError("an image without rows has no probabilities")
    return probs


def in_step(streams: Sequence[Rows]) -> Iterator[tuple[int, list[NDArray[np.float32]]]]:
    """Several streams of one image's rows, cut where any of them is: (y, the same rows of each)."""
    held = [next(stream) for stream in streams]
    while True:
        y = held[0][0]
        end = min(start + part.shape[1] for start, part in held)
        yield y, [part[:, : end - y] for _, part in held]
        for i, (start, part) in enumerate(held):
            if start + part.shape[1] > end:
                held[i] = (end, part[:, end - start :])
                continue
            following = next(streams[i], None)
            if following is None:
                return
            held[i] = following
