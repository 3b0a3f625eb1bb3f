"""What losses read from the target, and every loss against what holds for all of them."""

import pytest
import torch

from seg.losses.bce import BCELoss
from seg.losses.boundary import BoundaryLoss
from seg.losses.ce import CELoss
from seg.losses.cldice import CLDiceLoss
from seg.losses.dice import DiceLoss
from seg.losses.focal import FocalLoss
from seg.losses.focal_tversky import FocalTverskyLoss
from seg.losses.jaccard import JaccardLoss
from seg.losses.lovasz import LovaszLoss
from seg.losses.target import one_hot, probabilities, valid_pixels
from seg.losses.topk_ce import TopKCELoss
from seg.losses.tversky import TverskyLoss
from seg.losses.weighted_sum import WeightedSum

LOSSES = {
    "bce": BCELoss(),
    "bce_weighted": BCELoss(pos_weight=3.0),
    "ce": CELoss(),
    "dice": DiceLoss(),
    "dice_pooled": DiceLoss(pooled=True),
    "bce_dice": WeightedSum(losses=[BCELoss(), DiceLoss()], weights=[1.0, 0.5]),
    "focal": FocalLoss(),
    "focal_half": FocalLoss(gamma=0.5),
    "topk_ce": TopKCELoss(share=0.4),
    "tversky": TverskyLoss(),
    "focal_tversky": FocalTverskyLoss(),
    "focal_tversky_pooled": FocalTverskyLoss(pooled=True),
    "jaccard": JaccardLoss(),
    "lovasz": LovaszLoss(),
    "lovasz_pooled": LovaszLoss(pooled=True),
    # as the papers do: neither says all of a mask by itself
    "boundary": WeightedSum(terms={"dice": DiceLoss(), "boundary": BoundaryLoss()}),
    "cldice": WeightedSum(terms={"dice": DiceLoss(), "cldice": CLDiceLoss(iterations=2)}),
}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
every_head = pytest.mark.parametrize("channels", [1, 3])


def _batch(channels, *, ignored=0.0, seed=0):
    """logits (3, C, 6, 7) and target (3, 6, 7), a share of it ignored."""
    g = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(3, channels, 6, 7, generator=g)
    target = torch.randint(0, max(2, channels), (3, 6, 7), generator=g)
    return logits, target.masked_fill(torch.rand(3, 6, 7, generator=g) < ignored, 255)


def test_only_255_is_ignored():
    target = torch.tensor([[[0, 1], [254, 255]]])
    assert valid_pixels(target).tolist() == [[[[True, True], [True, False]]]]


def test_one_channel_holds_the_foreground_alone():
    target = torch.tensor([[[0, 1], [1, 255]]])
    truth = one_hot(target, 1)
    assert truth.shape == (1, 1, 2, 2)
    assert truth.dtype == torch.float32
    assert truth[0, 0].tolist() == [[0, 1], [1, 0]]


def test_several_channels_hold_every_class_with_background_first():
    target = torch.tensor([[[0, 1, 2], [2, 255, 0]]])
    truth = one_hot(target, 3)
    assert truth.shape == (1, 3, 2, 3)
    for index in range(3):
        expected = (target[0] == index) | ((target[0] == 255) & (index == 0))
        assert torch.equal(truth[0, index], expected.float())


def test_the_target_itself_is_left_as_it_was():
    target = torch.tensor([[[0, 255]]])
    one_hot(target, 1)
    one_hot(target, 2)
    assert target.tolist() == [[[0, 255]]]


def test_one_channel_is_a_sigmoid_and_several_are_a_softmax():
    assert probabilities(torch.zeros(1, 1, 1, 1)).item() == 0.5
    assert probabilities(torch.full((1, 1, 1, 1), 0.3)).item() == pytest.approx(0.574443, abs=1e-6)
    several = probabilities(torch.tensor([0.0, 1.0, 2.0]).view(1, 3, 1, 1)).flatten()
    assert several.tolist() == pytest.approx([0.0900306, 0.2447285, 0.6652410], abs=1e-6)


def test_probabilities_are_float32_whatever_the_logits_are():
    assert probabilities(torch.zeros(1, 1, 1, 1, dtype=torch.bfloat16)).dtype == torch.float32
    assert probabilities(torch.zeros(1, 2, 1, 1, dtype=torch.float16)).dtype == torch.float32


@every_loss
@every_head
def test_every_loss_is_a_finite_scalar_with_a_gradient(loss, channels):
    logits, target = _batch(channels)
    logits.requires_grad_()
    value = loss(logits, target)
    value.backward()
    assert value.shape == ()
    assert value.item() > 0
    assert torch.isfinite(logits.grad).all()
    assert logits.grad.abs().sum() > 0


@every_loss
@every_head
@pytest.mark.parametrize("fill", [0, 255], ids=["empty", "ignored"])
@pytest.mark.parametrize("size", [-200.0, 0.0, 200.0])
def test_an_empty_or_ignored_mask_gives_finite_values_and_gradients(loss, channels, fill, size):
    logits = torch.full((2, channels, 4, 4), size, requires_grad=True)
    value = loss(logits, torch.full((2, 4, 4), fill))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()
    if fill == 255:
        assert value.item() == 0
        assert logits.grad.abs().sum() == 0


@every_loss
@every_head
def test_ignored_pixels_change_neither_value_nor_gradient(loss, channels):
    logits, target = _batch(channels, ignored=0.4)
    ignored = (target == 255).unsqueeze(1).expand_as(logits)
    other = torch.where(ignored, -7 * logits + 3, logits)
    logits.requires_grad_()
    other.requires_grad_()
    value, same = loss(logits, target), loss(other, target)
    value.backward()
    same.backward()
    assert value.item() == same.item()
    assert logits.grad[ignored].abs().sum() == 0
    assert torch.equal(logits.grad, other.grad)


@every_loss
@every_head
def test_every_loss_is_the_same_when_image_and_mask_are_turned_together(loss, channels):
    logits, target = _batch(channels, ignored=0.1)
    turned = loss(logits.rot90(1, (2, 3)), target.rot90(1, (1, 2)))
    assert turned.item() == pytest.approx(loss(logits, target).item(), rel=1e-5)


@every_loss
@every_head
def test_every_loss_falls_when_the_logits_move_to_the_truth(loss, channels):
    logits, target = _batch(channels)
    step = 2 * one_hot(target, channels) - 1
    values = [loss(logits + s * step, target).item() for s in (0.0, 1.0, 4.0, 20.0)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.05 * values[0]


@every_loss
@every_head
def test_bf16_logits_are_computed_in_float32(loss, channels):
    logits, target = _batch(channels)
    rounded = logits.bfloat16()
    value = loss(rounded, target)
    assert value.dtype == torch.float32
    assert value.item() == loss(rounded.float(), target).item()


@every_loss
def test_training_with_a_loss_alone_finds_the_mask(loss):
    target = torch.zeros(2, 8, 8, dtype=torch.long)
    target[0, 2:5, 1:6] = 1  # the second image is empty
    logits = torch.zeros(2, 1, 8, 8, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.3)
    for _ in range(60):
        optimizer.zero_grad()
        loss(logits, target).backward()
        optimizer.step()
    assert torch.equal((logits[:, 0] > 0).long(), target)


MULTI_LABEL = {
    "bce": BCELoss(),
    "bce_weighted": BCELoss(pos_weight=[3.0, 1.0, 0.5]),
    "dice": DiceLoss(),
    "dice_pooled": DiceLoss(pooled=True),
    "bce_dice": WeightedSum(losses=[BCELoss(pos_weight=2.0), DiceLoss()], weights=[1.0, 0.5]),
} | {name: loss for name, loss in LOSSES.items() if not name.startswith(("bce", "dice", "ce"))}


def _planes(*, ignored: float = 0.3, seed: int = 0):
    """logits (3, 3, 6, 7) and planes of three classes, a share of each ignored."""
    g = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(3, 3, 6, 7, generator=g)
    target = torch.randint(0, 2, (3, 3, 6, 7), generator=g)
    return logits, target.masked_fill(torch.rand(3, 3, 6, 7, generator=g) < ignored, 255)


MEAN_OVER_PIXELS = ("bce", "focal", "focal_half")
OVER_ALL_CLASSES = ("bce_weighted", "bce_dice", "topk_ce")


@pytest.mark.parametrize("name", [n for n in MULTI_LABEL if n not in OVER_ALL_CLASSES])
@pytest.mark.parametrize("ignored", [0.0, 0.3])
def test_classes_that_share_pixels_are_binary_problems(name, ignored):
    """Each channel scores what it would as the single channel of a binary problem."""
    logits, target = _planes(ignored=ignored)
    loss = MULTI_LABEL[name]
    alone = torch.stack([loss(logits[:, k : k + 1], target[:, k]) for k in range(3)])
    counts = (target != 255).sum((0, 2, 3)).float()
    weight = counts if name in MEAN_OVER_PIXELS else torch.ones(3)
    expected = (alone * weight).sum() / weight.sum()
    assert loss(logits, target).item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_sum_and_weights_of_classes_that_share_pixels():
    logits, target = _planes()
    p, valid, y = torch.sigmoid(logits), target != 255, target == 1
    weight = torch.tensor([3.0, 1.0, 0.5])[:, None, None]
    bce = -(weight * y * p.log() + ~y * (1 - p).log())[valid].mean()
    assert MULTI_LABEL["bce_weighted"](logits, target).item() == pytest.approx(bce.item())
    total = BCELoss(pos_weight=2.0)(logits, target) + 0.5 * DiceLoss()(logits, target)
    assert MULTI_LABEL["bce_dice"](logits, target).item() == pytest.approx(total.item())


@pytest.mark.parametrize("name", MULTI_LABEL)
def test_ignored_pixels_of_a_plane_give_no_gradient(name):
    logits, target = _planes()
    logits.requires_grad_()
    MULTI_LABEL[name](logits, target).backward()
    assert not logits.grad[target == 255].any()
    if name not in ("lovasz", "lovasz_pooled", "topk_ce"):
        assert logits.grad[target != 255].abs().min() > 0
    everything = torch.full_like(target, 255)
    assert torch.isfinite(MULTI_LABEL[name](logits, everything))


def test_cross_entropy_and_weights_of_other_classes_are_refused():
    logits, target = _planes()
    with pytest.raises(ValueError, match="loss=bce"):
        CELoss()(logits, target)
    with pytest.raises(ValueError, match="2 entries for 3"):
        BCELoss(pos_weight=[1.0, 2.0])(logits, target)


def test_the_weight_of_the_foreground_is_not_in_the_state():
    """A checkpoint of any version has the same keys."""
    assert BCELoss(pos_weight=3.0).state_dict() == {}
