"""Focal loss against its formula."""

import math

import numpy as np
import pytest
import torch

from seg.losses.bce import BCELoss
from seg.losses.ce import CELoss
from seg.losses.focal import FocalLoss, focal


def _reference_focal(logits, target, *, gamma, weight):
    """Pixel by pixel in float64; the mean is over the weights."""
    total = count = 0.0
    for n, y, x in np.ndindex(*target.shape):
        label = int(target[n, y, x])
        if label == 255:
            continue
        z = logits[n, :, y, x].double().numpy()
        z = np.array([0.0, z[0]]) if len(z) == 1 else z
        p = np.exp(z[label]) / np.exp(z).sum()
        total -= weight[label] * (1 - p) ** gamma * math.log(p)
        count += weight[label]
    return total / count


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignored", [0.0, 0.4])
def test_agrees_with_loops_over_pixels(channels, gamma, weighted, ignored):
    g = torch.Generator().manual_seed(5)
    logits = 2 * torch.randn(2, channels, 4, 5, generator=g)
    target = torch.randint(0, max(2, channels), (2, 4, 5), generator=g)
    target[torch.rand(target.shape, generator=g) < ignored] = 255
    weight = [0.75, 0.25] if channels == 1 else [1.0, 2.0, 0.0]
    value = FocalLoss(gamma=gamma, class_weights=weight if weighted else None)(logits, target)
    expected = _reference_focal(
        logits, target, gamma=gamma, weight=weight if weighted else [1.0] * 3
    )
    assert value.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weights", [None, [1.0, 4.0]])
def test_without_gamma_it_is_the_cross_entropy(weights):
    logits, target = torch.randn(2, 1, 6, 6), torch.randint(0, 2, (2, 6, 6))
    value = FocalLoss(gamma=0, class_weights=weights)(logits, target)
    torch.testing.assert_close(value, CELoss(class_weights=weights)(logits, target))
    torch.testing.assert_close(value, BCELoss(class_weights=weights)(logits, target))


def test_a_pixel_that_is_predicted_well_counts_a_hundred_times_less():
    """Section 3.2 of the paper: p = 0.9 and gamma = 2."""
    nll = torch.tensor(-math.log(0.9))
    assert focal(nll, gamma=2).item() == pytest.approx(nll.item() / 100, rel=1e-4)


def test_the_gradient_is_that_of_finite_differences():
    nll = torch.rand(20, dtype=torch.float64, requires_grad=True)
    for gamma in (0.0, 0.5, 2.0):
        assert torch.autograd.gradcheck(lambda x, gamma=gamma: focal(x, gamma=gamma), nll)


def test_classes_that_share_pixels_have_a_weight_each():
    logits, target = torch.randn(2, 2, 5, 5), torch.randint(0, 2, (2, 2, 5, 5))
    value = FocalLoss(class_weights=[1.0, 3.0])(logits, target)
    a, b = (FocalLoss()(logits[:, k : k + 1], target[:, k]) for k in range(2))
    torch.testing.assert_close(value, (a + 3 * b) / 4)


def test_a_gamma_below_zero_is_refused():
    with pytest.raises(ValueError, match=r"loss\.gamma=-1"):
        FocalLoss(gamma=-1)
