"""Connected parts of a mask in operations that any graph has: the clean-up of
`inference.segmentation`, of many masks at once.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._higher_order_ops.while_loop import while_loop

NONE = 2**62  # beyond all places


def cleaned(mask: Tensor, steps: Mapping[str, Sequence[str]], classes: Sequence[str]) -> Tensor:
    """(N, H, W) int64 class indices after the steps of `segmentation.clean_up`, in its order."""
    for index, name in enumerate(classes, start=1):
        if name in steps["largest_component"]:
            mask = largest_component(mask, index)
        if name in steps["fill_holes"]:
            mask = fill_holes(mask, index)
    return mask


def largest_component(mask: Tensor, index: int) -> Tensor:
    """Only the largest part of the class is left in each mask; of parts of one size the first."""
    inside = mask == index
    found = parts(inside, diagonal=True)
    flat = found.flatten()
    sizes = torch.zeros_like(flat).scatter_add(0, flat, inside.flatten().to(torch.int64))
    # a part is known by its first pixel, which alone carries the size
    by_mask = sizes.reshape(mask.shape).flatten(1)  # (N, H*W)
    most = by_mask.amax(1, keepdim=True)
    place = torch.arange(flat.shape[0]).reshape(mask.shape).flatten(1)
    first = torch.where(by_mask == most, place, flat.shape[0]).amin(1)
    return torch.where(inside & (found != first[:, None, None]), 0, mask)


def fill_holes(mask: Tensor, index: int) -> Tensor:
    """Background that the class encloses becomes of this class."""
    others = mask != index
    found = parts(others, diagonal=False)
    row, column = torch.arange(mask.shape[1])[:, None], torch.arange(mask.shape[2])[None, :]
    last = torch.full((), mask.shape[1] - 1), torch.full((), mask.shape[2] - 1)
    edge = (row == 0) | (row == last[0]) | (column == 0) | (column == last[1])
    flat = found.flatten()
    ends = torch.where(edge, 1, torch.zeros_like(mask)).flatten()
    reached = torch.zeros_like(flat).scatter_add(0, flat, ends)
    outside = (reached[flat] > 0).reshape(mask.shape)
    return torch.where(others & ~outside & (mask == 0), index, mask)


def parts(inside: Tensor, *, diagonal: bool) -> Tensor:
    """(N, H, W) bool to int64: of each pixel inside, the place of the first pixel of its part,
    counted through all masks; others have their own place.

    diagonal: whether pixels that share a corner alone are connected (8 neighbours, else 4).
    Each round points every pixel to the least of its neighbours', and then to where that one
    points: rounds grow with the logarithm of a part's length (Zhang et al. 2020, FastSV,
    arXiv:1910.05971), not with the length.
    """

    def unsettled(changed: Tensor, found: Tensor) -> Tensor:
        return changed.clone()

    def once_more(changed: Tensor, found: Tensor) -> tuple[Tensor, Tensor]:
        least = _least_around(torch.where(inside, found, NONE), diagonal=diagonal)
        least = torch.where(inside, least, found).flatten()
        flat = found.flatten()
        hooked = torch.minimum(flat.scatter_reduce(0, flat, least, "amin"), least)
        hooked = torch.minimum(hooked, hooked[hooked]).reshape(inside.shape)
        return (hooked != found).any(), hooked

    places = torch.arange(inside.numel()).reshape(inside.shape)
    state = (torch.ones((), dtype=torch.bool), places)
    if torch.compiler.is_exporting():
        return while_loop(unsettled, once_more, state)[1]
    while unsettled(*state):
        state = once_more(*state)
    return state[1]


def _least_around(values: Tensor, *, diagonal: bool) -> Tensor:
    padded = F.pad(values, (1, 1), value=NONE)
    rows = torch.minimum(torch.minimum(padded[..., :-2], padded[..., 2:]), values)
    padded = F.pad(rows if diagonal else values, (0, 0, 1, 1), value=NONE)
    return torch.minimum(torch.minimum(padded[:, :-2], padded[:, 2:]), rows)
