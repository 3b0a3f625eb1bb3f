"""Which classes have a pixel in masks."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from seg.data.planes import class_pixels


def in_each(
    masks: Sequence[NDArray[np.uint8]], rows: Sequence[int], *, classes: int
) -> NDArray[np.bool_]:
    """(len(rows), classes): which foreground classes each mask shows.

    Args:
        masks: class indices (H, W) each, or planes (H, W, K).
        rows: of these masks.
        classes: number of foreground classes.
    """
    found = [np.array(class_pixels(masks[row], classes)[1:]) > 0 for row in rows]
    return np.array(found, dtype=bool).reshape(len(rows), classes)


def in_any(
    masks: Sequence[NDArray[np.uint8]], rows: Sequence[int], *, classes: int
) -> NDArray[np.bool_]:
    """(classes,): which foreground classes any of these masks shows; arguments as for `in_each`."""
    found = np.zeros(classes, dtype=bool)
    for row in rows:
        found |= in_each(masks, [row], classes=classes)[0]
        if found.all():
            break
    return found


def missing(found: Mapping[str, NDArray[np.bool_]], names: Sequence[str]) -> list[str]:
    """A line for each split that lacks classes: which, and what follows.

    Args:
        found: by split, which classes its masks show.
        names: of the classes.
    """
    lines = []
    for split, present in found.items():
        absent = [names[j] for j in np.flatnonzero(~present)]
        if split == "train":
            then = "the network cannot learn it"
        elif present.any():
            then = "no figure of it, and means are over the other classes"
        else:
            then = "figures there only tell whether empty masks stayed empty"
        lines += [f"class {', '.join(absent)} has no pixel in {split}: {then}"] if absent else []
    return lines
