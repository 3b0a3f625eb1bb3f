"""Postprocessing of `inference.segmentation` in operations that any graph has, for many masks."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._higher_order_ops.while_loop import while_loop

LARGE = 2**62  # above every position


def clean_up(mask: Tensor, steps: Mapping[str, Sequence[str]], classes: Sequence[str]) -> Tensor:
    """Apply the steps of a checkpoint, class by class as `segmentation.clean_up` does.

    Args:
        mask: (N, H, W) int64 class indices, or (N, K, H, W) planes.
        steps: the classes of each step.
        classes: the foreground classes, index 1 first.
    """
    if mask.ndim == 4:
        planes = [
            clean_up(plane, steps, [name])
            for plane, name in zip(mask.unbind(1), classes, strict=True)
        ]
        return torch.stack(planes, dim=1)
    for index, name in enumerate(classes, start=1):
        if name in steps["largest_component"]:
            mask = largest_component(mask, index)
        if name in steps["fill_holes"]:
            mask = fill_holes(mask, index)
    return mask


def largest_component(mask: Tensor, index: int) -> Tensor:
    """Keep only the largest component of the class in each mask, the first of equal ones."""
    inside = mask == index
    labels = components(inside, diagonal=True)
    flat = labels.flatten()
    sizes = torch.zeros_like(flat).scatter_add(0, flat, inside.flatten().to(torch.int64))
    # a component's label is the position of its first pixel, so that pixel has the size
    by_mask = sizes.reshape(mask.shape).flatten(1)  # (N, H*W)
    largest = by_mask.amax(1, keepdim=True)
    position = torch.arange(flat.shape[0]).reshape(mask.shape).flatten(1)
    first = torch.where(by_mask == largest, position, flat.shape[0]).amin(1)
    return torch.where(inside & (labels != first[:, None, None]), 0, mask)


def fill_holes(mask: Tensor, index: int) -> Tensor:
    """Give the background that the class encloses to the class."""
    others = mask != index
    labels = components(others, diagonal=False)
    row, column = torch.arange(mask.shape[1])[:, None], torch.arange(mask.shape[2])[None, :]
    last = torch.full((), mask.shape[1] - 1), torch.full((), mask.shape[2] - 1)
    edge = (row == 0) | (row == last[0]) | (column == 0) | (column == last[1])
    flat = labels.flatten()
    at_edge = torch.where(edge, 1, torch.zeros_like(mask)).flatten()
    edge_pixels = torch.zeros_like(flat).scatter_add(0, flat, at_edge)
    outside = (edge_pixels[flat] > 0).reshape(mask.shape)
    return torch.where(others & ~outside & (mask == 0), index, mask)


def components(inside: Tensor, *, diagonal: bool) -> Tensor:
    """Label the connected components of several masks.

    Each round lets a pixel point to the smallest label of its neighbours, and then to where that
    one points, so that the rounds grow with the logarithm of a component's length (Zhang et al.
    2020, FastSV, arXiv:1910.05971).

    Args:
        inside: (N, H, W) bool.
        diagonal: whether pixels that share only a corner are connected (8 neighbours, else 4).

    Returns:
        (N, H, W) int64: the position, counted through all masks, of the first pixel of the
        component; of a pixel outside, its own.
    """

    def unsettled(changed: Tensor, labels: Tensor) -> Tensor:
        return changed.clone()

    def next_round(changed: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        smallest = _smallest_around(torch.where(inside, labels, LARGE), diagonal=diagonal)
        smallest = torch.where(inside, smallest, labels).flatten()
        flat = labels.flatten()
        hooked = torch.minimum(flat.scatter_reduce(0, flat, smallest, "amin"), smallest)
        hooked = torch.minimum(hooked, hooked[hooked]).reshape(inside.shape)
        return (hooked != labels).any(), hooked

    positions = torch.arange(inside.numel()).reshape(inside.shape)
    state = (torch.ones((), dtype=torch.bool), positions)
    if torch.compiler.is_exporting():
        return while_loop(unsettled, next_round, state)[1]
    while unsettled(*state):
        state = next_round(*state)
    return state[1]


def _smallest_around(values: Tensor, *, diagonal: bool) -> Tensor:
    padded = F.pad(values, (1, 1), value=LARGE)
    rows = torch.minimum(torch.minimum(padded[..., :-2], padded[..., 2:]), values)
    padded = F.pad(rows if diagonal else values, (0, 0, 1, 1), value=LARGE)
    return torch.minimum(torch.minimum(padded[:, :-2], padded[:, 2:]), rows)
