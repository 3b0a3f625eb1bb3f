"""How a CUDA GPU computes a training."""

from typing import Any

import pytorch_lightning as pl
import torch

from seg.data.dataset import Batch

LONG = 2000  # optimizer steps of a training for which some seconds of searching pay
TRIED = 4  # algorithms of each convolution and gradient, cuDNN's likeliest first


class CudaSearch(pl.Callback):
    """Lets cuDNN search for the fastest algorithms, in long trainings and for one shape alone.

    Every new shape is a new search: with a smaller last batch, and validation's, the first epoch of
    a network of 5 million parameters at 352 pixels took 102 s instead of 3 s. Full training batches
    are searched for; full validation batches find what was found for them.

    Products of fp32 matrices are computed in TF32, as convolutions are by torch's default.
    `NVIDIA_TF32_OVERRIDE=0` keeps both from it.
    """

    def __init__(self) -> None:
        self.pays = False
        self.matmul_precision = "highest"  # outside the training
        self.shape: torch.Size | None = None  # of full training batches

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.matmul_precision = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark_limit = TRIED
        self.pays = trainer.estimated_stepping_batches >= LONG

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        self.shape = self.shape or batch["image"].shape
        self._search_for(batch)

    def on_validation_batch_start(
        self, trainer: Any, pl_module: Any, batch: Batch, *args: Any
    ) -> None:
        self._search_for(batch)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        torch.backends.cudnn.benchmark = False
        torch.set_float32_matmul_precision(self.matmul_precision)

    def _search_for(self, batch: Batch) -> None:
        torch.backends.cudnn.benchmark = self.pays and batch["image"].shape == self.shape
