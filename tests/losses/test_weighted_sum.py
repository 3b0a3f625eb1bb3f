"""The sum of losses."""

import pytest
import torch

from seg.losses.bce import BCELoss
from seg.losses.ce import CELoss
from seg.losses.dice import DiceLoss
from seg.losses.weighted_sum import WeightedSum


@pytest.mark.parametrize("weights", [[1.0, 1.0], [0.3, 2.0], [0.0, 1.0]])
def test_is_the_weighted_sum_of_its_parts_and_of_their_gradients(weights):
    logits, target = torch.randn(2, 1, 4, 4), torch.randint(0, 2, (2, 4, 4))
    parts = [BCELoss(), DiceLoss()]
    total = logits.clone().requires_grad_()
    value = WeightedSum(losses=parts, weights=weights)(total, target)
    value.backward()
    expected, gradient = 0.0, torch.zeros_like(logits)
    for weight, part in zip(weights, parts, strict=True):
        alone = logits.clone().requires_grad_()
        term = part(alone, target)
        term.backward()
        expected += weight * term.item()
        gradient += weight * alone.grad
    assert value.shape == ()
    assert value.item() == pytest.approx(expected, rel=1e-6)
    torch.testing.assert_close(total.grad, gradient)


def test_buffers_of_its_parts_are_its_own():
    loss = WeightedSum(losses=[CELoss(weight=[1, 2]), DiceLoss()], weights=[1, 1])
    assert [name for name, _ in loss.named_buffers()] == ["losses.0.weight"]


def test_sums_of_sums_work():
    inner = WeightedSum(losses=[BCELoss(), DiceLoss()], weights=[1.0, 2.0])
    logits, target = torch.randn(2, 1, 4, 4), torch.randint(0, 2, (2, 4, 4))
    outer = WeightedSum(losses=[inner], weights=[0.5])
    assert outer(logits, target).item() == pytest.approx(0.5 * inner(logits, target).item())


@pytest.mark.parametrize("weights", [[], [1.0], [1.0, 1.0, 1.0]])
def test_another_number_of_weights_than_losses_is_refused(weights):
    with pytest.raises(ValueError, match=r"loss\.weights has \d entries for 2 losses"):
        WeightedSum(losses=[BCELoss(), DiceLoss()], weights=weights)
