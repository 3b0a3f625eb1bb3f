"""clDice against its algorithm in NumPy, and what it is for: broken and thick lines."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from seg.losses.cldice import CLDiceLoss, soft_cldice, soft_skeleton
from seg.losses.dice import DiceLoss

CROSS = ndimage.generate_binary_structure(2, 1)


def _eroded(mask):
    return ndimage.grey_erosion(mask, footprint=CROSS, mode="nearest")


def _opened(mask):
    return ndimage.grey_dilation(_eroded(mask), size=(3, 3), mode="nearest")


def _reference_skeleton(mask, iterations):
    """Algorithm 1, by scipy's grey morphology."""
    skeleton = np.maximum(mask - _opened(mask), 0)
    for _ in range(iterations):
        mask = _eroded(mask)
        skeleton = skeleton + (1 - skeleton) * np.maximum(mask - _opened(mask), 0)
    return skeleton


def _reference_cldice(probs, target, *, iterations, smooth):
    line, true_line = (_reference_skeleton(m, iterations) for m in (probs, target))
    precision = ((line * target).sum() + smooth) / (line.sum() + smooth)
    sensitivity = ((true_line * probs).sum() + smooth) / (true_line.sum() + smooth)
    return 2 * precision * sensitivity / (precision + sensitivity)


def _soft_masks():
    rng = np.random.default_rng(0)
    masks = ndimage.gaussian_filter(rng.random((2, 24, 30)), (0, 2, 2))
    masks = (masks - masks.min()) / (masks.max() - masks.min())
    return masks, (masks[::-1] > 0.55).astype(float)


@pytest.mark.parametrize("iterations", [1, 3, 8])
def test_agrees_with_greyscale_morphology(iterations):
    probs, target = _soft_masks()
    skeleton = soft_skeleton(torch.from_numpy(probs)[None], iterations)[0].numpy()
    for one, expected in zip(skeleton, probs, strict=True):
        np.testing.assert_allclose(one, _reference_skeleton(expected, iterations), atol=1e-6)
    options = {"iterations": iterations, "smooth": 1.0}
    a, b = (torch.from_numpy(x.copy())[None] for x in (probs, target))
    value = soft_cldice(a, b, torch.ones(1, 1, 24, 30).bool(), **options)
    expected = [_reference_cldice(p, t, **options) for p, t in zip(probs, target, strict=True)]
    assert value[0].tolist() == pytest.approx(expected, rel=1e-5)


def _line(width):
    target = torch.zeros(1, 40, 40, dtype=torch.long)
    target[0, 20 - width // 2 : 21 + width // 2, 2:38] = 1
    return target


def _decided(mask):
    return (mask.unsqueeze(1).float() - 0.5) * 60


def test_a_gap_costs_more_than_as_many_pixels_at_the_rim():
    target = _line(5)
    gap, thin = target.clone(), target.clone()
    gap[0, :, 18:22] = 0  # 20 pixels
    thin[0, 18, 2:22] = 0  # 20 pixels of the rim
    cldice, dice = CLDiceLoss(iterations=4), DiceLoss()
    assert cldice(_decided(gap), target) > 3 * cldice(_decided(thin), target)
    assert dice(_decided(gap), target).item() == pytest.approx(
        dice(_decided(thin), target).item(), rel=1e-4
    )


def test_a_line_of_another_width_costs_nearly_nothing():
    """So it is a term beside another loss."""
    assert CLDiceLoss(iterations=4)(_decided(_line(3)), _line(5)).item() < 0.05


def test_a_pixel_that_is_ignored_is_background():
    target = _line(5)
    target[0, :, 18:22] = 255
    empty = target.clone()
    empty[target == 255] = 0
    loss = CLDiceLoss(iterations=4)
    assert loss(_decided(_line(5)), target).item() == loss(_decided(empty), empty).item()


def test_the_gradient_is_that_of_finite_differences():
    probs = torch.from_numpy(_soft_masks()[0][:, :7, :8].copy())[None].requires_grad_()
    target = torch.from_numpy(_soft_masks()[1][:, :7, :8].copy())[None]
    valid = torch.rand(1, 1, 7, 8) < 0.9
    assert torch.autograd.gradcheck(
        lambda p: soft_cldice(p, target, valid, iterations=2), probs, eps=1e-8, atol=1e-4
    )


@pytest.mark.parametrize("keys", [{"iterations": 0}, {"smooth": 0}])
def test_values_that_are_none_are_refused(keys):
    with pytest.raises(ValueError, match=r"loss\."):
        CLDiceLoss(**keys)
