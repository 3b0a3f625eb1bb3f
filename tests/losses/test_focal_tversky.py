"""The focal Tversky loss: a power of the Tversky loss."""

import pytest
import torch

from seg.losses.focal_tversky import FocalTverskyLoss, focal_error
from seg.losses.tversky import TverskyLoss


@pytest.mark.parametrize("channels", [1, 3])
def test_a_gamma_of_one_is_the_tversky_loss(channels):
    logits = torch.randn(2, channels, 6, 6)
    target = torch.randint(0, max(2, channels), (2, 6, 6))
    value = FocalTverskyLoss(gamma=1, alpha=0.2, beta=0.9)(logits, target)
    torch.testing.assert_close(value, TverskyLoss(alpha=0.2, beta=0.9)(logits, target))


@pytest.mark.parametrize("gamma", [0.75, 4 / 3, 3.0])
def test_is_the_mean_of_the_powers_of_each_image_and_class(gamma):
    logits, target = torch.randn(2, 3, 6, 6), torch.randint(0, 3, (2, 6, 6))
    value = FocalTverskyLoss(gamma=gamma)(logits, target).item()
    powers = []
    for n in range(2):
        for c in (1, 2):
            weights = [float(k == c) for k in range(3)]
            one = TverskyLoss(class_weights=weights)(logits[n : n + 1], target[n : n + 1])
            powers.append(one.item() ** (1 / gamma))
    assert value == pytest.approx(sum(powers) / 4, rel=1e-5)


def test_the_gradient_is_that_of_finite_differences_and_has_a_bound_at_zero():
    error = torch.rand(10, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda e: focal_error(e, gamma=4 / 3), error)
    nothing = torch.zeros(3, requires_grad=True)
    value = focal_error(nothing, gamma=3.0)
    value.sum().backward()
    assert not value.any()
    assert torch.isfinite(nothing.grad).all()


def test_the_line_near_zero_meets_the_power():
    just = torch.tensor([1e-6 * (1 - 1e-3), 1e-6 * (1 + 1e-3)], dtype=torch.float64)
    below, above = focal_error(just, gamma=2.0).tolist()
    assert below == pytest.approx(1e-3, rel=2e-3)
    assert above == pytest.approx(1e-3, rel=2e-3)


@pytest.mark.parametrize("keys", [{"gamma": 0}, {"alpha": -1}, {"alpha": 0, "beta": 0}])
def test_values_that_are_none_are_refused(keys):
    with pytest.raises(ValueError, match=r"loss\."):
        FocalTverskyLoss(**keys)
