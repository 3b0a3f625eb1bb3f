"""Stages: with which loss and optimizer a network is trained, and for how many epochs.

A further stage starts from the best weights of the one before. Early stopping ends the last one.
"""

import inspect
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping
from torch import nn
from torch.optim import Optimizer

from seg.training.parameter_groups import build_optimizer, scaled

log = logging.getLogger(__name__)


@dataclass
class Stage:
    """What a network is trained with, and for how many epochs.

    Args:
        name: for metrics.csv and the log.
        loss: `loss(logits, target)`.
        optimizer: `optimizer(parameters)`.
        scheduler: `scheduler(optimizer)`, stepped after each epoch, or
            `scheduler(optimizer, total_steps=)`, stepped after each batch.
        epochs: how many.
        scheduled: epochs that the schedule spans; None: all. Later ones keep its last rate.
        encoder_lr_scale, decay_norms_and_biases: as in `parameter_groups.build_optimizer`.
    """

    name: str
    loss: nn.Module
    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer]
    scheduler: Callable[..., Any]
    epochs: int
    scheduled: int | None = None
    encoder_lr_scale: float = 1.0
    decay_norms_and_biases: bool = True


def _by_batch(stage: Stage) -> bool:
    return "total_steps" in inspect.signature(stage.scheduler).parameters


def schedule_length(stage: Stage, steps_per_epoch: int) -> int:
    """Steps of a stage's schedule: batches or epochs, whichever it is stepped after."""
    epochs = stage.scheduled or stage.epochs
    return steps_per_epoch * epochs if _by_batch(stage) else epochs


def stage_at(stages: Sequence[Stage], epoch: int) -> int:
    """Index of the stage that trains `epoch` (from 0)."""
    end = 0
    for index, stage in enumerate(stages):
        end += stage.epochs
        if epoch < end:
            return index
    return len(stages) - 1


def configure(stage: Stage, model: nn.Module, steps_per_epoch: int, monitor: str) -> dict:
    """Lightning's optimizer configuration of a stage."""
    optimizer = build_optimizer(
        stage.optimizer,
        model,
        encoder_lr_scale=stage.encoder_lr_scale,
        decay_norms_and_biases=stage.decay_norms_and_biases,
    )
    by_batch, options = _by_batch(stage), {}
    if by_batch:
        options["total_steps"] = schedule_length(stage, steps_per_epoch)
    given = getattr(stage.scheduler, "keywords", {})
    if "max_lr" in given:  # OneCycleLR replaces the rates of the groups
        options["max_lr"] = scaled(given["max_lr"], optimizer)
    scheduler = stage.scheduler(optimizer, **options)
    interval = "step" if by_batch else "epoch"
    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": scheduler, "interval": interval, "monitor": monitor},
    }


class NextStage(pl.Callback):
    """Starts the next stage at its first epoch, from the checkpoint `best`."""

    def __init__(self, *, best: Path) -> None:
        self.best = best

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        index = stage_at(pl_module.stages, trainer.current_epoch)
        if index == pl_module.stage_index:
            return
        best = torch.load(self.best, map_location=pl_module.device, weights_only=True)
        pl_module.load_state_dict(best["state_dict"])
        pl_module.stage_index = index
        trainer.strategy.setup_optimizers(trainer)  # asks the module for this stage's optimizer
        log.info(
            "stage %d of %d, %s, from the best weights so far",
            index + 1, len(pl_module.stages), pl_module.stage.name,
        )  # fmt: skip


class Stopping(EarlyStopping):
    """Ends the training after `patience` epochs without a higher `monitor`.

    Lightning's callback forgets that it has stopped: a run killed between its last epoch and its
    test would train one more.
    """

    def __init__(self, *, monitor: str, patience: int) -> None:
        super().__init__(monitor, patience=patience, mode="max")

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.wait_count >= self.patience:
            log.info("early stopping has ended this run in epoch %d", self.stopped_epoch + 1)
            trainer.should_stop = True
