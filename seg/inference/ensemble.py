"""Several networks asked for the same image: the mean of their probabilities."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seg.inference.model import Predictor
from seg.inference.strips import Rows, in_step, rows_of


class Ensemble:
    """The mean of what the members say, each of which resizes and normalises as in its training.

    members: networks of the same classes. They may be `Tiled`, `Augmented` and `Whole`. A NaN of
    one member is a NaN of the mean.

    Raises ValueError where there is no member, or where their probabilities are not of one shape.
    """

    def __init__(self, members: Sequence[Predictor]) -> None:
        if not members:
            raise ValueError("an ensemble needs at least one network")
        self.members = list(members)

    def rows(self, image: NDArray) -> Rows:
        """As small as those of the member that gives the smallest."""
        for y, parts in in_step([rows_of(member, image) for member in self.members]):
            yield y, _mean(parts)

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        return self.batch([image])[0]

    def batch(self, images: Sequence[NDArray]) -> list[NDArray[np.float32]]:
        """Each member is asked once for all images."""
        sums = [probs.copy() for probs in self.members[0].batch(images)]
        for member in self.members[1:]:
            for total, probs in zip(sums, member.batch(images), strict=True):
                _add(total, probs)
        return [total / np.float32(len(self.members)) for total in sums]


def _mean(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    total = parts[0].copy()
    for part in parts[1:]:
        _add(total, part)
    return total / np.float32(len(parts))


def _add(total: NDArray[np.float32], probs: NDArray[np.float32]) -> None:
    if probs.shape != total.shape:
        raise ValueError(
            f"networks of an ensemble give {total.shape[0]} and {probs.shape[0]} probabilities a "
            "pixel; they must know the same classes"
        )
    total += probs
