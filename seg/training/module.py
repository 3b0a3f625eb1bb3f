"""The LightningModule: a model, what normalises its input, and the stages it is trained in."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seg.losses.deep_supervision import deeply_supervised
from seg.metrics.cases import CaseCounts, decide, summarize, summarize_class
from seg.metrics.mean_loss import MeanLoss
from seg.models.layout import fast_layout
from seg.runs.folder import MONITOR
from seg.training.checkpoint import refuse_loading
from seg.training.epoch_state import gather, position, restore
from seg.training.quick_hooks import QuickHooks
from seg.training.random_numbers import seed_generators
from seg.training.stages import Stage, configure, schedule_length
from seg.training.whole_images import WholeImages

SPLITS = ("train", "val", "test")
BY_CLASS = ("dice", "iou")  # figures that an epoch has of each class; NaN without a pixel of it


class SegmentationModule(QuickHooks):
    """Logits inside; decisions only at the border, by `threshold` or the likeliest class.

    Args:
        model: image (N, C, H, W) float to logits (N, outputs, H, W).
        normalize: stored image to model input.
        stages: with which losses and optimizers it is trained, and how long.
        class_names: foreground classes, index 1 first.
        groups: the group of every case, in the order of the data module's rows.
        existing: by split, (C,) which classes its masks have (see `metrics.overlap.existing`).
        threshold: probability above which a pixel is foreground, where there is one class, or
            each has a probability of its own.
        overlap: whether classes may share pixels: a logit for each, and none for the background.
        seed: from which each batch's randomness (dropout) is drawn.
        metadata: plain containers that make a checkpoint self-contained.
        whole_images: how images are predicted where training batches are patches of them.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        normalize: nn.Module,
        stages: Sequence[Stage],
        class_names: Sequence[str],
        groups: Sequence[str],
        existing: Mapping[str, NDArray[np.bool_]],
        threshold: float = 0.5,
        overlap: bool = False,
        seed: int = 0,
        metadata: dict[str, Any] | None = None,
        whole_images: WholeImages | None = None,
    ) -> None:
        super().__init__()
        self.model = fast_layout(model)
        self.normalize = normalize
        self.stages = list(stages)
        # so that their buffers move along
        self.losses = nn.ModuleList(stage.loss for stage in stages)
        self.stage_index = 0
        self.class_names = list(class_names)
        self.groups = list(groups)
        self.existing = dict(existing)
        self.threshold = threshold
        self.overlap = overlap
        self.seed = seed
        self.schedule_length = 0
        self.metadata = metadata or {}
        self.whole_images = whole_images
        self.tables = nn.ModuleList(CaseCounts(classes=len(self.class_names)) for _ in SPLITS)
        self.tables[0].in_parts = whole_images is not None  # training batches are patches then
        self.means = nn.ModuleList(MeanLoss() for _ in SPLITS)
        self.counts: dict[str, tuple] = {}

    @property
    def stage(self) -> Stage:
        return self.stages[self.stage_index]

    def forward(self, image: Tensor) -> Tensor:
        """image: (N, C, H, W) as stored, 0-255. Returns logits (N, outputs, H, W)."""
        return self.model(self.normalize(image))

    def predict(self, image: Tensor) -> Tensor:
        """image: (N, C, H, W) as stored, 0-255. Returns class indices (N, H, W), or planes."""
        if self.whole_images is None:
            return self._decide(self(image))
        return torch.stack([self._whole(one) for one in image])

    def _decide(self, logits: Tensor) -> Tensor:
        return decide(logits, self.threshold, overlap=self.overlap)

    def _whole(self, image: Tensor, **options: Any) -> Tensor:
        options |= {"threshold": self.threshold, "overlap": self.overlap}
        return self.whole_images.predict(self, image, **options)

    def require_contract(self, batch: dict[str, Tensor]) -> None:
        """Raises ValueError if the model or a loss does not fit one sample, batched."""
        classes = len(self.class_names)
        channels = classes if self.overlap or classes == 1 else classes + 1
        expected = (1, channels, *batch["mask"].shape[-2:])
        self.eval()
        with torch.no_grad():
            logits = self(batch["image"])
            if (shape := tuple(logits.shape)) != expected:
                raise ValueError(f"the model gives {shape} for one image, not {expected}")
            for stage in self.stages:
                try:
                    value = stage.loss(logits, batch["mask"].long())
                except Exception as error:
                    raise ValueError(
                        f"the loss of stage {stage.name} cannot be called as loss(logits (N, C, "
                        f"H, W), target (N, {'C, ' * self.overlap}H, W) int64): "
                        f"{str(error).splitlines()[0]}"
                    ) from error
                if value.ndim:
                    raise ValueError(f"the loss of stage {stage.name} gives {tuple(value.shape)}")
        self.train()

    def _step(self, batch: dict[str, Tensor], split: str) -> Tensor:
        target = batch["mask"].long()
        outputs = self(batch["image"])
        levels = outputs if isinstance(outputs, list) else [outputs]  # finest first
        loss = deeply_supervised(self.stage.loss, levels, target)
        with torch.no_grad():
            index = SPLITS.index(split)
            self.means[index].update(loss.detach(), len(target))
            self.tables[index].update(self._decide(levels[0]), target, batch["case"])
        return loss

    def _whole_step(self, batch: dict[str, Tensor], split: str) -> None:
        """As `_step` without gradients; where training has patches, the loss is that of windows."""
        if self.whole_images is None:
            self._step(batch, split)
            return
        index = SPLITS.index(split)

        def count_loss(logits: Tensor, target: Tensor) -> None:
            self.means[index].update(self.stage.loss(logits, target), len(target))

        for image, target, case in zip(batch["image"], batch["mask"], batch["case"], strict=True):
            prediction = self._whole(image, target=target, on_windows=count_loss)
            self.tables[index].update(prediction[None], target[None], case[None])

    def on_train_batch_start(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        # One stream of random numbers through the whole run would depend on all that ran before,
        # and a resumed run would drop out other units than one that was never interrupted.
        seed_generators([self.seed, self.current_epoch, batch_idx, self.global_rank], self.device)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        return self._step(batch, "train")

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self._whole_step(batch, "val")

    def test_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self._whole_step(batch, "test")

    def on_validation_epoch_start(self) -> None:
        # Here and not at the end of the training epoch: a loss that is no number must stop the run
        # before its weights are judged, and callbacks read both splits' figures at one time.
        self._stop_unless_finite(self._log_split("train"), "training")

    def on_validation_epoch_end(self) -> None:
        self._stop_unless_finite(self._log_split("val"), "validation")

    def _stop_unless_finite(self, loss: Tensor, split: str) -> None:
        if torch.isfinite(loss):
            return
        sound = "; the checkpoints of the epochs before are sound" if self.current_epoch else ""
        rate = self.optimizers().param_groups[0]["lr"]
        raise ValueError(
            f"the {split} loss is {loss.item()} in epoch {self.current_epoch + 1}: lower "
            f"optimizer.lr (now {rate:g}), or set trainer.precision=32{sound}"
        )

    def on_test_epoch_end(self) -> None:
        self._log_split("test")

    def _log_split(self, split: str) -> Tensor:
        table, mean = self.tables[SPLITS.index(split)], self.means[SPLITS.index(split)]
        (cases, counts), loss = table.compute(), mean.compute()
        groups = [self.groups[i] for i in cases]
        groups = groups if len(set(groups)) < len(groups) else None
        figures = summarize(counts, groups, classes=self.existing[split])
        if len(self.class_names) > 1:
            for i, name in enumerate(self.class_names):
                of_class = summarize_class(counts[:, i]) if self.existing[split][i] else {}
                figures |= {f"{key}/{name}": of_class.get(key, math.nan) for key in BY_CLASS}
        self.counts[split] = (cases, counts)
        table.reset()
        mean.reset()
        figures = {f"{split}/{key}": value for key, value in {"loss": loss, **figures}.items()}
        self.log_dict(figures, logger=False)  # EpochLog hands them to the loggers, by epoch
        return loss

    def configure_optimizers(self) -> dict:
        epochs = sum(stage.epochs for stage in self.stages)
        steps_per_epoch = max(1, int(self.trainer.estimated_stepping_batches) // epochs)
        self.schedule_length = schedule_length(self.stage, steps_per_epoch)
        return configure(self.stage, self.model, steps_per_epoch, MONITOR)

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """A schedule ends at its last rate: beyond, a cosine would climb, and OneCycleLR raise."""
        if metric is None and scheduler.last_epoch + 1 < self.schedule_length:
            scheduler.step()

    def on_train_epoch_end(self) -> None:
        # Lightning steps these (with a metric, above) after the checkpoint is written, and a
        # resumed run would be a step behind.
        for config in self.trainer.lr_scheduler_configs:
            if config.reduce_on_plateau:
                config.scheduler.step(self.trainer.callback_metrics[MONITOR])

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        if self.trainer.precision == "16-mixed":
            # gradients are scaled: Lightning clips, or says why not
            super().configure_gradient_clipping(
                optimizer, gradient_clip_val, gradient_clip_algorithm
            )
        elif gradient_clip_val is not None:
            # Lightning would refuse fused optimizers here, needlessly
            by_value = gradient_clip_algorithm == "value"
            clip = nn.utils.clip_grad_value_ if by_value else nn.utils.clip_grad_norm_
            clip(self.model.parameters(), gradient_clip_val)

    load_from_checkpoint = classmethod(refuse_loading)  # it has no way to build the network

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        place = position(self.trainer)
        so_far = gather(self.tables[0], self.means[0]) if place["batch"] else []
        state = {"threshold": self.threshold, "stage": self.stage_index}
        checkpoint["seg"] = self.metadata | state | {"position": place, "so_far": so_far}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.stage_index = checkpoint["seg"]["stage"]
        if ranks := checkpoint["seg"]["so_far"]:
            restore(self.tables[0], self.means[0], ranks, self.global_rank)
