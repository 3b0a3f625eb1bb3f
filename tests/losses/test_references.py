"""Our losses beside those of MONAI and segmentation_models_pytorch, where these are installed."""

from typing import Any

import pytest
import torch

from seg.losses.cldice import CLDiceLoss
from seg.losses.dice import DiceLoss
from seg.losses.focal import FocalLoss
from seg.losses.jaccard import JaccardLoss
from seg.losses.lovasz import LovaszLoss
from seg.losses.target import one_hot
from seg.losses.tversky import TverskyLoss


@pytest.fixture(scope="module")
def monai() -> Any:
    return pytest.importorskip("monai.losses", reason="needs monai", exc_type=ImportError)


@pytest.fixture(scope="module")
def smp() -> Any:
    name = "segmentation_models_pytorch.losses"
    return pytest.importorskip(name, reason=f"needs {name}", exc_type=ImportError)


def _batch(channels: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """logits, target (N, H, W), and the target as planes."""
    g = torch.Generator().manual_seed(channels)
    logits = 2 * torch.randn(3, channels, 12, 14, generator=g)
    target = torch.randint(0, max(2, channels), (3, 12, 14), generator=g)
    target[1] = 0  # an empty mask
    return logits, target, one_hot(target, channels)


def _assert_same(ours: Any, theirs: Any, logits: torch.Tensor, *targets: torch.Tensor) -> None:
    """The same value and gradient."""
    a, b = (logits.clone().requires_grad_() for _ in range(2))
    value, expected = ours(a, targets[0]), theirs(b, targets[-1])
    value.backward()
    expected.backward()
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("pooled", [False, True])
def test_regions_agree_with_monai(monai: Any, channels: int, pooled: bool) -> None:
    logits, target, planes = _batch(channels)
    options = {"sigmoid": channels == 1, "softmax": channels > 1, "batch": pooled}
    options["include_background"] = channels == 1
    smooth = {"smooth_nr": 1.0, "smooth_dr": 1.0}
    theirs = monai.DiceLoss(**options, **smooth)
    _assert_same(DiceLoss(pooled=pooled), theirs, logits, target, planes)
    theirs = monai.DiceLoss(jaccard=True, **options, **smooth)
    _assert_same(JaccardLoss(smooth=0.5, pooled=pooled), theirs, logits, target, planes)
    theirs = monai.TverskyLoss(alpha=0.2, beta=0.9, **options, **smooth)
    ours = TverskyLoss(alpha=0.2, beta=0.9, pooled=pooled)
    _assert_same(ours, theirs, logits, target, planes)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
@pytest.mark.parametrize("channels", [1, 4])
def test_focal_agrees_with_monai(monai: Any, channels: int, gamma: float) -> None:
    logits, target, planes = _batch(channels)
    theirs = monai.FocalLoss(gamma=gamma, use_softmax=channels > 1)
    # their mean is over pixels and classes
    _assert_same(
        FocalLoss(gamma=gamma), lambda z, t: channels * theirs(z, t), logits, target, planes
    )


@pytest.mark.parametrize("iterations", [1, 4])
def test_cldice_agrees_with_monai(monai: Any, iterations: int) -> None:
    logits, target, planes = _batch(1)
    theirs = monai.SoftclDiceLoss(iter_=iterations, smooth=1e-8, sigmoid=True)
    _assert_same(CLDiceLoss(iterations=iterations), theirs, logits, target, planes)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("pooled", [False, True])
def test_lovasz_agrees_with_smp(smp: Any, channels: int, pooled: bool) -> None:
    logits, target, _ = _batch(channels)
    target[2, :4] = 255
    theirs = smp.LovaszLoss(
        "binary" if channels == 1 else "multiclass", per_image=not pooled, ignore_index=255
    )
    _assert_same(LovaszLoss(pooled=pooled), theirs, logits, target)


@pytest.mark.parametrize("channels", [1, 4])
def test_tversky_agrees_with_smp(smp: Any, channels: int) -> None:
    logits, target, _ = _batch(channels)
    mode, classes = ("binary", None) if channels == 1 else ("multiclass", [1, 2, 3])
    theirs = smp.TverskyLoss(mode, classes=classes, alpha=0.2, beta=0.9, smooth=1.0)
    ours = TverskyLoss(alpha=0.2, beta=0.9, pooled=True)
    _assert_same(ours, theirs, logits, target)
