"""Losses of other libraries are called as ours are: form of the target, ignored pixels, bf16."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seg.losses.dice import DiceLoss
from seg.losses.focal import FocalLoss
from seg.losses.library import Adapted, adapted
from seg.losses.target import one_hot
from seg.losses.weighted_sum import WeightedSum


def _batch(channels, *, overlap=False, ignored=True):
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(2, channels, 20, 22, generator=g)
    shape = (2, channels, 20, 22) if overlap else (2, 20, 22)
    target = torch.randint(0, 2 if overlap else max(2, channels), shape, generator=g)
    if ignored:
        target[..., :5] = 255
    return logits, target


def _library(name: str) -> Any:
    return pytest.importorskip(f"{name}.losses", reason=f"needs {name}", exc_type=ImportError)


FORMS = {"binary": (1, False), "classes": (3, False), "overlap": (3, True)}
WITH = {  # a library's loss, for which of FORMS
    "CrossEntropyLoss": (lambda c: nn.CrossEntropyLoss(), ["classes"]),
    "CrossEntropyLoss_weight": (
        lambda c: nn.CrossEntropyLoss(weight=torch.tensor([1.0, 5.0, 2.0])), ["classes"]),
    "BCEWithLogitsLoss": (
        lambda c: nn.BCEWithLogitsLoss(pos_weight=torch.arange(1.0, c + 1)), FORMS),
    "monai_DiceFocalLoss": (
        lambda c: _library("monai").DiceFocalLoss(
            sigmoid=c == 1, softmax=c > 1, to_onehot_y=c > 1), ["binary", "classes"]),
    "monai_DiceCELoss": (
        lambda c: _library("monai").DiceCELoss(
            sigmoid=c == 1, softmax=c > 1, to_onehot_y=c > 1), ["binary", "classes"]),
    "monai_DiceLoss": (lambda c: _library("monai").DiceLoss(sigmoid=True), FORMS),
    "smp_DiceLoss": (
        lambda c: _library("segmentation_models_pytorch").DiceLoss(
            "binary" if c == 1 else "multiclass"), ["binary", "classes"]),
    "smp_JaccardLoss": (
        lambda c: _library("segmentation_models_pytorch").JaccardLoss("multilabel"), ["overlap"]),
    "smp_SoftBCEWithLogitsLoss": (
        lambda c: _library("segmentation_models_pytorch").SoftBCEWithLogitsLoss(), FORMS),
}  # fmt: skip
CASES = [(name, form) for name, (_, forms) in WITH.items() for form in forms]


def _made(name: str, form: str) -> tuple[nn.Module, int, bool]:
    channels, overlap = FORMS[form]
    build: Callable[[int], nn.Module] = WITH[name][0]
    return adapted(build(channels), channels=channels, overlap=overlap), channels, overlap


@pytest.mark.parametrize(("name", "form"), CASES)
def test_a_library_loss_ignores_pixels_and_is_finite(name, form):
    loss, channels, overlap = _made(name, form)
    logits, target = _batch(channels, overlap=overlap)
    rounded = logits.bfloat16().requires_grad_()
    value = loss(rounded, target)
    value.backward()
    assert value.dtype == torch.float32
    assert torch.isfinite(rounded.grad).all()
    assert not rounded.grad[..., :5].any()
    assert rounded.grad[..., 5:].abs().sum() > 0
    other = rounded.detach().clone()
    other[..., :5] *= -3
    assert loss(other, target).item() == value.item()
    empty = loss(logits, torch.full_like(target, 255))
    assert empty.item() == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(("name", "form"), CASES)
def test_a_library_loss_learns_the_mask(name, form):
    loss, channels, overlap = _made(name, form)
    _, target = _batch(channels, overlap=overlap, ignored=False)
    logits = torch.zeros(2, channels, 20, 22, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.3)
    for _ in range(40):
        optimizer.zero_grad()
        loss(logits, target).backward()
        optimizer.step()
    if channels > 1 and not overlap:
        assert torch.equal(logits.argmax(1), target)
    else:
        assert torch.equal((logits > 0).long().view_as(target), target)


@pytest.mark.parametrize("weight", [None, [1.0, 5.0, 2.0]])
def test_the_value_is_the_librarys_own_where_nothing_is_ignored(weight):
    weight = None if weight is None else torch.tensor(weight)
    logits, target = _batch(3, ignored=False)
    loss = adapted(nn.CrossEntropyLoss(weight=weight), channels=3, overlap=False)
    torch.testing.assert_close(loss(logits, target), F.cross_entropy(logits, target, weight))


def test_an_ignore_index_of_its_own_leaves_pixels_out_of_the_mean():
    logits, target = _batch(3)
    loss = adapted(nn.CrossEntropyLoss(), channels=3, overlap=False)
    expected = F.cross_entropy(logits, target, ignore_index=255)
    torch.testing.assert_close(loss(logits, target), expected)


def test_a_list_of_weights_counts_by_channel():
    logits, target = _batch(3, overlap=True, ignored=False)
    weight = torch.tensor([1.0, 2.0, 3.0])
    loss = adapted(nn.BCEWithLogitsLoss(pos_weight=weight), channels=3, overlap=True)
    p, y = torch.sigmoid(logits), target.float()
    by_pixel = -(weight[:, None, None] * y * p.log() + (1 - y) * (1 - p).log())
    assert loss(logits, target).item() == pytest.approx(by_pixel.mean().item(), rel=1e-5)


class Contract(nn.Module):
    """As the README tells: 255 is ignored."""

    def forward(self, logits, target):
        loss = F.cross_entropy(logits, target, ignore_index=255, reduction="sum")
        return loss / (target != 255).sum().clamp(min=1)


class Careless(nn.Module):
    """255 is a class."""

    def forward(self, logits, target):
        return F.binary_cross_entropy_with_logits(logits[:, 0], (target > 0).float())


class Penalty(nn.Module):
    """The target does not matter."""

    def forward(self, logits, target):
        return logits.diff(dim=-1).abs().mean()


def test_a_loss_that_keeps_the_contract_stays_as_it_is():
    loss, ours = Contract(), DiceLoss()
    assert adapted(loss, channels=3, overlap=False) is loss
    assert adapted(ours, channels=3, overlap=False) is ours
    assert isinstance(adapted(Penalty(), channels=1, overlap=False), Penalty)


def test_a_loss_that_does_not_know_255_is_kept_from_it():
    loss = adapted(Careless(), channels=1, overlap=False)
    logits, target = _batch(1)
    logits.requires_grad_()
    loss(logits, target).backward()
    assert not logits.grad[..., :5].any()


def test_the_terms_of_a_sum_are_adapted_each():
    terms = {"focal": FocalLoss(), "inner": WeightedSum(terms={"ce": nn.CrossEntropyLoss()})}
    loss = adapted(WeightedSum(terms=terms), channels=3, overlap=False)
    assert isinstance(loss.losses[0], FocalLoss)
    assert isinstance(loss.losses[1].losses[0], Adapted)
    assert math.isfinite(loss(*_batch(3)).item())


class ProbabilityDice(nn.Module):
    """Wants probabilities, as MONAI's DiceLoss without sigmoid."""

    def forward(self, probs, target):
        if probs.shape != target.shape:
            raise AssertionError(f"shapes {tuple(probs.shape)}, {tuple(target.shape)}")
        return 1 - 2 * (probs * target).sum() / (probs.sum() + target.sum() + 1e-5)


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        (nn.CrossEntropyLoss(), "channels"),  # one logit is no class
        (nn.BCEWithLogitsLoss(reduction="none"), "not one number"),
        (ProbabilityDice(), "sigmoid"),
    ],
)
def test_a_loss_that_fits_no_form_is_refused_in_a_line(loss, reason):
    with pytest.raises(ValueError, match=reason) as refused:
        adapted(loss, channels=1, overlap=False)
    assert type(loss).__name__ in str(refused.value)
    assert "\n" not in str(refused.value)


def test_trying_a_loss_draws_no_random_numbers_of_the_run():
    before = torch.random.get_rng_state()
    adapted(nn.CrossEntropyLoss(), channels=3, overlap=False)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_one_hot_is_what_a_loss_of_planes_gets():
    logits, target = _batch(3, ignored=False)
    loss = adapted(nn.BCEWithLogitsLoss(), channels=3, overlap=False)
    expected = F.binary_cross_entropy_with_logits(logits, one_hot(target, 3))
    torch.testing.assert_close(loss(logits, target), expected)
