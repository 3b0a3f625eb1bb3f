"""Groups of weights: which rate and which decay each has, under every schedule."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau

from seg.losses.bce import BCELoss
from seg.models.lite_unet import LiteUNet
from seg.models.resenc_unet import ResEncUNet
from seg.training.parameter_groups import build_optimizer, encoder_parts, require_encoder
from seg.training.schedules import cosine, poly
from seg.training.stages import Stage, configure

ADAMW = partial(torch.optim.AdamW, lr=0.1, weight_decay=0.3)


class Small(nn.Module):
    """An encoder, a decoder, and what joins them."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
        self.decoder = nn.Sequential(nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2))
        self.head = nn.Conv2d(2, 1, 1)


def _by_name(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, tuple]:
    """Rate and decay of each weight."""
    names = {id(p): name for name, p in model.named_parameters()}
    pairs = [(g["lr"], g["weight_decay"], p) for g in optimizer.param_groups for p in g["params"]]
    assert len(pairs) == len(names)
    return {names[id(p)]: (rate, decay) for rate, decay, p in pairs}


def test_neither_asked_for_is_the_optimizer_as_it_was() -> None:
    model = Small()
    (group,) = build_optimizer(ADAMW, model).param_groups
    assert all(a is b for a, b in zip(group["params"], model.parameters(), strict=True))
    assert (group["lr"], group["weight_decay"]) == (0.1, 0.3)
    assert "lr_scale" not in group


@pytest.mark.parametrize("scale", [1.0, 0.1])
@pytest.mark.parametrize("decays", [True, False])
def test_each_weight_has_its_rate_and_its_decay(scale: float, decays: bool) -> None:
    model = Small()
    optimizer = build_optimizer(ADAMW, model, encoder_lr_scale=scale, decay_norms_and_biases=decays)
    for name, (rate, decay) in _by_name(model, optimizer).items():
        assert rate == pytest.approx(0.1 * scale if name.startswith("encoder") else 0.1), name
        is_kernel = name in ("encoder.0.weight", "decoder.0.weight", "head.weight")
        assert decay == (0.3 if decays or is_kernel else 0), name
    assert optimizer.param_groups[0]["lr"] == 0.1  # what the log shows


def test_norms_and_biases_without_a_gradient_stay_and_kernels_shrink() -> None:
    model = Small()
    optimizer = build_optimizer(ADAMW, model, decay_norms_and_biases=False)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    for name, p in model.named_parameters():
        expected = before[name] * (1 - 0.1 * 0.3 if p.ndim > 1 else 1)
        torch.testing.assert_close(p.detach(), expected)


@pytest.mark.parametrize(
    "scheduler",
    [
        partial(cosine, warmup=0.2, final=0.05),
        partial(poly, power=0.9),
        partial(OneCycleLR, max_lr=0.1, pct_start=0.3),
        partial(ReduceLROnPlateau, mode="max", patience=0),
    ],
    ids=["cosine", "poly", "onecycle", "plateau"],
)
def test_a_schedule_keeps_the_ratio_and_the_main_rate(scheduler: partial) -> None:
    def rates(scale: float) -> list[list[float]]:
        stage = Stage(
            name="main", loss=BCELoss(), optimizer=ADAMW, scheduler=scheduler, epochs=4,
            encoder_lr_scale=scale,
        )  # fmt: skip
        made = configure(stage, Small(), 5, "val/dice")
        optimizer, schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]
        seen = []
        for _ in range(20):
            seen.append([group["lr"] for group in optimizer.param_groups])
            optimizer.step()
            schedule.step(*[0.0] * isinstance(schedule, ReduceLROnPlateau))
        return seen

    plain, scaled = rates(1.0), rates(0.25)
    assert len({rate for (rate,) in plain}) > 3
    for (rate,), (main, encoder) in zip(plain, scaled, strict=True):
        assert main == pytest.approx(rate)
        if rate > 1e-6:  # a plateau lowers no rate by less than 1e-8
            assert encoder == pytest.approx(0.25 * rate)


def test_an_encoder_is_found_with_the_stem_before_it_or_refused() -> None:
    lite = LiteUNet(in_channels=3, out_channels=1)
    assert encoder_parts(lite) == [lite.encoder]
    resenc = ResEncUNet(in_channels=3, out_channels=1, width=2, blocks=[1, 1])
    assert encoder_parts(resenc) == [resenc.stem, resenc.encoder]
    with pytest.raises(ValueError, match=r"^model\.key=1: Linear has no part .* encoder"):
        require_encoder(nn.Linear(1, 1), "model.key=1")
