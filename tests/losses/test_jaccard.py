"""Soft Jaccard against its formula."""

import pytest
import torch

from seg.losses.jaccard import JaccardLoss
from seg.losses.tversky import tversky_index


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("smooth", [1.0, 1e-3])
def test_is_the_intersection_over_the_union(pooled, smooth):
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 5, 6, generator=g)
    target = (torch.rand(2, 3, 5, 6, generator=g) < 0.4).long()
    ignored = torch.rand(2, 1, 5, 6, generator=g) < 0.2
    valid = ~ignored.numpy()
    p, t = logits.double().sigmoid().numpy() * valid, target.numpy() * valid
    axes = (0, 2, 3) if pooled else (2, 3)
    overlap = (p * t).sum(axes)
    expected = (overlap + smooth) / (p.sum(axes) + t.sum(axes) - overlap + smooth)
    loss = JaccardLoss(smooth=smooth, pooled=pooled)(logits, target.masked_fill(ignored, 255))
    assert loss.item() == pytest.approx(1 - expected.mean(), abs=1e-6)


def test_masks_of_zeros_and_ones_have_the_jaccard_index_that_metrics_have():
    target = torch.zeros(1, 20, 20, dtype=torch.long)
    target[0, :10] = 1
    logits = torch.full((1, 1, 20, 20), -50.0)
    logits[0, 0, 5:15] = 50  # 100 of 300 pixels
    assert JaccardLoss(smooth=1e-6)(logits, target).item() == pytest.approx(2 / 3)


def test_the_gradient_is_that_of_finite_differences():
    probs = torch.rand(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 2, (1, 2, 3, 3)).double()
    valid = torch.rand(1, 1, 3, 3) < 0.8
    assert torch.autograd.gradcheck(
        lambda p: tversky_index(p, target, valid, alpha=1, beta=1), probs
    )
