"""Saving within an epoch: every few steps, and before a signal ends the process."""

import logging
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
import torch.distributed as dist

log = logging.getLogger(__name__)

# kill, schedulers that pre-empt, and what SLURM's --signal=USR1@60 sends as a warning
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


def is_at_rest(trainer: pl.Trainer, batch_idx: int) -> bool:
    """Whether all there is of a training fits a checkpoint after this batch.

    Not while gradients are summed up over batches: no checkpoint has them. Not after the last
    batch: the epoch is only whole with its validation, of which Lightning would skip the rest.
    """
    done = batch_idx + 1
    return done < trainer.num_training_batches and done % trainer.accumulate_grad_batches == 0


class StepCheckpoint(pl.Callback):
    """Writes `last`, a checkpoint's path, every `steps` optimizer steps within an epoch."""

    def __init__(self, *, last: Path, steps: int) -> None:
        self.last = last
        self.steps = steps

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if is_at_rest(trainer, batch_idx) and trainer.global_step % self.steps == 0:
            trainer.save_checkpoint(self.last, weights_only=False)


class PreemptionCheckpoint(pl.Callback):
    """SIGTERM or SIGUSR1 in a fit: finish the batch, write `last`, exit with 128 + its number.

    In validation it leaves at once: nothing of a half validation could be gone on with, and a
    scheduler's grace is shorter than many validations; the epoch is trained again from the last
    checkpoint. At the end of an epoch, where that is being written, it waits for it. A second
    signal leaves at once, wherever it comes. With several ranks all leave after the same batch.

    Handlers are set when the training starts, after Lightning has set its own, which would requeue
    a SLURM job by themselves; Lightning's teardown puts back those from before the fit.
    """

    def __init__(self, *, last: Path) -> None:
        self.last = last
        self.signum = 0
        self.waits = True

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            for signum in SIGNALS:
                signal.signal(signum, self._asked)

    def _asked(self, signum: int, frame: FrameType | None) -> None:
        if self.signum or not self.waits:
            raise SystemExit(128 + signum)
        self.signum = signum

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._leave_if_asked(trainer, "last.ckpt is of the epoch's end")

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if is_at_rest(trainer, batch_idx):
            self._leave_if_asked(trainer, "last.ckpt is of this batch", save=True)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.waits = False
        self._leave_if_asked(trainer, "this epoch will be trained again")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.waits = True

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.waits = False
        self._leave_if_asked(trainer, "last.ckpt is of the last epoch")

    def _leave_if_asked(self, trainer: pl.Trainer, kept: str, *, save: bool = False) -> None:
        signum = self._agreed(trainer)
        if not signum:
            return
        if save:
            trainer.save_checkpoint(self.last, weights_only=False)
        log.info("%s: %s; resume=auto goes on", signal.Signals(signum).name, kept)
        raise SystemExit(128 + signum)

    def _agreed(self, trainer: pl.Trainer) -> int:
        """The signal that any rank got: one that left alone would leave the others waiting."""
        if trainer.world_size == 1:
            return self.signum
        number = torch.tensor(self.signum, device=trainer.strategy.root_device)
        dist.all_reduce(number, op=dist.ReduceOp.MAX)
        return int(number)
