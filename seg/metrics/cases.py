"""Counts of pixels by case and class, gathered over batches and ranks, and figures from them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torchmetrics
from numpy.typing import NDArray
from torch import Tensor

from seg.metrics.overlap import METRICS, existing_in

IGNORE = 255
_AT_ONCE = 1 << 20  # pixels times classes of batches that are counted together: 16 MiB at most


def decide(logits: Tensor, threshold: float, *, overlap: bool = False) -> Tensor:
    """Logits (N, C, H, W) to class indices (N, H, W), or to planes (N, C, H, W).

    Args:
        logits: one channel is the foreground's, several are the classes, background first.
        threshold: in 0-1; a single channel is foreground above it. Several channels take the
            likeliest class.
        overlap: whether each channel is a class of its own, there above the threshold.
    """
    if overlap:
        return (torch.sigmoid(logits.float()) > threshold).long()
    if logits.shape[1] > 1:
        return logits.argmax(dim=1)
    return (torch.sigmoid(logits[:, 0].float()) > threshold).long()


def decide_probabilities(probs: Tensor, threshold: float, *, overlap: bool = False) -> Tensor:
    """Probabilities (K, H, W) of an image, however large, to uint8 indices (H, W) or planes; as
    `decide` for logits.
    """
    if overlap:
        return (probs > threshold).byte()
    return (probs[0] > threshold).byte() if len(probs) == 1 else probs.argmax(dim=0).byte()


def confusion(prediction: Tensor, target: Tensor, *, classes: int) -> Tensor:
    """Counts of each image and foreground class.

    Args:
        prediction: (N, H, W) class indices, 0 is background; or planes (N, classes, H, W).
        target: likewise; 255 is ignored.
        classes: number of foreground classes.

    Returns:
        (N, classes, 4) int64: tp, fp, fn, tn in pixels.
    """
    if target.ndim == 4 or classes == 1:
        planes = (t if t.ndim == 4 else t[:, None] for t in (prediction, target))
        return _of_planes(*planes)
    return _of_indices(prediction, target, classes)


def _of_planes(prediction: Tensor, target: Tensor) -> Tensor:
    """Counts (N, C, 4) of planes (N, C, H, W)."""
    count = _count
    if target.device.type == "cpu":  # NumPy counts there ten times as fast as torch sums
        prediction, target, count = prediction.numpy(), target.numpy(), _count_on_cpu
    valid = target != IGNORE
    predicted, true = (prediction == 1) & valid, target == 1
    tp, p, t, n = count([predicted & true, predicted, true, valid])
    fn = t - tp
    return torch.stack([tp, p - tp, fn, n - p - fn], dim=2)


def _count(masks: Sequence[Tensor]) -> Tensor:
    """True pixels (M, N, C) of M masks (N, C, H, W); in one sum, for a GPU's host."""
    return torch.stack(masks).sum((3, 4))


def _count_on_cpu(masks: Sequence[NDArray[np.bool_]]) -> Tensor:
    n, c = masks[0].shape[:2]
    rows = [plane for mask in masks for image in mask for plane in image]
    return torch.tensor([np.count_nonzero(row) for row in rows]).view(len(masks), n, c)


def _of_indices(prediction: Tensor, target: Tensor, classes: int) -> Tensor:
    """Counts (N, classes, 4) of class indices (N, H, W)."""
    by = count_pairs if target.device.type == "cpu" else multiply_pairs
    matrix = by(prediction, target, classes + 1)
    tp = matrix.diagonal(dim1=1, dim2=2)
    fp, fn = matrix.sum(1) - tp, matrix.sum(2) - tp
    tn = matrix.sum((1, 2))[:, None] - tp - fp - fn
    return torch.stack([tp, fp, fn, tn], dim=2)[:, 1:]


def count_pairs(prediction: Tensor, target: Tensor, values: int) -> Tensor:
    """Confusion matrices (N, values, values), row: target, column: prediction; on a CPU."""
    n = len(target)
    code = (torch.arange(n).view(-1, 1, 1) * values + target) * values + prediction
    code = torch.where(target == IGNORE, n * values**2, code)
    counts = torch.bincount(code.flatten(), minlength=n * values**2 + 1)
    return counts[: n * values**2].view(n, values, values)


def multiply_pairs(prediction: Tensor, target: Tensor, values: int) -> Tensor:
    """As `count_pairs`, on a GPU, whose host would wait for `bincount`; exact to 2^24 pixels."""
    index = torch.arange(values, device=target.device).view(1, -1, 1)
    true, predicted = (t.flatten(1)[:, None] == index for t in (target, prediction))
    return torch.bmm(true.float(), predicted.float().mT).long()


class CaseCounts(torchmetrics.Metric):
    """Collects `confusion` of every case on the device; copies to the host only in `compute`.

    Small batches are counted several at once: of a small batch, a count takes the host longer than
    the device.

    Args:
        classes: number of foreground classes.
        in_parts: whether images come in patches, whose counts are added up for each case.
    """

    full_state_update = False

    def __init__(self, *, classes: int, in_parts: bool = False) -> None:
        super().__init__()
        self.classes = classes
        self.in_parts = in_parts
        self.add_state("cases", default=[], dist_reduce_fx="cat")
        self.add_state("counts", default=[], dist_reduce_fx="cat")
        self._uncounted: list[tuple[Tensor, Tensor]] = []  # of one shape but for their number

    def update(self, prediction: Tensor, target: Tensor, case: Tensor) -> None:
        """Add a batch. prediction, target: as for `confusion`. case: (N,) row of each image."""
        if self._uncounted and self._uncounted[0][1].shape[1:] != target.shape[1:]:
            self.count()
        self.cases.append(case)
        self._uncounted.append((prediction, target))
        if len(self._uncounted) * target.numel() * self.classes >= _AT_ONCE:
            self.count()

    def count(self) -> None:
        """Bring `counts` up to date with `cases`."""
        if self._uncounted:
            prediction, target = (torch.cat(some) for some in zip(*self._uncounted, strict=True))
            self._uncounted = []
            self.counts.append(confusion(prediction, target, classes=self.classes))

    def sync(self, *args: Any, **options: Any) -> None:
        """As torchmetrics', which calls it at the begin of every `compute`."""
        self.count()
        super().sync(*args, **options)

    def reset(self) -> None:
        self._uncounted = []
        super().reset()

    def compute(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The cases (M,) in order and their counts (M, classes, 4).

        A case that came twice counts once, except in parts: ranks are filled up with repeated
        cases.
        """
        cases = torchmetrics.utilities.dim_zero_cat(self.cases).cpu().numpy()
        counts = torchmetrics.utilities.dim_zero_cat(self.counts).cpu().numpy()
        cases, first, place = np.unique(cases, return_index=True, return_inverse=True)
        if not self.in_parts:
            return cases, counts[first]
        total = np.zeros((len(cases), *counts.shape[1:]), dtype=np.int64)
        np.add.at(total, place, counts)
        return cases, total


def summarize(
    counts: NDArray,
    groups: Sequence[str] | None = None,
    *,
    classes: NDArray[np.bool_] | None = None,
) -> dict[str, float]:
    """Every overlap figure of M cases; over several classes, the mean without background.

    `dice`, ...: mean over images. `dice_positive`, `iou_positive`: over images whose reference has
    foreground; left out if there is none. `*_pooled`: all pixels together. `dice_group`,
    `iou_group`: mean over groups, of all pixels of each.

    Args:
        counts: (M, classes, 4) tp, fp, fn, tn.
        groups: the group of each case; without it there are no group figures.
        classes: (C,) which ones count; without it those of `existing_in`.
    """
    chosen = np.flatnonzero(existing_in(counts) if classes is None else classes)
    by_class = [summarize_class(counts[:, i], groups) for i in chosen]
    names = dict.fromkeys(name for figures in by_class for name in figures)
    means = {}
    for name in names:
        values = [figures[name] for figures in by_class if name in figures]
        means[name] = float(np.mean(values))
    return means


def summarize_class(counts: NDArray, groups: Sequence[str] | None = None) -> dict[str, float]:
    """The figures of `summarize` for one class. counts: (M, 4)."""
    tp, fp, fn, tn = counts.T
    figures = {name: float(metric(tp, fp, fn, tn).mean()) for name, metric in METRICS.items()}
    positive = counts[tp + fn > 0]
    if len(positive):
        for name in ("dice", "iou"):
            figures[f"{name}_positive"] = float(METRICS[name](*positive.T).mean())
    pooled = counts.sum(0)
    for name, metric in METRICS.items():
        figures[f"{name}_pooled"] = float(metric(*pooled))
    if groups is not None:
        _, index = np.unique(np.asarray(groups), return_inverse=True)
        volumes = np.zeros((index.max() + 1, 4), dtype=np.int64)
        np.add.at(volumes, index, counts)
        for name in ("dice", "iou"):
            figures[f"{name}_group"] = float(METRICS[name](*volumes.T).mean())
    return figures
