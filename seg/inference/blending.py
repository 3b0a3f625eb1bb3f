"""How much each of several overlapping windows counts at each pixel of a line."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def weights(starts: Sequence[int], tile: int, *, margin: int = 0) -> list[NDArray[np.float32]]:
    """A weight for each pixel of each window; where windows overlap, theirs add up to 1.

    starts: first pixels of windows of `tile` pixels, ascending, without gaps. Weights fall by a
    squared cosine where a neighbour takes over, as wide as the narrowest overlap; at the two ends
    of the line nobody does, and they stay. margin: outermost pixels of a window that do not count
    at all where a neighbour has them, since a network sees only half of their surroundings.

    Windows on a grid are weighted with the products of those of its rows and its columns.

    Raises ValueError if windows do not overlap by more than two margins.
    """
    overlaps = [a + tile - b for a, b in zip(starts, starts[1:], strict=False)]
    narrowest = min(overlaps, default=tile)
    if narrowest < 0 or (margin and narrowest <= 2 * margin):
        raise ValueError(
            f"tiles of {tile} pixels overlap by {narrowest}: margin={margin} needs more than "
            f"{2 * margin}; raise overlap"
        )
    depth = np.arange(tile) + 0.5 - margin  # of a pixel's centre below its window's edge
    # half a pixel is a hard edge: windows that only touch
    rise = np.sin(np.pi / 2 * np.clip(depth / max(narrowest - 2 * margin, 0.5), 0, 1)) ** 2
    total = np.zeros(starts[-1] + tile)
    shares = []
    for i, start in enumerate(starts):
        share = np.ones(tile)
        if i > 0:
            share *= rise
        if i < len(starts) - 1:
            share *= rise[::-1]
        total[start : start + tile] += share
        shares.append(share)
    return [
        (share / total[start : start + tile]).astype(np.float32)
        for share, start in zip(shares, starts, strict=True)
    ]
