"""The Lovász losses against the paper's algorithm in loops, and against the Jaccard index."""

import numpy as np
import pytest
import torch

from seg.losses.lovasz import LovaszLoss, lovasz_extension


def _jaccard_loss(truth, wrong):
    """1 - Jaccard index of a mask whose pixels `wrong` are predicted wrongly."""
    predicted = truth ^ wrong
    union = (truth | predicted).sum()
    return 0.0 if not union else 1 - (truth & predicted).sum() / union


def _reference_extension(errors, truth):
    """Definition 2: by descending errors, each times what its pixel adds to the Jaccard loss."""
    total, before, wrong = 0.0, 0.0, np.zeros(truth.shape, bool)
    for index in np.argsort(-errors, kind="stable"):
        wrong[index] = True
        after = _jaccard_loss(truth, wrong)
        total += max(errors[index], 0) * (after - before)
        before = after
    return total


def _reference_softmax(probs, target):
    """(C, P) and (P,): the mean over the classes that are there."""
    valid = target != 255
    values = []
    for c, p in enumerate(probs):
        truth = target[valid] == c
        if truth.any():
            values.append(_reference_extension(np.abs(truth - p[valid]), truth))
    return np.mean(values) if values else 0.0


@pytest.mark.parametrize("ignored", [0.0, 0.4])
@pytest.mark.parametrize("pooled", [False, True])
def test_the_softmax_agrees_with_loops(ignored, pooled):
    g = torch.Generator().manual_seed(7)
    logits = 2 * torch.randn(3, 4, 4, 5, generator=g)
    target = torch.randint(0, 4, (3, 4, 5), generator=g)
    target[0][target[0] == 2] = 1  # a class that one image lacks
    target[torch.rand(target.shape, generator=g) < ignored] = 255
    probs = logits.softmax(1).double().numpy()
    if pooled:
        expected = _reference_softmax(
            np.moveaxis(probs, 1, 0).reshape(4, -1), target.numpy().ravel()
        )
    else:
        pairs = zip(probs.reshape(3, 4, -1), target.numpy().reshape(3, -1), strict=True)
        expected = np.mean([_reference_softmax(*pair) for pair in pairs])
    value = LovaszLoss(pooled=pooled)(logits, target).item()
    assert value == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("ignored", [0.0, 0.4])
def test_the_hinge_agrees_with_loops(ignored):
    g = torch.Generator().manual_seed(8)
    logits = 2 * torch.randn(3, 1, 4, 5, generator=g)
    target = torch.randint(0, 2, (3, 4, 5), generator=g)
    target[1] = 0  # an empty mask
    target[torch.rand(target.shape, generator=g) < ignored] = 255
    values = []
    for z, t in zip(logits.double().numpy(), target.numpy(), strict=True):
        valid = t != 255
        truth = t[valid] == 1
        values.append(_reference_extension(1 - z[0][valid] * (2 * truth - 1), truth))
    assert LovaszLoss()(logits, target).item() == pytest.approx(np.mean(values), rel=1e-5)


def test_errors_of_zero_and_one_give_the_jaccard_loss():
    """The extension equals the Jaccard loss where the prediction is a mask."""
    g = torch.Generator().manual_seed(9)
    truth = torch.rand(40, generator=g) < 0.4
    predicted = torch.rand(40, generator=g) < 0.5
    value = lovasz_extension((truth != predicted).float(), truth, torch.ones(40).bool())
    iou = (truth & predicted).sum() / (truth | predicted).sum()
    assert value.item() == pytest.approx(1 - iou.item(), rel=1e-5)


def test_an_empty_mask_costs_its_largest_error():
    logits = torch.tensor([[[[-3.0, 0.5, -0.5]]]])
    value = LovaszLoss()(logits, torch.zeros(1, 1, 3, dtype=torch.long))
    assert value.item() == pytest.approx(1.5)


def test_classes_that_change_places_change_nothing():
    logits, target = torch.randn(2, 4, 5, 5), torch.randint(0, 4, (2, 5, 5))
    order = torch.tensor([2, 0, 3, 1])  # channel k is now class order[k]
    value = LovaszLoss()(logits, target).item()
    place = order.argsort()
    assert LovaszLoss()(logits[:, order], place[target]).item() == pytest.approx(value, rel=1e-5)


def test_weights_count_classes_that_an_image_has():
    logits, target = torch.randn(1, 3, 5, 5), torch.randint(0, 2, (1, 5, 5))  # no third class
    each = [LovaszLoss(class_weights=w)(logits, target) for w in ([1, 0, 0], [0, 1, 0])]
    value = LovaszLoss(class_weights=[1, 3, 9])(logits, target)
    torch.testing.assert_close(value, (each[0] + 3 * each[1]) / 4)


def test_a_weight_of_the_background_adds_its_hinge():
    logits, target = torch.randn(2, 1, 5, 5), torch.randint(0, 2, (2, 5, 5))
    value = LovaszLoss(class_weights=[1, 3])(logits, target)
    other = LovaszLoss()(-logits, 1 - target)
    torch.testing.assert_close(value, (other + 3 * LovaszLoss()(logits, target)) / 4)


def test_the_gradient_is_that_of_finite_differences():
    errors = torch.rand(2, 12, dtype=torch.float64, requires_grad=True)
    truth, valid = torch.rand(2, 12) < 0.4, torch.rand(2, 12) < 0.8
    assert torch.autograd.gradcheck(lambda e: lovasz_extension(e, truth, valid), errors)
