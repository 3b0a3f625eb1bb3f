"""`trainer.compile`: the network's training steps by torch.compile, in place."""

import logging
import time
from collections.abc import Callable
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from torch import Tensor

log = logging.getLogger(__name__)

LONG = 5000  # optimizer steps of a training for which a minute of compiling pays


class Compiled(pl.Callback):
    """Compiles the network at the first batch, and runs batches of that shape with it.

    Smaller last batches, validation and pictures go on without, since each new shape would be
    compiled anew. The names of the weights stay as they are. Where torch.compile fails, a line says
    so, and the training goes on without.

    Args:
        wanted: True, or "auto": on a CUDA GPU, for long trainings.
    """

    def __init__(self, wanted: Literal[True, "auto"]) -> None:
        self.wanted = wanted
        self.call: Callable | None = None  # the compiled network
        self.shape: torch.Size | None = None  # of the batches that it takes

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        on_cuda = pl_module.device.type == "cuda"
        if self.wanted == "auto" and not (on_cuda and trainer.estimated_stepping_batches >= LONG):
            self.wanted = False
            return
        # CUDA graphs replay a step's kernels without a launch for each
        mode = "reduce-overhead" if on_cuda else None
        pl_module.model.compile(mode=mode, dynamic=False)
        self.call = pl_module.model._compiled_call_impl
        pl_module.model._compiled_call_impl = None  # as `nn.Module` has it without `compile`

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if not self.wanted:
            return
        images = batch["image"]
        if self.shape is None:
            self._try(trainer, pl_module, images)
        if self.wanted and images.shape == self.shape:
            pl_module.model._compiled_call_impl = self.call
            if images.is_cuda:
                torch.compiler.cudagraph_mark_step_begin()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any
    ) -> None:
        pl_module.model._compiled_call_impl = None

    def _try(self, trainer: pl.Trainer, pl_module: pl.LightningModule, images: Tensor) -> None:
        """Compile forward and backward with a batch; weights and statistics stay as they are."""
        model, begun = pl_module.model, time.perf_counter()
        buffers = {name: value.clone() for name, value in model.named_buffers()}
        model._compiled_call_impl = self.call
        try:
            with trainer.precision_plugin.forward_context():
                outputs = pl_module(images)
            levels = outputs if isinstance(outputs, list) else [outputs]
            sum(level.float().mean() for level in levels).backward()
            log.info("torch.compile: %.0f s, once", time.perf_counter() - begun)
        except Exception as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            log.warning("torch.compile failed, the training goes on without it: %s", reason)
            self.wanted = False
        model._compiled_call_impl = None
        self.shape = images.shape
        model.zero_grad(set_to_none=True)
        with torch.no_grad():
            for name, value in model.named_buffers():
                value.copy_(buffers[name])
