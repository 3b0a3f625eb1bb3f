"""OpenCV's resizing in operations that any graph has, for sizes that are known only when it runs.

Training and prediction resize with OpenCV, and a difference of one grey level would change the
network's output. All weights are quotients of integers, so that large images lose no precision.
"""

import torch
from torch import Tensor

MIN_OVERLAP = 1000  # a source pixel of which less than 1 / 1000 is covered is left out
STEPS = 2048  # OpenCV interpolates bytes with weights in steps of 1 / 2048


def bytes_to_size(image: Tensor, height: int, width: int) -> Tensor:
    """Resize as `data.preprocess.image_to_size`: by area to fewer pixels, else bilinearly.

    Args:
        image: (N, C, H, W) integers in 0-255.
        height: of the result.
        width: of the result.

    Returns:
        (N, C, height, width) float32, integers in 0-255.
    """
    size = _tensor(image.shape[2]), _tensor(image.shape[3])
    fewer = height * width < size[0] * size[1]
    both = fewer & (size[0] >= height) & (size[1] >= width)
    averaged = _averaged(image.to(torch.float32), height, width)
    return torch.where(both, averaged, _interpolated(image, height, width, fewer))


def linear_weights(source: int, target: int) -> Tensor:
    """(target, source) weights of bilinear resizing along one side; rows add up to 1.

    Pixel centres are aligned; beyond the outermost centres the edge pixel is repeated.
    """
    i, j = torch.arange(target)[:, None], torch.arange(source)[None, :]
    # centres in units of 1 / (2 target) of a source pixel
    centre = ((2 * i + 1) * source - target).clamp(min=0)
    centre = torch.minimum(centre, (_tensor(source) - 1) * 2 * target)
    near = (2 * target - (centre - j * 2 * target).abs()).clamp(min=0)
    return near.to(torch.float32) / (2 * _tensor(target)).to(torch.float32)


def _covered(source: int, target: int) -> Tensor:
    """(target, source): how much of each source pixel a target pixel covers, target <= source.

    The rows add up to source / target.
    """
    i, j = torch.arange(target)[:, None], torch.arange(source)[None, :]
    # in units of 1 / target of a source pixel, where all edges are integers
    start = torch.maximum(i * source, j * target)
    end = torch.minimum(i * source + source, j * target + target)
    overlap = (end - start).clamp(min=0)
    return torch.where(overlap * MIN_OVERLAP > target, overlap, 0).to(torch.float32) / target


def _averaged(image: Tensor, height: int, width: int) -> Tensor:
    """By area as OpenCV: with an integer ratio the sum is divided once, else the average is taken
    along each side; halves round to even, but upwards where both sides are halved.
    """
    rows, columns = _tensor(image.shape[2]), _tensor(image.shape[3])
    whole = (rows % height == 0) & (columns % width == 0)
    down, across = rows.to(torch.float32) / height, columns.to(torch.float32) / width
    halved = whole & (rows == 2 * height) & (columns == 2 * width)
    sides = torch.where(whole, 1.0, across), torch.where(whole, 1.0, down)
    mean = image @ (_covered(image.shape[3], width) / sides[0]).T  # (N, C, H, width)
    mean = (_covered(image.shape[2], height) / sides[1]) @ mean
    mean = mean * torch.where(whole, 1 / (down * across), 1.0)
    return (mean + torch.where(halved, 0.01, 0.0)).round()


def _interpolated(image: Tensor, height: int, width: int, fewer: Tensor) -> Tensor:
    """Bilinear, in OpenCV's integer arithmetic."""
    above, below, down = _neighbours(image.shape[2], height, fewer)
    left, right, across = _neighbours(image.shape[3], width, fewer)
    total = _tensor(2)
    for row, weight in ((above, STEPS - down), (below, down)):
        rows = image.index_select(2, row).to(torch.int64)  # (N, C, height, W)
        mixed = rows.index_select(3, left) * (STEPS - across) + rows.index_select(3, right) * across
        total = total + (mixed // 16 * weight[:, None]) // 65536
    return (total // 4).to(torch.float32)


def _neighbours(source: int, target: int, fewer: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(target,) each: a source pixel, the next one, and the weight of the next in 1 / STEPS.

    At the ends both are the same pixel: OpenCV mixes it with itself, which its rounding shows.
    """
    i, size, last = torch.arange(target), _tensor(source), _tensor(source - 1)
    # Pixel centres are aligned. But OpenCV aligns edges where the image as a whole gets fewer
    # pixels and only this side grows: there a target pixel mixes two only across an edge.
    centre = (2 * i + 1) * source - target  # in units of 1 / (2 target) of a source pixel
    by_centre = torch.div(centre, 2 * target, rounding_mode="floor")
    beyond_centre = (centre - by_centre * 2 * target).to(torch.float32) / (2 * target)
    by_edge = i * source // target
    beyond_edge = ((i + 1) * source - (by_edge + 1) * target).clamp(min=0) % size
    first = torch.where(fewer, by_edge, by_centre)
    weight = torch.where(fewer, beyond_edge.to(torch.float32) / size, beyond_centre)
    following = torch.minimum((first + 1).clamp(min=0), last)
    first = torch.minimum(first.clamp(min=0), last)
    return first, following, (weight * STEPS).round().to(torch.int64)


def _tensor(number: int) -> Tensor:
    """A size as a tensor, so that the graph is not fixed to the size of its example."""
    return torch.full((), number, dtype=torch.int64)
