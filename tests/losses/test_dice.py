"""Soft Dice against plain loops, and at its limits."""

import numpy as np
import pytest
import torch

from seg.losses.dice import DiceLoss, soft_dice


def _reference_dice(probs, target, *, smooth, ignored=None):
    """One image and class, pixel by pixel."""
    overlap = total = 0.0
    for index in np.ndindex(probs.shape):
        if ignored is not None and ignored[index]:
            continue
        overlap += probs[index] * target[index]
        total += probs[index] + target[index]
    return (2 * overlap + smooth) / (total + smooth)


def _reference_loss(logits, target, *, smooth, pooled):
    """The whole loss: softmax or sigmoid, foreground classes, mean over images or one pool."""
    logits, target = logits.numpy().astype(np.float64), target.numpy()
    if logits.shape[1] == 1:
        channels = [(1 / (1 + np.exp(-logits[:, 0])), target == 1)]
    else:
        exponents = np.exp(logits - logits.max(1, keepdims=True))
        probs = exponents / exponents.sum(1, keepdims=True)
        channels = [(probs[:, c], target == c) for c in range(1, logits.shape[1])]
    scores = []
    for probs, truth in channels:
        ignored = target == 255
        if pooled:
            scores.append(_reference_dice(probs, truth, smooth=smooth, ignored=ignored))
        else:
            scores += [
                _reference_dice(p, t, smooth=smooth, ignored=v)
                for p, t, v in zip(probs, truth, ignored, strict=True)
            ]
    return 1 - np.mean(scores)


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("smooth", [1.0, 0.01, 100.0])
@pytest.mark.parametrize("ignored", [0.0, 0.3])
def test_agrees_with_loops_over_pixels(channels, pooled, smooth, ignored):
    g = torch.Generator().manual_seed(channels)
    logits = 3 * torch.randn(3, channels, 5, 6, generator=g)
    target = torch.randint(0, max(2, channels), (3, 5, 6), generator=g)
    target[1] = 0  # an empty image among the others
    target[torch.rand(target.shape, generator=g) < ignored] = 255
    value = DiceLoss(smooth=smooth, pooled=pooled)(logits, target).item()
    expected = _reference_loss(logits, target, smooth=smooth, pooled=pooled)
    assert value == pytest.approx(expected, rel=1e-5)


def test_a_value_worked_out_by_hand():
    probs = torch.tensor([[[[0.5, 1.0], [0.0, 0.25]]]])
    target = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
    valid = torch.ones(1, 1, 2, 2, dtype=torch.bool)
    dice = soft_dice(probs, target, valid, smooth=1.0)
    assert dice.item() == pytest.approx((2 * 1.5 + 1) / (1.75 + 2 + 1))


def test_shapes_are_by_image_and_class_or_by_class():
    probs = torch.rand(3, 2, 4, 4)
    valid = torch.ones(3, 1, 4, 4, dtype=torch.bool)
    assert soft_dice(probs, probs.round(), valid).shape == (3, 2)
    assert soft_dice(probs, probs.round(), valid, pooled=True).shape == (2,)


def test_soft_dice_is_symmetric_in_its_two_masks():
    a, b = torch.rand(2, 3, 4, 5), torch.rand(2, 3, 4, 5)
    valid = torch.rand(2, 1, 4, 5) < 0.8
    for pooled in (False, True):
        torch.testing.assert_close(
            soft_dice(a, b, valid, pooled=pooled), soft_dice(b, a, valid, pooled=pooled)
        )


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_perfect_is_zero_and_inverted_is_one(pooled, channels):
    target = torch.zeros(2, 32, 32, dtype=torch.long)
    target[:, :16] = 1
    if channels == 3:
        target[:, 8:16] = 2
    if channels == 1:
        logits = (target.unsqueeze(1).float() - 0.5) * 200
        wrong = -logits
    else:
        logits = 100 * torch.nn.functional.one_hot(target, channels).movedim(-1, 1).float()
        wrong = logits.roll(1, dims=1)
    loss = DiceLoss(pooled=pooled)
    assert loss(logits, target).item() == pytest.approx(0, abs=1e-6)
    assert loss(wrong, target).item() == pytest.approx(1, abs=0.005)  # smooth is 1 pixel of 512


@pytest.mark.parametrize("pooled", [False, True])
def test_empty_mask_predicted_empty_costs_nothing(pooled):
    logits = torch.full((2, 1, 8, 8), -100.0)
    loss = DiceLoss(pooled=pooled)(logits, torch.zeros(2, 8, 8, dtype=torch.long))
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_empty_mask_with_a_false_alarm_costs_nearly_everything():
    logits = torch.full((1, 1, 8, 8), 100.0)
    loss = DiceLoss()(logits, torch.zeros(1, 8, 8, dtype=torch.long))
    assert loss.item() == pytest.approx(1 - 1 / 65)


def test_background_is_no_class_of_the_mean():
    target = torch.zeros(1, 10, 10, dtype=torch.long)
    target[0, :2] = 1
    logits = torch.zeros(1, 3, 10, 10)
    logits[:, 0] = 50  # everything called background: 80 % of the pixels are right
    value = DiceLoss(smooth=1e-6)(logits, target).item()
    assert value == pytest.approx((1 + 0) / 2, abs=1e-3)  # class 1 missed, class 2 rightly empty


def test_two_channels_score_like_the_sigmoid_of_their_difference():
    logits = torch.randn(2, 2, 6, 6)
    target = torch.randint(0, 2, (2, 6, 6))
    single = (logits[:, 1] - logits[:, 0]).unsqueeze(1)
    assert DiceLoss()(logits, target).item() == pytest.approx(DiceLoss()(single, target).item())


def test_the_mean_over_images_is_the_same_for_every_batch_size_and_the_pool_is_not():
    target = torch.zeros(6, 5, 5, dtype=torch.long)
    target[:3, 1:4, 1:4] = 1  # three images with foreground, three without
    logits = 6.0 * target.unsqueeze(1) - 3 + torch.rand(6, 1, 5, 5)
    loss, pool = DiceLoss(), DiceLoss(pooled=True)
    one_by_one = [loss(logits[i : i + 1], target[i : i + 1]).item() for i in range(6)]
    assert loss(logits, target).item() == pytest.approx(np.mean(one_by_one), rel=1e-5)
    pooled_one_by_one = [pool(logits[i : i + 1], target[i : i + 1]).item() for i in range(6)]
    assert pool(logits, target).item() != pytest.approx(np.mean(pooled_one_by_one), rel=0.05)


def test_the_gradient_is_that_of_finite_differences():
    probs = torch.rand(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 2, (2, 2, 3, 3)).double()
    valid = torch.rand(2, 1, 3, 3) < 0.8
    for pooled in (False, True):
        assert torch.autograd.gradcheck(
            lambda p, pooled=pooled: soft_dice(p, target, valid, pooled=pooled), probs
        )


@pytest.mark.parametrize("smooth", [0.0, -1.0, float("nan")])
def test_smooth_that_is_not_above_zero_is_refused(smooth):
    with pytest.raises(ValueError, match=r"loss\.smooth"):
        DiceLoss(smooth=smooth)
