"""The boundary loss against distances that are measured pixel by pixel."""

import numpy as np
import pytest
import torch

from seg.losses.boundary import BoundaryLoss, boundary_distance, signed_distance


def _reference_distance(mask):
    """To the nearest pixel of the other side; inside 1 less and negative, as the paper's code."""
    distances = np.zeros(mask.shape)
    for y, x in np.ndindex(mask.shape):
        others = np.argwhere(mask != mask[y, x])
        if len(others):
            nearest = np.sqrt(((others - (y, x)) ** 2).sum(1)).min()
            distances[y, x] = 1 - nearest if mask[y, x] else nearest
    return distances


def _mask(seed=0):
    mask = np.zeros((11, 14), bool)
    mask[2:8, 3:9] = True
    mask[9, 12] = True
    return mask


def test_distances_agree_with_loops_over_pixels():
    np.testing.assert_allclose(
        signed_distance(_mask()), _reference_distance(_mask()), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("fill", [False, True])
def test_a_mask_without_a_boundary_has_no_distances(fill):
    assert not signed_distance(np.full((5, 6), fill)).any()


def test_the_loss_agrees_with_loops_over_pixels():
    target = torch.from_numpy(_mask().astype(np.int64))[None]
    target[0, 5, 4:7] = 255
    logits = torch.randn(1, 1, 11, 14, generator=torch.Generator().manual_seed(1))
    truth = target[0].numpy() == 1
    distances = _reference_distance(truth)
    valid = target[0].numpy() != 255
    error = torch.sigmoid(logits)[0, 0].double().numpy() - truth
    expected = (distances * error)[valid].mean()
    assert BoundaryLoss()(logits, target).item() == pytest.approx(expected, rel=1e-4)


def test_a_perfect_mask_costs_nothing_and_a_far_error_more_than_a_near_one():
    target = torch.from_numpy(_mask().astype(np.int64))[None]
    right = (target.unsqueeze(1).float() - 0.5) * 80
    near, far = right.clone(), right.clone()
    near[0, 0, 8, 5] = 40
    far[0, 0, 10, 0] = 40
    loss = BoundaryLoss()
    assert loss(right, target).item() == pytest.approx(0, abs=1e-6)
    assert loss(near, target).item() == pytest.approx(1 / (11 * 14), rel=1e-3)
    assert loss(far, target) > 3 * loss(near, target)


def test_classes_are_averaged_and_weighed():
    logits = torch.randn(2, 3, 11, 14)
    target = torch.from_numpy(_mask().astype(np.int64))[None].repeat(2, 1, 1)
    target[:, :, 6:] *= 2
    each = [BoundaryLoss(class_weights=w)(logits, target) for w in np.eye(3).tolist()]
    torch.testing.assert_close(BoundaryLoss()(logits, target), (each[1] + each[2]) / 2)
    value = BoundaryLoss(class_weights=[1, 0, 3])(logits, target)
    torch.testing.assert_close(value, (each[0] + 3 * each[2]) / 4)


def test_the_gradient_is_that_of_finite_differences():
    probs = torch.rand(1, 1, 11, 14, dtype=torch.float64, requires_grad=True)
    target = torch.from_numpy(_mask())[None, None]
    distances = torch.from_numpy(signed_distance(_mask())).double()[None, None]
    valid = torch.rand(1, 1, 11, 14) < 0.8
    assert torch.autograd.gradcheck(
        lambda p: boundary_distance(p, target.double(), valid, distances), probs
    )
