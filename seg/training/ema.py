"""An exponential moving average of the weights (EMA): what is validated, kept and exported."""

from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from seg.training.checkpoint import PREFIX, model_weights

SAVED = "ema"  # in a checkpoint


def decay_at(update: int, *, decay: float) -> float:
    """The decay of an update (from 1): small at first, so that short trainings forget their start.

    As `tf.train.ExponentialMovingAverage` with its number of updates, and timm's `ModelEma`.
    """
    return min(decay, (1 + update) / (10 + update))


class EMA(pl.Callback):
    """Averages the weights after each optimizer step; validates and stores the averages.

    Polyak and Juditsky 1992, doi:10.1137/0330046; Tarvainen and Valpola 2017, arXiv:1703.01780.

    From the start of a validation to the start of the next epoch the network holds the averages, so
    that all that judges, draws or stores an epoch's network has them, without knowing of them. A
    checkpoint's `state_dict` is always the averages; one to resume from holds the weights that are
    being trained beside them.

    The running statistics of batch normalisation are averaged as the weights are, and its counters
    copied. A further stage begins with new averages, from the weights that it starts from.

    It must come after `NextStage`, which loads these weights, and before what writes checkpoints
    within an epoch.

    Args:
        decay: share of the averages that an update keeps, above 0, below 1.
    """

    def __init__(self, *, decay: float) -> None:
        self.decay = decay
        self.averages: AveragedModel | None = None
        self.is_swapped = False  # the network holds the averages, and `averages` the weights
        self.stage = 0
        self.step = 0
        self.saved: dict[str, Any] | None = None

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self.saved = checkpoint[SAVED]

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """The network is on its device now, and a resumed one holds the averages."""
        self.stage = pl_module.stage_index
        self._start(pl_module.model)
        if self.saved is not None:
            pl_module.model.load_state_dict(self.saved["weights"])
            self.averages.n_averaged.fill_(self.saved["updates"])
            self.saved = None

    def _start(self, model: nn.Module) -> None:
        self.averages = AveragedModel(model, multi_avg_fn=self._update, use_buffers=True)
        self.is_swapped = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.step = trainer.global_step

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if pl_module.stage_index != self.stage:
            self.stage = pl_module.stage_index
            self._start(pl_module.model)
        elif self.is_swapped:
            self._swap(pl_module.model)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *args: Any) -> None:
        if trainer.global_step > self.step:  # not while gradients are summed up over batches
            self.step = trainer.global_step
            self.averages.update_parameters(pl_module.model)

    @torch.no_grad()
    def _update(self, averages: list[Tensor], weights: list[Tensor], _: Tensor) -> None:
        if not averages[0].is_floating_point():
            for average, weight in zip(averages, weights, strict=True):
                average.copy_(weight)
            return
        # not the count that torch hands over: it lies on the GPU, which would have to be waited for
        decay = decay_at(int(self.averages.n_averaged), decay=self.decay)
        get_ema_multi_avg_fn(decay)(averages, weights, None)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if trainer.world_size > 1:  # each rank has statistics of its own batches
            for buffer in self.averages.module.buffers():
                dist.broadcast(buffer, src=0)
        self._swap(pl_module.model)

    @torch.no_grad()
    def _swap(self, model: nn.Module) -> None:
        for a, b in zip(_tensors(self.averages.module), _tensors(model), strict=True):
            kept = a.clone()
            a.copy_(b)
            b.copy_(kept)
        self.is_swapped = not self.is_swapped

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        weights = self.averages.module.state_dict()
        if not self.is_swapped:
            averages = {f"{PREFIX}{name}": value for name, value in weights.items()}
            weights = model_weights(checkpoint)
            checkpoint["state_dict"] = checkpoint["state_dict"] | averages
        checkpoint[SAVED] = {"weights": weights, "updates": int(self.averages.n_averaged)}


def _tensors(model: nn.Module) -> Iterator[Tensor]:
    yield from model.parameters()
    yield from model.buffers()
