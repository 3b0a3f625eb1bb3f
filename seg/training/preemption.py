"""Fitting that can be interrupted: checkpoints within an epoch, and exits after a signal."""

import logging
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
import torch.distributed as dist

from seg.runs import failures, rendezvous
from seg.runs.interrupts import SIGNALS

log = logging.getLogger(__name__)


def fit(
    trainer: pl.Trainer,
    module: pl.LightningModule,
    data: pl.LightningDataModule,
    checkpoint: Path | None,
) -> None:
    """Lightning's fit, from `checkpoint` if a run is resumed."""
    try:
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except BaseException:
        failures.end_workers()
        raise
    finally:
        rendezvous.close()


def _can_save(trainer: pl.Trainer, batch_idx: int) -> bool:
    """Whether a checkpoint after this batch would hold the whole state of the training.

    Not while gradients are summed up over batches: no checkpoint has them. Not after the last
    batch: a run resumed there would skip the validation.
    """
    done = batch_idx + 1
    return done < trainer.num_training_batches and done % trainer.accumulate_grad_batches == 0


class StepCheckpoint(pl.Callback):
    """Writes the checkpoint `last` every `steps` optimizer steps within an epoch."""

    def __init__(self, *, last: Path, steps: int) -> None:
        self.last = last
        self.steps = steps

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if _can_save(trainer, batch_idx) and trainer.global_step % self.steps == 0:
            trainer.save_checkpoint(self.last, weights_only=False)


class PreemptionCheckpoint(pl.Callback):
    """After SIGTERM or SIGUSR1: finishes the batch, writes the checkpoint `last`, and exits.

    During validation it exits at once: a partial validation cannot be resumed, and a scheduler's
    grace is shorter than many validations; the epoch is trained again from the last checkpoint. At
    the end of an epoch it waits until the checkpoint is written. A second signal ends the process
    at once. With several ranks all exit after the same batch. The exit status is 128 + the signal.

    Handlers are set when the training starts, after Lightning has set its own, which would requeue
    a SLURM job by themselves; Lightning's teardown restores those from before the fit.
    """

    def __init__(self, *, last: Path) -> None:
        self.last = last
        self.signum = 0
        self.can_wait = True

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            for signum in SIGNALS:
                signal.signal(signum, self._receive)

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        if self.signum or not self.can_wait:
            raise SystemExit(128 + signum)
        self.signum = signum

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._exit_if_signalled(trainer, "last.ckpt is of the epoch's end")

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if _can_save(trainer, batch_idx):
            self._exit_if_signalled(trainer, "last.ckpt is of this batch", save=True)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.can_wait = False
        self._exit_if_signalled(trainer, "this epoch will be trained again")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.can_wait = True

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.can_wait = False
        self._exit_if_signalled(trainer, "last.ckpt is of the last epoch")

    def _exit_if_signalled(self, trainer: pl.Trainer, state: str, *, save: bool = False) -> None:
        signum = self._agreed(trainer)
        if not signum:
            return
        if save:
            trainer.save_checkpoint(self.last, weights_only=False)
        log.info("%s: %s; resume=auto goes on", signal.Signals(signum).name, state)
        raise SystemExit(128 + signum)

    def _agreed(self, trainer: pl.Trainer) -> int:
        """The signal that any rank got: if one exited alone, the others would wait for it."""
        if trainer.world_size == 1:
            return self.signum
        number = torch.tensor(self.signum, device=trainer.strategy.root_device)
        dist.all_reduce(number, op=dist.ReduceOp.MAX)
        return int(number)
