"""Pictures during training: the same few cases, every few epochs and at the end."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray

from seg.data.dataset import SegmentationDataset
from seg.training.tensorboard import log_picture

# (H, W, ...) each, in one array if they are of one size
Pictures = NDArray | Sequence[NDArray]
# (case names, images, references, predictions, title, path) -> picture (H, W, 3) uint8, which is
# also written to the path
Draw = Callable[[Sequence[str], Pictures, Pictures, Pictures, str, Path], NDArray]


def fixed_cases(foreground: Sequence[float], count: int) -> list[int]:
    """Positions of `count` cases spread evenly from the smallest to the largest foreground."""
    order = np.argsort(np.asarray(foreground), kind="stable")
    return order[
        np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))
    ].tolist()


def predict_rows(
    module: pl.LightningModule, samples: SegmentationDataset, positions: Sequence[int]
) -> tuple[Pictures, Pictures, Pictures]:
    """Predict some samples, with the module in eval mode.

    Returns:
        Images (N, H, W, C) in 0-255, references and predictions (N, H, W) as class indices, or
        (N, K, H, W) as planes; in lists where they are of many sizes.
    """
    if module.whole_images is not None and len(positions) > 1:
        each = [predict_rows(module, samples, [position]) for position in positions]
        return tuple([one[0] for one in kind] for kind in zip(*each, strict=True))
    batch = samples.__getitems__(list(positions))
    training = module.training
    module.eval()
    with torch.no_grad(), module.trainer.precision_plugin.forward_context():
        prediction = module.predict(batch["image"].to(module.device))
    module.train(training)
    images = batch["image"].permute(0, 2, 3, 1).numpy()  # (N, H, W, C)
    return images, batch["mask"].numpy(), prediction.cpu().numpy()


class Panels(pl.Callback):
    """Draws the same cases every few epochs, and after the last one.

    Args:
        samples: of the validation.
        positions: which of them are drawn; `names` are their cases'.
        folder: where `epoch_<n>.png` go.
        every: epochs between two pictures.
    """

    def __init__(
        self,
        *,
        samples: SegmentationDataset,
        positions: Sequence[int],
        names: Sequence[str],
        draw: Draw,
        folder: Path,
        every: int,
    ) -> None:
        self.samples = samples
        self.positions = positions
        self.names = names
        self.draw = draw
        self.folder = folder
        self.every = every

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        last = epoch == trainer.max_epochs or trainer.should_stop
        if not trainer.is_global_zero or not (last or epoch % self.every == 0):
            return
        images, references, predictions = predict_rows(pl_module, self.samples, self.positions)
        path = self.folder / f"epoch_{epoch:03d}.png"
        picture = self.draw(self.names, images, references, predictions, f"epoch {epoch}", path)
        for logger in trainer.loggers:
            log_picture(logger, "panels/val", picture, epoch)
