"""metrics.csv and the console: one row and one line an epoch."""

import csv
import logging
import time
from math import isfinite
from pathlib import Path

import pytorch_lightning as pl

from seg.runs import atomic

log = logging.getLogger(__name__)


class EpochLog(pl.Callback):
    """After each epoch: a row of metrics.csv, the figures for the loggers, a line of the log.

    Epochs are counted from 1. A resumed run keeps the rows of the epochs before it.
    """

    state_key = "History"  # in checkpoints of all versions

    def __init__(self, *, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, str]] = []
        self.epoch_started = 0.0
        self.lr = 0.0
        self.best = float("-inf")

    def state_dict(self) -> dict[str, float]:
        return {"lr": self.lr, "seconds": time.perf_counter() - self.epoch_started}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Restore the timer and the learning rate when a run resumes inside an epoch.

        Lightning does not call on_train_epoch_start again then.
        """
        self.lr = state_dict["lr"]
        self.epoch_started = time.perf_counter() - state_dict["seconds"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.rows = [r for r in self._read() if int(r["epoch"]) <= trainer.current_epoch]
        self.best = max((float(r["val/dice"]) for r in self.rows), default=float("-inf"))

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.epoch_started = time.perf_counter()
        self.lr = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        epoch = trainer.current_epoch + 1
        seconds = time.perf_counter() - self.epoch_started
        figures = {k: float(v) for k, v in trainer.callback_metrics.items() if "/" in k}
        row = {"epoch": str(epoch), "stage": pl_module.stage.name, "lr": f"{self.lr:.6g}"}
        row |= {"seconds": f"{seconds:.2f}"}
        row |= {k: f"{v:.6f}" if isfinite(v) else "" for k, v in sorted(figures.items())}
        self.rows.append(row)
        self._write()
        # a class that the split lacks has no figure
        logged = {"lr": self.lr, "seconds": seconds, **figures}
        logged = {name: value for name, value in logged.items() if isfinite(value)}
        for logger in trainer.loggers:
            logger.log_metrics(logged, step=epoch)
            logger.save()
        best = figures["val/dice"] > self.best
        self.best = max(self.best, figures["val/dice"])
        log.info(
            "epoch %*d/%d  train loss %.4f dice %.4f  val loss %.4f dice %.4f iou %.4f%s  "
            "lr %.2g  %.1f s",
            len(str(trainer.max_epochs)), epoch, trainer.max_epochs,
            figures["train/loss"], figures["train/dice"],
            figures["val/loss"], figures["val/dice"], figures["val/iou"],
            " *" if best else "  ", self.lr, seconds,
        )  # fmt: skip

    def _read(self) -> list[dict[str, str]]:
        if not self.path.is_file():
            return []
        with self.path.open(newline="", encoding="utf-8") as handle:
            return list(csv.DictReader(handle))

    def _write(self) -> None:
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        lines = [[row.get(column, "") for column in columns] for row in self.rows]
        atomic.write_csv(self.path, [columns, *lines])
