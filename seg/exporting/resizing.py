"""OpenCV's resizing in operations that any graph has, for sizes that are known only when it runs.

Training and prediction resize with OpenCV; what differs by one grey level here differs in the
network's answer. All weights are quotients of whole numbers: large images lose no precision.
"""

import torch
from torch import Tensor

LEAST = 1000  # what a pixel covers by less than its thousandth is left out of an average
PARTS = 2048  # of a pixel, in which bytes are mixed


def bytes_to_size(image: Tensor, height: int, width: int) -> Tensor:
    """(N, C, H, W) whole numbers in 0-255 to float32 (N, C, height, width), whole numbers.

    The same as `data.preprocess.image_to_size`: averages of areas where there are fewer pixels
    than before, else two neighbours in each direction.
    """
    size = _whole(image.shape[2]), _whole(image.shape[3])
    fewer = height * width < size[0] * size[1]
    both = fewer & (size[0] >= height) & (size[1] >= width)
    averaged = _averaged(image.to(torch.float32), height, width)
    return torch.where(both, averaged, _mixed(image, height, width, fewer))


def linear_weights(source: int, target: int) -> Tensor:
    """(target, source), rows add up to 1: two neighbours, pixel centres aligned, edges held."""
    i, j = torch.arange(target)[:, None], torch.arange(source)[None, :]
    # centres in units of 1 / (2 target) of a source pixel
    centre = ((2 * i + 1) * source - target).clamp(min=0)
    centre = torch.minimum(centre, (_whole(source) - 1) * 2 * target)
    near = (2 * target - (centre - j * 2 * target).abs()).clamp(min=0)
    return near.to(torch.float32) / (2 * _whole(target)).to(torch.float32)


def covered(source: int, target: int) -> Tensor:
    """(target, source): what each target pixel covers, in source pixels. For target <= source.

    The rows add up to source / target.
    """
    i, j = torch.arange(target)[:, None], torch.arange(source)[None, :]
    # in units of 1 / target of a source pixel, where all edges are whole numbers
    start = torch.maximum(i * source, j * target)
    end = torch.minimum(i * source + source, j * target + target)
    overlap = (end - start).clamp(min=0)
    return torch.where(overlap * LEAST > target, overlap, 0).to(torch.float32) / target


def _averaged(image: Tensor, height: int, width: int) -> Tensor:
    """As OpenCV does it: whole pixels are added up first, parts of them are averaged by side, and
    halves are rounded to even, but upwards where both sides are halved.
    """
    rows, columns = _whole(image.shape[2]), _whole(image.shape[3])
    whole = (rows % height == 0) & (columns % width == 0)
    down, across = rows.to(torch.float32) / height, columns.to(torch.float32) / width
    halved = whole & (rows == 2 * height) & (columns == 2 * width)
    sides = torch.where(whole, 1.0, across), torch.where(whole, 1.0, down)
    mean = image @ (covered(image.shape[3], width) / sides[0]).T  # (N, C, H, width)
    mean = (covered(image.shape[2], height) / sides[1]) @ mean
    mean = mean * torch.where(whole, 1 / (down * across), 1.0)
    return (mean + torch.where(halved, 0.01, 0.0)).round()


def _mixed(image: Tensor, height: int, width: int, fewer: Tensor) -> Tensor:
    """Two neighbours in each direction, in OpenCV's arithmetic of whole numbers."""
    above, below, down = _neighbours(image.shape[2], height, fewer)
    left, right, across = _neighbours(image.shape[3], width, fewer)
    total = _whole(2)
    for row, share in ((above, PARTS - down), (below, down)):
        rows = image.index_select(2, row).to(torch.int64)  # (N, C, height, W)
        mixed = rows.index_select(3, left) * (PARTS - across) + rows.index_select(3, right) * across
        total = total + (mixed // 16 * share[:, None]) // 65536
    return (total // 4).to(torch.float32)


def _neighbours(source: int, target: int, fewer: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(target,) each: a pixel, its next, and the share of the next in PARTS. At the ends both are
    the same one: OpenCV mixes rows with themselves there, which its rounding down shows.
    """
    i, size, last = torch.arange(target), _whole(source), _whole(source - 1)
    # Pixel centres aligned; but with fewer pixels than before, where this side alone grows,
    # edges are: a target pixel across one is mixed.
    centre = (2 * i + 1) * source - target  # in units of 1 / (2 target) of a source pixel
    of_centres = torch.div(centre, 2 * target, rounding_mode="floor")
    beyond = (centre - of_centres * 2 * target).to(torch.float32) / (2 * target)
    of_edges = i * source // target
    reach = ((i + 1) * source - (of_edges + 1) * target).clamp(min=0) % size
    first = torch.where(fewer, of_edges, of_centres)
    share = torch.where(fewer, reach.to(torch.float32) / size, beyond)
    following = torch.minimum((first + 1).clamp(min=0), last)
    first = torch.minimum(first.clamp(min=0), last)
    return first, following, (share * PARTS).round().to(torch.int64)


def _whole(number: int) -> Tensor:
    """A size as a tensor, so that a graph does not take the size of its example for granted."""
    return torch.full((), number, dtype=torch.int64)
