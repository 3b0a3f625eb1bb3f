"""Cross-entropy against its formula, and against the binary one."""

import math

import numpy as np
import pytest
import torch

from seg.losses.bce import BCELoss
from seg.losses.ce import CELoss


def _reference_ce(logits, target, weight):
    """Pixel by pixel in float64; the mean is over the weights."""
    total = count = 0.0
    for n, y, x in np.ndindex(*target.shape):
        label = int(target[n, y, x])
        if label == 255:
            continue
        z = logits[n, :, y, x].double().numpy()
        total += weight[label] * (math.log(np.exp(z).sum()) - z[label])
        count += weight[label]
    return total / count


@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 0.5], [0.0, 1.0, 1.0]])
@pytest.mark.parametrize("ignored", [0.0, 0.4])
def test_agrees_with_loops_over_pixels(weight, ignored):
    g = torch.Generator().manual_seed(4)
    logits = 2 * torch.randn(2, 3, 4, 5, generator=g)
    target = torch.randint(0, 3, (2, 4, 5), generator=g)
    target[torch.rand(target.shape, generator=g) < ignored] = 255
    value = CELoss(class_weights=weight)(logits, target).item()
    assert value == pytest.approx(_reference_ce(logits, target, weight or [1, 1, 1]), rel=1e-5)


@pytest.mark.parametrize("ignored", [0.0, 0.5])
def test_one_channel_is_binary_cross_entropy(ignored):
    logits, target = 5 * torch.randn(3, 1, 4, 5), torch.randint(0, 2, (3, 4, 5))
    target[torch.rand(target.shape) < ignored] = 255
    a, b = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    ce, bce = CELoss()(a, target), BCELoss()(b, target)
    ce.backward()
    bce.backward()
    torch.testing.assert_close(ce, bce)
    torch.testing.assert_close(a.grad, b.grad)


def test_one_channel_takes_two_weights():
    logits, target = torch.zeros(1, 1, 1, 2), torch.tensor([[[0, 1]]])
    assert CELoss(class_weights=[1, 3])(logits, target).item() == pytest.approx(math.log(2))


def test_undecided_costs_the_logarithm_of_the_number_of_classes():
    value = CELoss()(torch.zeros(1, 5, 3, 3), torch.randint(0, 5, (1, 3, 3)))
    assert value.item() == pytest.approx(math.log(5))


def test_one_number_added_to_all_classes_changes_nothing():
    logits, target = torch.randn(2, 4, 3, 3), torch.randint(0, 4, (2, 3, 3))
    assert CELoss()(logits + 7, target).item() == pytest.approx(CELoss()(logits, target).item())


def test_weights_for_another_number_of_classes_are_refused():
    with pytest.raises(ValueError, match=r"loss\.class_weights has 2 entries for 3 classes"):
        CELoss(class_weights=[1.0, 2.0])(
            torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2, dtype=torch.long)
        )


def test_weights_move_with_the_module():
    assert CELoss(class_weights=[1, 2]).double().class_weights.values.dtype == torch.float64


def test_the_state_of_an_earlier_version_is_taken():
    """Its checkpoints held the weights, which are those of the configuration."""
    loss = torch.nn.ModuleList([CELoss(weight=[1, 2])])
    loss.load_state_dict({"0.weight": torch.tensor([1.0, 2.0])})
    assert loss[0].class_weights.values.tolist() == [1, 2]
    assert loss.state_dict() == {}
