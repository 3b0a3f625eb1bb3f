"""An encoder that stands still in the first epochs, while the decoder learns to read it."""

from typing import Any

import pytorch_lightning as pl
from torch.optim import Optimizer

from seg.training.parameter_groups import encoder_parts


class FrozenEncoder(pl.Callback):
    """Keeps the encoder's weights, and the statistics of its norms, as they are in some epochs.

    Howard and Ruder 2018, arXiv:1801.06146, thaw a network layer by layer, from the last one;
    here it is all of the encoder at once.

    The optimizer has the encoder's weights from the start, so that schedules and checkpoints do not
    know of it; weights without a gradient are passed over, weight decay included.

    Args:
        epochs: how many, from the first of the run.
    """

    def __init__(self, *, epochs: int) -> None:
        self.epochs = epochs
        self.is_frozen = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._set(trainer, pl_module)  # a run that is resumed within an epoch does not start it

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._set(trainer, pl_module)

    def _set(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.is_frozen = trainer.current_epoch < self.epochs
        for part in encoder_parts(pl_module.model):
            part.train(not self.is_frozen)
            # DDP waits for a gradient of each weight that had one when it began
            part.requires_grad_(not self.is_frozen or trainer.world_size > 1)

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: Any, optimizer: Optimizer
    ) -> None:
        if self.is_frozen:
            for part in encoder_parts(pl_module.model):
                part.zero_grad(set_to_none=True)
