"""Soft Jaccard against its formula."""

import pytest
import torch

from seg.losses.jaccard import JaccardLoss, soft_jaccard


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("smooth", [1.0, 1e-3])
def test_is_the_intersection_over_the_union(pooled, smooth):
    g = torch.Generator().manual_seed(0)
    probs = torch.rand(2, 3, 5, 6, generator=g, dtype=torch.float64)
    target = (torch.rand(2, 3, 5, 6, generator=g) < 0.4).double()
    valid = torch.rand(2, 1, 5, 6, generator=g) < 0.8
    p, t = (x.numpy() * valid.numpy() for x in (probs, target))
    axes = (0, 2, 3) if pooled else (2, 3)
    overlap = (p * t).sum(axes)
    expected = (overlap + smooth) / (p.sum(axes) + t.sum(axes) - overlap + smooth)
    value = soft_jaccard(probs, target, valid, smooth=smooth, pooled=pooled)
    torch.testing.assert_close(value, torch.from_numpy(expected))


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
    assert torch.autograd.gradcheck(lambda p: soft_jaccard(p, target, valid), probs)
