"""The Tversky index against plain loops, and the two indices that it contains."""

import numpy as np
import pytest
import torch

from seg.losses.dice import DiceLoss, soft_dice
from seg.losses.tversky import TverskyLoss, tversky_index


def _reference_tversky(probs, target, valid, *, alpha, beta, smooth):
    """One image and class, pixel by pixel."""
    hit = invented = missed = 0.0
    for index in np.ndindex(probs.shape):
        if valid[index]:
            hit += probs[index] * target[index]
            invented += probs[index] * (1 - target[index])
            missed += (1 - probs[index]) * target[index]
    return (hit + smooth) / (hit + alpha * invented + beta * missed + smooth)


def _batch(seed=0):
    g = torch.Generator().manual_seed(seed)
    probs = torch.rand(2, 3, 5, 6, generator=g, dtype=torch.float64)
    target = (torch.rand(2, 3, 5, 6, generator=g) < 0.4).double()
    return probs, target, torch.rand(2, 1, 5, 6, generator=g) < 0.8


@pytest.mark.parametrize(("alpha", "beta"), [(0.3, 0.7), (0.7, 0.3), (0.0, 1.0)])
@pytest.mark.parametrize("smooth", [1.0, 1e-3])
def test_agrees_with_loops_over_pixels(alpha, beta, smooth):
    probs, target, valid = _batch()
    options = {"alpha": alpha, "beta": beta, "smooth": smooth}
    value = tversky_index(probs, target, valid, **options)
    assert value.shape == (2, 3)
    for n, c in np.ndindex(2, 3):
        parts = probs[n, c].numpy(), target[n, c].numpy(), valid[n, 0].numpy()
        assert value[n, c].item() == pytest.approx(_reference_tversky(*parts, **options))
    pooled = tversky_index(probs, target, valid, pooled=True, **options)
    assert pooled.shape == (3,)
    parts = probs[:, 1].numpy(), target[:, 1].numpy(), valid[:, 0].numpy()
    assert pooled[1].item() == pytest.approx(_reference_tversky(*parts, **options))


def test_halves_are_the_dice():
    probs, target, valid = _batch()
    index = tversky_index(probs, target, valid, alpha=0.5, beta=0.5, smooth=0.5)
    torch.testing.assert_close(index, soft_dice(probs, target, valid, smooth=1.0))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_loss_with_halves_is_the_dice_loss(channels):
    logits = torch.randn(2, channels, 6, 6)
    target = torch.randint(0, max(2, channels), (2, 6, 6))
    value = TverskyLoss(alpha=0.5, beta=0.5, smooth=0.5)(logits, target)
    torch.testing.assert_close(value, DiceLoss()(logits, target))


def test_beta_makes_a_missed_pixel_cost_more_than_an_invented_one():
    target = torch.zeros(1, 8, 8, dtype=torch.long)
    target[0, :4] = 1
    right = (target.unsqueeze(1).float() - 0.5) * 40
    missed, invented = right.clone(), right.clone()
    missed[0, 0, 3, :4] = -20
    invented[0, 0, 4, :4] = 20
    loss = TverskyLoss()
    assert loss(missed, target) > 1.5 * loss(invented, target)


def test_the_gradient_is_that_of_finite_differences():
    probs, target, valid = _batch()
    probs.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda p: tversky_index(p, target, valid, alpha=0.3, beta=0.7), probs
    )


def test_weights_are_those_of_the_mean_over_classes_with_the_background():
    logits, target = torch.randn(2, 3, 6, 6), torch.randint(0, 3, (2, 6, 6))
    each = [TverskyLoss(class_weights=w)(logits, target) for w in np.eye(3).tolist()]
    value = TverskyLoss(class_weights=[1, 2, 5])(logits, target)
    torch.testing.assert_close(value, (each[0] + 2 * each[1] + 5 * each[2]) / 8)
    torch.testing.assert_close((each[1] + each[2]) / 2, TverskyLoss()(logits, target))


@pytest.mark.parametrize("keys", [{"alpha": -1}, {"alpha": 0, "beta": 0}, {"smooth": 0}])
def test_values_that_are_none_are_refused(keys):
    with pytest.raises(ValueError, match=r"loss\."):
        TverskyLoss(**keys)
