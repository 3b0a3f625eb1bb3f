"""The moving average of the weights against a plain loop, and where it goes."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from seg.runs.folder import RunFolder
from seg.train import train
from seg.training.checkpoint import model_weights, read
from seg.training.ema import EMA, decay_at
from seg.training.module import SegmentationModule
from tests.resume.trained import configured, only_run

pytestmark = pytest.mark.usefixtures("without_pictures")


def _reference_average(states: list[dict], decay: float) -> dict[str, torch.Tensor]:
    """In double precision; what is counted is copied."""
    average = {name: value.double() for name, value in states[0].items()}
    for update, state in enumerate(states[1:], 1):
        d = min(decay, (1 + update) / (10 + update))
        for name, value in state.items():
            is_count = not value.is_floating_point()
            average[name] = value if is_count else d * average[name] + (1 - d) * value.double()
    return average


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The network's state after each optimizer step."""
    seen: list[dict] = []
    original = EMA.on_train_batch_end

    def spy(self, trainer, pl_module, *args) -> None:
        if trainer.global_step > len(seen):
            seen.append(copy.deepcopy(pl_module.model.state_dict()))
        original(self, trainer, pl_module, *args)

    monkeypatch.setattr(EMA, "on_train_batch_end", spy)
    return seen


def test_the_decay_rises_to_what_was_asked_for() -> None:
    assert decay_at(1, decay=0.999) == pytest.approx(2 / 11)
    assert decay_at(90, decay=0.9) == 0.9
    assert decay_at(10**6, decay=0.999) == 0.999


@pytest.mark.parametrize("batches", [1, 2], ids=["each", "accumulated"])
def test_what_is_validated_and_kept_is_the_average_of_the_weights_of_all_steps(
    tmp_path: Path,
    tiny: list[str],
    states: list[dict],
    monkeypatch: pytest.MonkeyPatch,
    batches: int,
) -> None:
    validated = []
    original = SegmentationModule.validation_step

    def spy(self, batch, batch_idx) -> None:
        if batch_idx == 0:
            validated.append(copy.deepcopy(self.model.state_dict()))
        original(self, batch, batch_idx)

    monkeypatch.setattr(SegmentationModule, "validation_step", spy)
    options = [*tiny, "ema.decay=0.9", "dataset.batch_size=2", "checkpoints.top_k=9"]
    train(configured([*options, f"trainer.accumulate_grad_batches={batches}"], tmp_path))
    folder = RunFolder(only_run(tmp_path))
    assert len(states) == 12 // batches
    references = [_reference_average(states[:n], 0.9) for n in (len(states) // 2, len(states))]
    for state, expected in zip(validated, references, strict=True):
        for name, value in expected.items():
            torch.testing.assert_close(state[name].double(), value.double(), rtol=1e-5, atol=1e-6)
    last = read(folder.checkpoint("last"))
    best = model_weights(read(folder.checkpoint("best")))
    alone = torch.load(folder.weights_path("pth"), weights_only=True)
    kept = validated[folder.facts["best_epoch"] - 1]
    top = model_weights(read(max((folder.checkpoints_path / "top").iterdir())))
    for name, value in validated[-1].items():
        assert torch.equal(model_weights(last)[name], value), name
        assert torch.equal(last["ema"]["weights"][name], states[-1][name]), name
        assert torch.equal(top[name], value), name
        assert torch.equal(best[name], kept[name]), name
        assert torch.equal(alone[name], kept[name]), name
    assert any(not torch.equal(value, states[-1][name]) for name, value in validated[-1].items())


def test_the_weights_that_are_trained_do_not_depend_on_the_average(
    tmp_path: Path, tiny: list[str], states: list[dict]
) -> None:
    train(configured([*tiny, "ema={decay: 0.5}", "model.norm=none"], tmp_path / "a"))
    first = list(states)
    states.clear()
    train(configured([*tiny, "ema.decay=0.99", "model.norm=none"], tmp_path / "b"))
    assert len(first) == len(states) > 2
    assert all(torch.equal(a[k], b[k]) for a, b in zip(first, states, strict=True) for k in a)


def test_none_is_off_in_both_forms(tmp_path: Path, tiny: list[str]) -> None:
    for value in ("ema=null", "ema.decay=null"):
        options = [*tiny, value, "trainer.max_epochs=1", "resume=auto"]
        train(configured(options, tmp_path))
        # the second finds that the first was the same, and has nothing to do
        assert "ema" not in read(RunFolder(only_run(tmp_path)).checkpoint("last"))


def test_a_further_stage_averages_anew_from_the_weights_that_it_starts_from() -> None:
    network = nn.Linear(1, 1, bias=False)

    class _Module:
        stage_index = 0
        model = network

    class _Trainer:
        global_step = 0
        world_size = 1

    def step(value: float) -> None:
        _Trainer.global_step += 1
        nn.init.constant_(network.weight, value)
        ema.on_train_batch_end(_Trainer, _Module)

    ema = EMA(decay=0.5)
    ema.on_fit_start(_Trainer, _Module)
    ema.on_train_start(_Trainer, _Module)
    step(1.0)
    step(0.0)
    ema.on_validation_start(_Trainer, _Module)
    assert network.weight.item() == pytest.approx(2 / 11)
    _Module.stage_index = 1
    nn.init.constant_(network.weight, 8.0)
    ema.on_train_epoch_start(_Trainer, _Module)
    assert network.weight.item() == 8
    step(4.0)
    ema.on_validation_start(_Trainer, _Module)
    assert network.weight.item() == 4
