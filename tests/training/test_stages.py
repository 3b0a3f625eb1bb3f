"""Stages: which one trains an epoch, with what, and from which weights."""

import functools
import warnings

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from seg.losses.bce import BCELoss
from seg.losses.dice import DiceLoss
from seg.models.normalize import Normalize
from seg.training.checkpoint import AtomicCheckpointIO, best_and_last, read
from seg.training.module import MONITOR, SPLITS, SegmentationModule
from seg.training.schedules import cosine
from seg.training.stages import NextStage, Stage, configure, stage_at

SGD = functools.partial(torch.optim.SGD, lr=0.5, momentum=0.9)
ADAM = functools.partial(torch.optim.Adam, lr=0.01)
CONSTANT = functools.partial(torch.optim.lr_scheduler.ConstantLR, factor=1.0, total_iters=0)
COSINE = functools.partial(cosine, warmup=0.0, final=0.0)
PLATEAU = functools.partial(torch.optim.lr_scheduler.ReduceLROnPlateau, mode="max")


def _stage(epochs, name="main", loss=None, optimizer=SGD, scheduler=CONSTANT):
    return Stage(
        name=name,
        loss=loss or BCELoss(),
        optimizer=optimizer,
        scheduler=scheduler,
        epochs=epochs,
    )


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [([3], [0, 0, 0]), ([2, 3], [0, 0, 1, 1, 1]), ([1, 1, 2], [0, 1, 2, 2])],
)
def test_epochs_are_trained_by_the_stages_in_turn(epochs, expected):
    stages = [_stage(n) for n in epochs]
    assert [stage_at(stages, epoch) for epoch in range(sum(epochs))] == expected


def test_epochs_beyond_the_last_stage_belong_to_it():
    assert stage_at([_stage(1), _stage(2)], 99) == 1


@pytest.mark.parametrize(
    ("scheduler", "interval"),
    [(CONSTANT, "epoch"), (PLATEAU, "epoch"), (COSINE, "step")],
    ids=["constant", "plateau", "cosine"],
)
def test_a_scheduler_that_asks_for_steps_is_stepped_by_the_batch(scheduler, interval):
    made = configure(_stage(3, scheduler=scheduler), nn.Linear(1, 1), 7, "val/dice")
    assert made["lr_scheduler"]["interval"] == interval
    assert made["lr_scheduler"]["monitor"] == "val/dice"
    assert made["lr_scheduler"]["scheduler"].optimizer is made["optimizer"]


def test_the_steps_of_a_schedule_are_those_of_its_stage():
    made = configure(_stage(3, scheduler=COSINE), nn.Linear(1, 1), 4, MONITOR)
    optimizer, scheduler = made["optimizer"], made["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(12):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates[0] == 0.5
    assert rates[6] == pytest.approx(0.25)
    assert min(rates) > 0
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0)


class Spoil(pl.Callback):
    """Overwrites the weights before `epoch` starts; best.ckpt keeps what it has."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == self.epoch:
            with torch.no_grad():
                for parameter in pl_module.model.parameters():
                    parameter.fill_(1e3)


class _CutOff(Exception):
    """The run ends here."""


class Record(pl.Callback):
    """What each epoch starts with; the run is cut off at the start of epoch `cut`."""

    def __init__(self, best, epochs, cut):
        self.best = best
        self.epochs = epochs
        self.cut = cut

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == self.cut:
            raise _CutOff
        weights = {k: v.clone() for k, v in pl_module.model.state_dict().items()}
        best = read(self.best)["state_dict"] if self.best.is_file() else {}
        self.epochs.append(
            {
                "epoch": trainer.current_epoch,
                "stage": pl_module.stage.name,
                "loss": type(pl_module.stage.loss).__name__,
                "optimizer": type(trainer.optimizers[0]).__name__,
                "lr": trainer.optimizers[0].param_groups[0]["lr"],
                "state": len(trainer.optimizers[0].state),
                "best": bool(best)
                and all(torch.equal(v, best[f"model.{k}"]) for k, v in weights.items()),
            }
        )


def _batches():
    """8 images of 8x8, bright where the mask is."""
    g = torch.Generator().manual_seed(0)
    mask = (torch.rand(8, 8, 8, generator=g) < 0.4).to(torch.uint8)
    image = mask.unsqueeze(1) * 120 + torch.randint(0, 80, (8, 1, 8, 8), generator=g)
    rows = torch.arange(8)
    return [
        {
            "image": image[i : i + 4].to(torch.uint8),
            "mask": mask[i : i + 4],
            "case": rows[i : i + 4],
        }
        for i in (0, 4)
    ]


def _train(folder, stages, *, resume=None, spoil=-1, cut=-1, epochs=None):
    """Train a network of one convolution; returns what each epoch started with, and the module."""
    epochs = [] if epochs is None else epochs
    torch.manual_seed(0)
    module = SegmentationModule(
        model=nn.Conv2d(1, 1, 3, padding=1),
        normalize=Normalize(mode="unit", mean=[0.0], std=[1.0]),
        stages=stages,
        class_names=["disc"],
        groups=[str(i) for i in range(8)],
        existing=dict.fromkeys(SPLITS, np.array([True])),
    )
    best = folder / "best.ckpt"
    record = Record(best, epochs, cut)
    keepers = best_and_last(folder, monitor=MONITOR)
    keepers = keepers if isinstance(keepers, list) else [keepers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=sum(s.epochs for s in stages),
            callbacks=[Spoil(spoil), NextStage(best=best), record, *keepers],
            plugins=[AtomicCheckpointIO()],
            logger=False,
            num_sanity_val_steps=0,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        batches = torch.utils.data.DataLoader(_batches(), batch_size=None)
        trainer.fit(module, batches, batches, ckpt_path=resume, weights_only=True)
    return epochs, module


def _two_stages():
    return [
        _stage(2, name="first", scheduler=COSINE),
        _stage(2, name="second", loss=DiceLoss(), optimizer=ADAM, scheduler=COSINE),
    ]


def test_each_stage_has_its_own_loss_optimizer_and_rate(tmp_path):
    epochs, module = _train(tmp_path, _two_stages())
    assert [e["stage"] for e in epochs] == ["first", "first", "second", "second"]
    assert [e["loss"] for e in epochs] == ["BCELoss"] * 2 + ["DiceLoss"] * 2
    assert [e["optimizer"] for e in epochs] == ["SGD"] * 2 + ["Adam"] * 2
    assert [e["lr"] for e in epochs] == pytest.approx([0.5, 0.25, 0.01, 0.005])
    assert module.stage.name == "second"


def test_a_stage_starts_from_the_best_weights_and_not_from_the_last(tmp_path):
    epochs, _ = _train(tmp_path, _two_stages(), spoil=2)
    assert epochs[2]["stage"] == "second"
    assert epochs[2]["best"]
    assert epochs[2]["state"] == 0  # a new optimizer remembers nothing


def test_within_a_stage_training_goes_on_from_the_last_weights(tmp_path):
    epochs, _ = _train(tmp_path, [_stage(3)], spoil=1)
    assert not epochs[1]["best"]
    assert epochs[1]["state"] > 0


@pytest.mark.parametrize("until", [1, 2, 3], ids=["in the first", "between", "in the second"])
def test_a_run_that_was_cut_off_goes_on_as_if_it_had_not_been(tmp_path, until):
    (tmp_path / "whole").mkdir()
    whole, expected = _train(tmp_path / "whole", _two_stages())
    first: list = []
    with pytest.raises(_CutOff):
        _train(tmp_path / "cut", _two_stages(), cut=until, epochs=first)
    rest, module = _train(
        tmp_path / "cut", _two_stages(), resume=str(tmp_path / "cut" / "last.ckpt")
    )
    assert first == whole[:until]
    assert rest == whole[until:]
    for name, value in expected.state_dict().items():
        assert torch.equal(value, module.state_dict()[name]), name
