"""An encoder that is frozen for some epochs: what stands still, what moves, and when."""

from pathlib import Path

import pytest
import torch

from seg.train import train
from seg.training.epoch_log import EpochLog
from tests.resume.trained import configured

pytestmark = pytest.mark.usefixtures("without_pictures")

STEPS = "dataset.batch_size=4"


def without_model(options: list[str]) -> list[str]:
    return [o for o in options if not o.startswith("model.")]


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, torch.Tensor]]:
    """The network's state at the start of each epoch."""
    seen = []
    original = EpochLog.on_train_epoch_start

    def spy(self, trainer, pl_module) -> None:
        seen.append({k: v.clone() for k, v in pl_module.model.state_dict().items()})
        original(self, trainer, pl_module)

    monkeypatch.setattr(EpochLog, "on_train_epoch_start", spy)
    return seen


def moved(before: dict, after: dict) -> set[str]:
    return {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])}


@pytest.mark.parametrize(
    "more",
    [
        ["model=lite_unet", "model.weights=null"],
        pytest.param(
            ["model=lite_unet", "model.weights=null", "scheduler=onecycle", "ema.decay=0.9",
             "trainer.gradient_clip_val=1", "optimizer.encoder_lr_scale=0.5"],
            marks=pytest.mark.slow,
        ),
        ["model=resenc_unet", "model.width=4", "model.blocks=[1,1,1]"],
    ],
    ids=["lite", "lite-more", "resenc"],
)  # fmt: skip
def test_the_encoder_stands_still_statistics_included_then_moves(
    tmp_path: Path, tiny: list[str], states: list[dict], more: list[str]
) -> None:
    options = [*more[:1], *without_model(tiny), *more[1:], "trainer.max_epochs=4", STEPS]
    options += ["panels_every=1"]  # they turn the network to eval mode and back
    train(configured([*options, "model.freeze_encoder_epochs=2"], tmp_path))
    encoder = {"encoder", "stem"}
    others = {key.split(".")[0] for key in states[0]} - encoder
    assert others >= {"decoder", "head"}
    assert moved(states[0], states[1]) == others
    assert moved(states[1], states[2]) == others
    assert moved(states[2], states[3]) >= others | {"encoder"}


@pytest.mark.parametrize("key", ["+model.freeze_encoder_epochs=2", "optimizer.encoder_lr_scale=.1"])
def test_a_network_without_an_encoder_is_refused_before_its_data_are_read(
    tmp_path: Path, tiny: list[str], key: str
) -> None:
    with pytest.raises(ValueError, match=r"encoder.*: UNet has no part") as caught:
        train(configured([*tiny, key], tmp_path))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*-*"))
