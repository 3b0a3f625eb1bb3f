"""Binary cross-entropy against its formula."""

import math

import numpy as np
import pytest
import torch

from seg.losses.bce import BCELoss


def _reference_bce(logits, target, *, pos_weight):
    """Pixel by pixel in float64, without ignored pixels; each class against the rest."""
    total = count = 0.0
    for n, c, y, x in np.ndindex(*logits.shape):
        label = int(target[n, y, x])
        if label == 255:
            continue
        truth = label > 0 if logits.shape[1] == 1 else label == c
        p = 1 / (1 + math.exp(-float(logits[n, c, y, x])))
        total -= pos_weight * math.log(p) if truth else math.log(1 - p)
        count += 1
    return total / count


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("pos_weight", [1.0, 0.2, 5.0])
@pytest.mark.parametrize("ignored", [0.0, 0.4])
def test_agrees_with_loops_over_pixels(channels, pos_weight, ignored):
    g = torch.Generator().manual_seed(3)
    logits = 3 * torch.randn(2, channels, 4, 5, generator=g)
    target = torch.randint(0, max(2, channels), (2, 4, 5), generator=g)
    target[torch.rand(target.shape, generator=g) < ignored] = 255
    value = BCELoss(pos_weight=pos_weight)(logits, target).item()
    expected = _reference_bce(logits, target, pos_weight=pos_weight)
    assert value == pytest.approx(expected, rel=1e-5)


def test_undecided_costs_the_logarithm_of_two():
    value = BCELoss()(torch.zeros(2, 1, 4, 4), torch.randint(0, 2, (2, 4, 4)))
    assert value.item() == pytest.approx(math.log(2))


def test_perfect_is_zero_and_inverted_costs_the_logit():
    target = torch.randint(0, 2, (2, 4, 4))
    logits = (target.unsqueeze(1).float() - 0.5) * 100
    assert BCELoss()(logits, target).item() == pytest.approx(0, abs=1e-6)
    assert BCELoss()(-logits, target).item() == pytest.approx(50)


def test_swapping_foreground_and_background_changes_nothing():
    logits, target = torch.randn(2, 1, 4, 4), torch.randint(0, 2, (2, 4, 4))
    mirrored = BCELoss()(-logits, 1 - target).item()
    assert mirrored == pytest.approx(BCELoss()(logits, target).item())


def test_ignored_pixels_are_not_in_the_denominator():
    logits, target = torch.zeros(1, 1, 4, 4), torch.zeros(1, 4, 4, dtype=torch.long)
    target[0, 1:] = 255
    assert BCELoss()(logits, target).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan")])
def test_a_weight_that_is_not_above_zero_is_refused(weight):
    with pytest.raises(ValueError, match=r"loss\.pos_weight"):
        BCELoss(pos_weight=weight)
