"""Windows of an image: where they lie, how they are cut, and how their predictions are blended."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

Image = TypeVar("Image", NDArray, torch.Tensor)

# Networks halve their input up to five times. Windows that start at multiples of 2^5 network pixels
# are halved at the same places, and agree where they overlap.
GRID = 32
OVERLAP = 0.25  # of neighbouring windows, at least, as a share of one


def starts(length: int, *, tile: int, network: int, overlap: float = OVERLAP) -> list[int]:
    """First pixels of windows along a line, spread evenly.

    Args:
        length: of the line; the last window may reach beyond.
        tile: pixels of a window.
        network: pixels that the network gets of it.
        overlap: of neighbouring windows, at least, as a share of one.
    """
    if length <= tile:
        return [0]
    # In network pixels, not image pixels, so that starts are multiples of GRID there.
    step = max(1, int(network * (1 - overlap)))
    grid = min(GRID, 2 ** int(math.log2(step)))
    scale = tile / network
    last = math.ceil((length / scale - network) / grid - 1e-9)  # in units of the grid
    count = math.ceil(last / (step // grid))
    return [round(grid * (i * last // count) * scale) for i in range(count + 1)]


def cut(image: Image, corner: tuple[int, int], size: tuple[int, int]) -> Image:
    """The window of (H, W, ...) at `corner`; beyond the image lies its mirror image."""
    (y, x), (height, width) = corner, size
    rows, columns = slice(y, y + height), slice(x, x + width)
    if y + height > image.shape[0]:
        rows = _mirrored(y, height, image.shape[0])
    if x + width > image.shape[1]:
        columns = _mirrored(x, width, image.shape[1])
    return image[rows][:, columns]


def cut_mask(mask: Image, corner: tuple[int, int], size: tuple[int, int], *, fill: int) -> Image:
    """The window of (H, W, ...) at `corner`; `fill` beyond the mask."""
    (y, x), (height, width) = corner, size
    window = mask[y : y + height, x : x + width]
    if tuple(window.shape[:2]) == size:
        return window
    shape = (height, width, *mask.shape[2:])
    if isinstance(mask, torch.Tensor):
        filled = mask.new_full(shape, fill)
    else:
        filled = np.full(shape, fill, dtype=mask.dtype)
    filled[: window.shape[0], : window.shape[1]] = window
    return filled


def _mirrored(start: int, length: int, size: int) -> NDArray[np.intp]:
    """Pixels of a line of `size` that a window shows; the outermost is not repeated."""
    period = max(1, 2 * (size - 1))
    place = np.arange(start, start + length) % period
    return np.minimum(place, period - place)


def blended(
    windows: Iterable[torch.Tensor],
    *,
    tops: Sequence[int],
    lefts: Sequence[int],
    tile: tuple[int, int],
    size: tuple[int, int],
    margin: int = 0,
) -> Iterator[tuple[int, torch.Tensor]]:
    """An image's probabilities from those of its windows.

    Args:
        windows: (K, *tile) each, row by row: at the first of `tops` those of all `lefts`.
        tops: first rows of the windows.
        lefts: first columns of the windows.
        tile: height and width of a window.
        size: of the image.
        margin: see `blending_weights`.

    Yields:
        (first row, (K, h, W) in 0-1): each strip as soon as no further window covers it.
    """
    height, width = size
    down = [torch.from_numpy(w) for w in blending_weights(tops, tile[0], margin=margin)]
    across = [torch.from_numpy(w) for w in blending_weights(lefts, tile[1], margin=margin)]
    # The sum of weighted windows, (K, tile, W): the rows from `tops[i]` on. Only these are in
    # memory, since rows above no longer change and rows below have no window yet.
    total: torch.Tensor | None = None
    for n, probs in enumerate(windows):
        i, j = divmod(n, len(lefts))
        if total is None:
            total = probs.new_zeros(len(probs), tile[0], lefts[-1] + tile[1])
            down = [weights.to(probs.device) for weights in down]
            across = [weights.to(probs.device) for weights in across]
        weighted = probs * (down[i][:, None] * across[j])
        total[:, :, lefts[j] : lefts[j] + tile[1]] += weighted
        if j < len(lefts) - 1:
            continue
        end = tops[i + 1] if i < len(tops) - 1 else height
        done = end - tops[i]
        yield tops[i], total[:, :done, :width].clamp(0, 1)
        left = tile[0] - done
        total[:, :left] = total[:, done:].clone()  # move up to where the next windows begin
        total[:, left:] = 0


def blending_weights(
    starts: Sequence[int], tile: int, *, margin: int = 0
) -> list[NDArray[np.float32]]:
    """The weight of each window at each of its pixels, along a line.

    Where windows overlap, their weights add up to 1. A weight falls by a squared cosine towards a
    neighbour, over the width of the narrowest overlap; at the ends of the line it stays 1. Windows
    on a grid are weighted with the product of the weights along both axes.

    Args:
        starts: first pixels of the windows, ascending, without gaps between them.
        tile: pixels of a window.
        margin: outermost pixels of a window that do not count where a neighbour has them, since
            the network sees only half of their surroundings.

    Raises:
        ValueError: windows do not overlap by more than two margins.
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
