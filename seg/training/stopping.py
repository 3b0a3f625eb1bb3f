"""Early stopping that a resumed run remembers."""

import logging

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping

log = logging.getLogger(__name__)


class Stopping(EarlyStopping):
    """Ends the training after `patience` epochs without a higher `monitor`.

    Lightning's forgets that it has stopped: a run killed between its last epoch and its test would
    train one more.
    """

    def __init__(self, *, monitor: str, patience: int) -> None:
        super().__init__(monitor, patience=patience, mode="max")

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.wait_count >= self.patience:
            log.info("early stopping has ended this run in epoch %d", self.stopped_epoch + 1)
            trainer.should_stop = True
