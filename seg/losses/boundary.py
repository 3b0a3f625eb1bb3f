"""Boundary loss, the integral of phi_G x s_theta. Kervadec et al. 2019, arXiv:1812.07032."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from seg.losses.class_weights import ClassWeights
from seg.losses.target import regions


def signed_distance(mask: np.ndarray) -> np.ndarray:
    """(H, W) float32: the distance from the boundary in pixels, below 0 inside, as in its code.

    The pixels at the boundary have 0 inside and 1 outside. A mask that is empty or full has no
    boundary: 0 everywhere.
    """
    inside = mask.astype(np.uint8)
    if inside.all() or not inside.any():
        return np.zeros(mask.shape, np.float32)
    from_edge, to_mask = (
        cv2.distanceTransform(side, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        for side in (inside, 1 - inside)
    )
    return np.where(inside, 1 - from_edge, to_mask).astype(np.float32)


def boundary_distance(probs: Tensor, target: Tensor, valid: Tensor, distances: Tensor) -> Tensor:
    """Mean of distance x (probability - truth) over the valid pixels, (N, C), from 0.

    The paper leaves out the truth, which only adds a constant: with it, a perfect mask scores 0.

    Args:
        probs: (N, C, H, W) in 0-1; target likewise.
        valid: (N, 1 or C, H, W), pixels that count.
        distances: (N, C, H, W), as `signed_distance`.
    """
    counts = valid.expand_as(probs).sum((2, 3)).clamp(min=1)
    return (distances * (probs - target) * valid).sum((2, 3)) / counts


class BoundaryLoss(nn.Module):
    """How far wrong pixels are from the boundary, averaged over images and foreground classes.

    It says nothing about images whose mask is empty, so it is a term beside another loss. The
    distances are computed from the target on the CPU in every step. In pixels: a term's scale fits
    one size of images.

    Args:
        class_weights: of the mean over classes (see `ClassWeights`); then of the background too.
    """

    def __init__(self, *, class_weights: Sequence[float] | str | None = None) -> None:
        super().__init__()
        self.class_weights = ClassWeights(class_weights)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        probs, truth, valid = regions(logits, target, background=self.class_weights.given)
        masks = ((truth > 0) & valid).flatten(0, 1).cpu().numpy()
        maps = np.stack([signed_distance(mask) for mask in masks])
        distances = torch.from_numpy(maps).to(probs.device).view_as(probs)
        return self.class_weights.mean(boundary_distance(probs, truth, valid, distances))
