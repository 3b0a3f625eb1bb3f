"""The cross-entropy of the hardest pixels."""

import numpy as np
import pytest
import torch

from seg.losses.ce import CELoss
from seg.losses.topk_ce import TopKCELoss, hardest


def _reference_topk(logits, target, share):
    """Every pixel's cross-entropy in float64, sorted."""
    losses = []
    for n, y, x in np.ndindex(*target.shape):
        if (label := int(target[n, y, x])) != 255:
            z = logits[n, :, y, x].double().numpy()
            z = np.array([0.0, z[0]]) if len(z) == 1 else z
            losses.append(np.log(np.exp(z).sum()) - z[label])
    count = max(1, int(share * len(losses)))
    return np.mean(sorted(losses)[-count:])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("ignored", [0.0, 0.4])
def test_agrees_with_sorted_pixels(channels, share, ignored):
    g = torch.Generator().manual_seed(6)
    logits = 2 * torch.randn(2, channels, 6, 5, generator=g)
    target = torch.randint(0, max(2, channels), (2, 6, 5), generator=g)
    target[torch.rand(target.shape, generator=g) < ignored] = 255
    value = TopKCELoss(share=share)(logits, target).item()
    assert value == pytest.approx(_reference_topk(logits, target, share), rel=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_share_of_one_is_the_weighted_cross_entropy(channels):
    logits = torch.randn(2, channels, 6, 6)
    target = torch.randint(0, max(2, channels), (2, 6, 6))
    weights = [1.0, 4.0] if channels == 1 else [1.0, 4.0, 0.0]
    value = TopKCELoss(share=1, class_weights=weights)(logits, target)
    torch.testing.assert_close(value, CELoss(class_weights=weights)(logits, target))


def test_classes_that_share_pixels_compete_for_the_share():
    logits = torch.zeros(1, 2, 1, 2)
    logits[0, 1] = 5
    target = torch.zeros(1, 2, 1, 2, dtype=torch.long)  # the second class is wrong everywhere
    value = TopKCELoss(share=0.5)(logits, target).item()
    assert value == pytest.approx(np.log(1 + np.exp(5)), rel=1e-5)


def test_the_gradient_is_that_of_finite_differences():
    nll = torch.rand(30, dtype=torch.float64, requires_grad=True)
    weights = torch.ones(30, dtype=torch.float64)
    weights[:5] = 0
    assert torch.autograd.gradcheck(lambda x: hardest(x, weights, share=0.3), nll)


@pytest.mark.parametrize("share", [0, -0.1, 1.1])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match=r"loss\.share"):
        TopKCELoss(share=share)
