"""Precision against recall of the test, for TensorBoard's PR curves."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from seg.losses.target import probabilities
from seg.metrics.planes import area_of, valid_of
from seg.metrics.threshold_curves import counts_at, level_counts
from seg.training.tensorboard import EventFile

LEVELS = 128  # thresholds


class PrecisionRecall(pl.Callback):
    """Adds a curve for each class, all pixels of the test together, to the event file.

    Histograms of probabilities add up, over the strips of an image that is predicted in windows,
    over images, and over devices; a case that fills up the ranks does not count twice.

    Args:
        class_names: without background.
        overlap: whether classes may share pixels.
    """

    def __init__(self, *, class_names: Sequence[str], overlap: bool) -> None:
        self.class_names = class_names
        self.overlap = overlap
        self.counts: NDArray[np.int64] = np.zeros((len(class_names), 2, LEVELS), np.int64)
        self._drawn = False
        self._seen = self._new = 0  # cases of this rank before a batch; those of it that count
        self._logits: Tensor | None = None
        self._hook: RemovableHandle | None = None

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._drawn = any(isinstance(logger, EventFile) for logger in trainer.loggers)
        if self._drawn and pl_module.whole_images is None:
            self._hook = pl_module.model.register_forward_hook(self._keep)
        elif self._drawn:
            pl_module.whole_images = replace(pl_module.whole_images, on_strip=self._add_strip)

    def _keep(self, model: nn.Module, images: Any, logits: Tensor) -> None:
        self._logits = logits

    def on_test_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: dict[str, Tensor],
        batch_idx: int, dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        cases = len(trainer.test_dataloaders.dataset)
        own = len(range(trainer.global_rank, cases, trainer.world_size))  # see EpochSampler
        self._new = min(own - self._seen, len(batch["case"]))
        self._seen += len(batch["case"])

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any,
        batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        if self._hook is None:
            return
        probs = probabilities(self._logits.float(), planes=self.overlap)[: max(self._new, 0)]
        for prob, mask in zip(probs, batch["mask"], strict=False):
            self._add(prob, mask)

    def _add_strip(self, probs: Tensor, mask: Tensor) -> None:
        if self._new > 0:  # whole images come one at a time
            self._add(probs, mask)

    def _add(self, probs: Tensor, mask: Tensor) -> None:
        """probs: (K, H, W). mask: (H, W) class indices, or planes (K, H, W)."""
        prob, mask = probs.cpu().numpy(), mask.cpu().numpy()
        first = len(prob) - len(self.class_names)  # 1 where background is a class
        if not np.isfinite(prob).all():
            return
        for j in range(len(self.class_names)):
            known = {"valid": valid_of(mask, j + 1), "levels": LEVELS}
            self.counts[j] += level_counts(prob[first + j], area_of(mask, j + 1), **known)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._drawn:
            return
        if self._hook is not None:
            self._hook.remove()
            self._logits = None
        else:
            pl_module.whole_images = replace(pl_module.whole_images, on_strip=None)
        ours = torch.from_numpy(self.counts).to(pl_module.device)
        every = trainer.strategy.reduce(ours, reduce_op="sum").cpu().numpy()
        for name, counts in zip(self.class_names, every, strict=True):
            if not counts[1].any():  # in no mask
                continue
            tp, fp, fn, tn = counts_at(counts)[1:].T  # the plugin takes 127 thresholds at most
            called = tp + fp
            precision = np.divide(tp, called, out=np.ones(len(tp)), where=called > 0)
            recall = tp / (tp + fn)
            found = np.flatnonzero(recall)
            if not found.size:  # no foreground pixel above the lowest level
                continue
            precision[found[-1] :] = precision[found[-1]]  # no line down at recall 0
            curve = map(torch.as_tensor, (tp, fp, tn, fn, precision, recall))
            for logger in trainer.loggers:
                if isinstance(logger, EventFile):
                    logger.experiment.add_pr_curve_raw(
                        f"pr_curve/{name}", *curve, trainer.current_epoch, num_thresholds=len(tp)
                    )
