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
    named = dict(zip(["bce", "dice"], parts, strict=True))
    scales = dict(zip(named, weights, strict=True))
    value = WeightedSum(terms=named, scales=scales)(total, target)
    earlier = WeightedSum(losses=parts, weights=weights)  # and no names
    assert earlier(logits, target).item() == value.item()
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
    loss = WeightedSum(terms={"ce": CELoss(class_weights=[1, 2]), "dice": DiceLoss()})
    assert [name for name, _ in loss.named_buffers()] == ["losses.0.class_weights.values"]


def test_sums_of_sums_work():
    inner = WeightedSum(terms={"bce": BCELoss(), "dice": DiceLoss()}, scales={"dice": 2.0})
    logits, target = torch.randn(2, 1, 4, 4), torch.randint(0, 2, (2, 4, 4))
    outer = WeightedSum(terms={"inner": inner}, scales={"inner": 0.5})
    assert outer(logits, target).item() == pytest.approx(0.5 * inner(logits, target).item())


def test_losses_of_an_earlier_experiment_replace_the_terms_that_it_is_laid_over():
    logits, target = torch.randn(2, 1, 4, 4), torch.randint(0, 2, (2, 4, 4))
    loss = WeightedSum(terms={"bce": BCELoss()}, losses=[DiceLoss()])
    assert loss(logits, target).item() == DiceLoss()(logits, target).item()


def test_a_sum_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"loss\.terms"):
        WeightedSum(terms={})


@pytest.mark.parametrize("weights", [[1.0], [1.0, 1.0, 1.0]])
def test_another_number_of_weights_than_losses_is_refused(weights):
    with pytest.raises(ValueError, match=r"loss\.weights has \d entries for 2 losses"):
        WeightedSum(losses=[BCELoss(), DiceLoss()], weights=weights)
