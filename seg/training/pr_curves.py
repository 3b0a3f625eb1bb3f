"""Precision against recall of the test, for TensorBoard's PR curves."""

from collections.abc import Sequence
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

    Left out with several devices, each of which sees some of the cases, and where images are
    predicted in windows.

    Args:
        class_names: without background.
        overlap: whether classes may share pixels.
    """

    def __init__(self, *, class_names: Sequence[str], overlap: bool) -> None:
        self.class_names = class_names
        self.overlap = overlap
        self.counts: NDArray[np.int64] = np.zeros((len(class_names), 2, LEVELS), np.int64)
        self._logits: Tensor | None = None
        self._hook: RemovableHandle | None = None

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        has_file = any(isinstance(logger, EventFile) for logger in trainer.loggers)
        if has_file and trainer.world_size == 1 and pl_module.whole_images is None:
            self._hook = pl_module.model.register_forward_hook(self._keep)

    def _keep(self, model: nn.Module, images: Any, logits: Tensor) -> None:
        self._logits = logits

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any,
        batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        if self._hook is None:
            return
        probs = probabilities(self._logits.float(), planes=self.overlap).cpu().numpy()
        first = probs.shape[1] - len(self.class_names)  # 1 where background is a class
        for prob, mask in zip(probs, batch["mask"].cpu().numpy(), strict=True):
            if not np.isfinite(prob).all():
                continue
            for j in range(len(self.class_names)):
                known = {"valid": valid_of(mask, j + 1), "levels": LEVELS}
                self.counts[j] += level_counts(prob[first + j], area_of(mask, j + 1), **known)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._hook is None:
            return
        self._hook.remove()
        self._logits = None
        for name, counts in zip(self.class_names, self.counts, strict=True):
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
