"""Weights of classes: their rule for every loss, and those that are computed."""

import pytest
import torch

from seg.losses.bce import BCELoss
from seg.losses.boundary import BoundaryLoss
from seg.losses.ce import CELoss
from seg.losses.class_weights import ClassWeights, median_frequency
from seg.losses.cldice import CLDiceLoss
from seg.losses.dice import DiceLoss
from seg.losses.focal import FocalLoss
from seg.losses.focal_tversky import FocalTverskyLoss
from seg.losses.jaccard import JaccardLoss
from seg.losses.lovasz import LovaszLoss
from seg.losses.topk_ce import TopKCELoss
from seg.losses.tversky import TverskyLoss

LOSSES = (
    BCELoss, BoundaryLoss, CELoss, CLDiceLoss, DiceLoss, FocalLoss, FocalTverskyLoss, JaccardLoss,
    LovaszLoss, TopKCELoss, TverskyLoss,
)  # fmt: skip
every_loss = pytest.mark.parametrize("loss", LOSSES)
OF_PIXELS = (CELoss, FocalLoss, TopKCELoss)


def _batch(channels, *, overlap=False, ignored=0.2, seed=0):
    g = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(3, channels, 9, 10, generator=g)
    shape = (3, channels, 9, 10) if overlap else (3, 9, 10)
    target = torch.randint(0, 2 if overlap else max(2, channels), shape, generator=g)
    return logits, target.masked_fill(torch.rand(shape, generator=g) < ignored, 255)


FORMS = [(1, False, 2), (3, False, 3), (3, True, 3)]  # channels, overlap, number of weights


@every_loss
@pytest.mark.parametrize(("channels", "overlap", "count"), FORMS)
def test_every_loss_takes_a_weight_for_each_class_whose_scale_does_not_matter(
    loss, channels, overlap, count
):
    if loss is CELoss and overlap:
        pytest.skip("cross-entropy is of classes of which each pixel has one")
    logits, target = _batch(channels, overlap=overlap)
    logits.requires_grad_()
    weights = [1.0, 5.0, 2.0][:count]
    value = loss(class_weights=weights)(logits, target)
    value.backward()
    assert torch.isfinite(logits.grad).all()
    assert not logits.grad[(target == 255).unsqueeze(1).expand_as(logits)
                           if not overlap else target == 255].any()  # fmt: skip
    twice = loss(class_weights=[2 * w for w in weights])
    if loss is not TopKCELoss:  # whose hardest pixels are the same
        assert twice(logits, target).item() == pytest.approx(value.item(), rel=1e-5)
    equal = loss(class_weights=[1.0] * count)(logits, target).item()
    assert equal != pytest.approx(value.item(), rel=1e-3)
    for wrong in (weights[:-1], [*weights, 1.0]):
        with pytest.raises(ValueError, match=f"has {len(wrong)} entries for {count}"):
            loss(class_weights=wrong)(logits, target)


@every_loss
@pytest.mark.parametrize("fill", [0, 255])
@pytest.mark.parametrize(("channels", "overlap", "count"), FORMS)
def test_a_class_that_is_absent_or_without_weight_gives_finite_values(
    loss, fill, channels, overlap, count
):
    if loss is CELoss and overlap:
        pytest.skip("cross-entropy is of classes of which each pixel has one")
    logits, target = _batch(channels, overlap=overlap)
    logits.requires_grad_()
    value = loss(class_weights=[0.0, 1.0, 0.0][:count])(logits, torch.full_like(target, fill))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


@every_loss
def test_classes_that_change_places_with_their_weights_change_nothing(loss):
    logits, target = _batch(3)
    order = torch.tensor([2, 0, 1])
    weights = torch.tensor([1.0, 5.0, 2.0])
    value = loss(class_weights=weights.tolist())(logits, target).item()
    place = order.argsort()
    moved = torch.where(target == 255, target, place[target.clamp(max=2)])
    other = loss(class_weights=weights[order].tolist())(logits[:, order], moved).item()
    assert other == pytest.approx(value, rel=1e-4)


@every_loss
def test_a_weight_of_the_foreground_alone_is_none_at_all(loss):
    if loss in (*OF_PIXELS, BCELoss):
        pytest.skip("a pixel of the background has its weight")
    logits, target = _batch(1)
    weighted = loss(class_weights=[0, 3])(logits, target).item()
    assert weighted == pytest.approx(loss()(logits, target).item(), rel=1e-5)


@pytest.mark.parametrize("weights", [[1.0, 5.0, 2.0]])
def test_binary_cross_entropies_of_several_classes_are_weighed_by_channel(weights):
    logits, target = _batch(3)
    each = [BCELoss(class_weights=w)(logits, target) for w in torch.eye(3).tolist()]
    value = BCELoss(class_weights=weights)(logits, target)
    torch.testing.assert_close(value, (each[0] + 5 * each[1] + 2 * each[2]) / 8)


@pytest.mark.parametrize("values", [[-1, 1], [0, 0], [float("nan"), 1]])
def test_weights_that_are_none_are_refused(values):
    with pytest.raises(ValueError, match=r"loss\.class_weights="):
        ClassWeights(values)


def test_weights_to_be_computed_are_awaited_and_kept_in_the_state():
    loss = FocalLoss(class_weights="auto")
    logits, target = _batch(1)
    with pytest.raises(ValueError, match="auto"):
        loss(logits, target)
    loss.class_weights.fill([0.5, 3.0])
    value = loss(logits, target)
    assert loss.state_dict()["class_weights.values"].tolist() == [0.5, 3.0]
    again = FocalLoss(class_weights="auto")
    again.class_weights.fill([1.0, 1.0])
    again.load_state_dict(loss.state_dict())
    assert again(logits, target).item() == value.item()
    assert FocalLoss(class_weights=[1, 2]).state_dict() == {}


def test_the_median_class_weighs_one_and_a_rare_one_more():
    assert median_frequency([0.8, 0.2, 0.1]) == pytest.approx([0.25, 1.0, 2.0])
    assert median_frequency([0.9, 0.1]) == pytest.approx([0.5 / 0.9, 5.0])
    assert median_frequency([0.9, 0.0, 0.1])[1] == 1.0
    assert median_frequency([0.0, 0.0]) == [1.0, 1.0]
