"""Figures as others define them, so that one checkpoint can be scored under every definition.

    protocol.update(probs, reference, case="a_1", group="a", size=(256, 256))
    protocol.compute()  # {"dice": 0.81, ...}

`update` keeps a few numbers of one case: probs (C, H, W) after sigmoid or softmax, background first
where C > 1; reference (H, W) class indices, or (C, H, W) planes of classes that may share pixels,
255 is ignored; `size` of the network's input. `at` is the resolution of the definition, see
`protocol_cases.resized`. A case that comes twice counts once,
`a.cases |= b.cases` joins the halves of two processes, and a prediction that failed scores its
worst (calibration.py). Each definition's source is named in conf/protocol and docs/protocols.md.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from seg.metrics import overlap
from seg.metrics.cases import confusion, summarize
from seg.metrics.planes import as_planes
from seg.metrics.protocol_cases import Key, Resolution, foreground, in_order, key, means, resized


class PerImage:
    """Mean over images of Dice and IoU of the thresholded map: `kidney`, `kvasir`.

    Args:
        threshold: of the probability.
        threshold_as_printed: the one that the source's code amounts to, if it is another; gives
            `dice_as_printed` and `iou_as_printed`.
        empty_dice, empty_iou: score of an empty mask that is predicted empty.
    """

    def __init__(
        self,
        *,
        at: Resolution,
        threshold: float,
        threshold_as_printed: float | None,
        empty_dice: float,
        empty_iou: float,
    ) -> None:
        self.at, self.empty_dice, self.empty_iou = at, empty_dice, empty_iou
        self.thresholds = {"": threshold}
        if threshold_as_printed is not None:
            self.thresholds["_as_printed"] = threshold_as_printed
        self.cases: dict[Key, dict[str, float]] = {}

    def update(self, probs: NDArray, reference: NDArray, *, case, group, size) -> None:
        one = foreground(probs, reference, at=self.at, size=size)
        scores = {}
        for suffix, threshold in self.thresholds.items():
            tp, fp, fn, _ = one.counts(threshold)
            scores[f"dice{suffix}"] = _share(2 * tp, 2 * tp + fp + fn, self.empty_dice)
            scores[f"iou{suffix}"] = _share(tp, tp + fp + fn, self.empty_iou)
        self.cases[key(case, group)] = scores

    def compute(self) -> dict[str, float]:
        return means(self.cases)


class PixelPooled:
    """All pixels of all images as one image: `hyperkvasir`, `ducknet`.

    A zero denominator scores 0, as in scikit-learn and Keras.

    Args:
        threshold: of the probability.
        figures: names out of `POOLED`, in the order of the result.
    """

    def __init__(self, *, at: Resolution, threshold: float, figures: Sequence[str]) -> None:
        unknown = [name for name in figures if name not in POOLED]
        if unknown:
            raise ValueError(f"no pooled figure {unknown[0]}; there are {', '.join(POOLED)}")
        self.at, self.threshold, self.figures = at, threshold, list(figures)
        self.cases: dict[Key, NDArray] = {}

    def update(self, probs: NDArray, reference: NDArray, *, case, group, size) -> None:
        one = foreground(probs, reference, at=self.at, size=size)
        self.cases[key(case, group)] = np.array(one.counts(self.threshold))

    def compute(self) -> dict[str, float]:
        pooled = [int(n) for n in sum(counts for _, counts in in_order(self.cases))]
        return {name: POOLED[name](*pooled) for name in self.figures}


def _mean_iou_with_background(tp: int, fp: int, fn: int, tn: int) -> float:
    """Keras's MeanIoU of two classes: one in neither mask nor prediction is left out."""
    scores = [_share(hit, hit + fp + fn, 0.0) for hit in (tp, tn) if hit + fp + fn]
    return float(np.mean(scores)) if scores else 0.0


POOLED = {
    "f1": lambda tp, fp, fn, tn: _share(2 * tp, 2 * tp + fp + fn, 0.0),
    "iou": lambda tp, fp, fn, tn: _share(tp, tp + fp + fn, 0.0),
    "mean_iou_with_background": _mean_iou_with_background,
    "precision": lambda tp, fp, fn, tn: _share(tp, tp + fp, 0.0),
    "recall": lambda tp, fp, fn, tn: _share(tp, tp + fn, 0.0),
    "accuracy": lambda tp, fp, fn, tn: _share(tp + tn, tp + fp + fn + tn, 0.0),
    # the source's code swaps reference and prediction
    "precision_as_printed": lambda tp, fp, fn, tn: _share(tp, tp + fn, 0.0),
    "recall_as_printed": lambda tp, fp, fn, tn: _share(tp, tp + fp, 0.0),
}


class BatchPooled:
    """Soft, unthresholded figures of each batch of images, averaged over batches: `lgg`.

    Batches are filled in the natural order of groups and cases; a smaller last one weighs as much
    as the others, as in Keras.

    Args:
        batch_size: images of a batch, part of the definition.
        smooth: pixels, added above and below.
        channels: how often the source repeated its masks, which makes `smooth` weigh less.
    """

    def __init__(self, *, at: Resolution, batch_size: int, smooth: float, channels: int) -> None:
        if batch_size < 1 or channels < 1:
            raise ValueError(f"batch_size {batch_size} and channels {channels} must be 1 or more")
        self.at, self.batch_size, self.smooth, self.channels = at, batch_size, smooth, channels
        self.cases: dict[Key, NDArray] = {}

    def update(self, probs: NDArray, reference: NDArray, *, case, group, size) -> None:
        one = foreground(probs, reference, at=self.at, size=size)
        p, true = one.probs[one.valid], one.reference[one.valid]
        self.cases[key(case, group)] = np.array([p[true].sum(), p.sum(), true.sum()])

    def compute(self) -> dict[str, float]:
        sums = self.channels * np.stack([row for _, row in in_order(self.cases)])
        starts = range(0, len(sums), self.batch_size)
        both, called, true = np.stack([sums[i : i + self.batch_size].sum(0) for i in starts]).T
        figures = {
            "dice": (2 * both, called + true),
            "iou": (both, called + true - both),
            "recall": (both, true),
        }
        return {
            name: float(np.mean((above + self.smooth) / (below + self.smooth)))
            for name, (above, below) in figures.items()
        }


class AllThresholds:
    """Dice and IoU of the map stretched to 0-1, mean over 256 thresholds and images: `pranet`.

    Each map is stretched from its smallest to its largest value and rounded to 8 bits. A pixel is
    foreground from the threshold k / 255 on, so at the lowest every pixel is. Without a common
    pixel the score is 0, also where both are empty. `dice_at_half`, `iou_at_half`: from 0.5 on.
    """

    def __init__(self, *, at: Resolution) -> None:
        self.at = at
        self.cases: dict[Key, dict[str, float]] = {}

    def update(self, probs: NDArray, reference: NDArray, *, case, group, size) -> None:
        one = foreground(probs, reference, at=self.at, size=size)
        p, true = one.probs[one.valid], one.reference[one.valid]
        low, high = (p.min(), p.max()) if p.size else (0.0, 0.0)
        span = high - low if high > low else 1.0  # a constant map becomes 0
        level = np.floor((p - low) / span * 255 + 0.5).astype(np.int64)
        histograms = np.stack([np.bincount(level[true == side], minlength=256) for side in (0, 1)])
        fp, tp = np.cumsum(histograms[:, ::-1], axis=1)[:, ::-1]  # (256,) each, level k and above
        tp = np.zeros_like(tp) if one.failed else tp  # at the lowest threshold all would be right
        total = np.maximum(true.sum() + fp, 1)  # the union
        dice, iou = 2 * tp / np.maximum(total + tp, 1), tp / total
        scores = {"mdice": dice.mean(), "miou": iou.mean()}
        scores |= {"dice_at_half": dice[128], "iou_at_half": iou[128]}
        self.cases[key(case, group)] = {name: float(value) for name, value in scores.items()}

    def compute(self) -> dict[str, float]:
        return means(self.cases)


class PerVolume:
    """Dice of each group's stacked slices after keeping the largest component: `buda`.

    The slices of a group (a patient) are stacked in the natural order of their cases; voxels are
    connected by faces (6 neighbours). Empty and predicted empty scores 1, which does not occur in
    the source. A volume with a failed prediction scores 0.
    """

    def __init__(self, *, at: Resolution, threshold: float) -> None:
        self.at, self.threshold = at, threshold
        self.cases: dict[Key, tuple[NDArray, tuple[int, int], bool]] = {}

    def update(self, probs: NDArray, reference: NDArray, *, case, group, size) -> None:
        if group is None:
            raise ValueError(f"{case} has no group, and this protocol scores whole patients")
        one = foreground(probs, reference, at=self.at, size=size)
        masks = np.stack([(one.probs > self.threshold) & one.valid, one.reference])
        self.cases[key(case, group)] = np.packbits(masks), masks.shape[1:], one.failed

    def compute(self) -> dict[str, float]:
        volumes: dict[str, list] = {}
        for (group, _), plane in in_order(self.cases):
            volumes.setdefault(group, []).append(plane)
        scores = [_volume_dice(group, planes) for group, planes in volumes.items()]
        return {"dice_mean": float(np.mean(scores)), "dice_median": float(np.median(scores))}


def _volume_dice(group: str, planes: list[tuple[NDArray, tuple[int, int], bool]]) -> float:
    shapes = {shape for _, shape, _ in planes}
    if len(shapes) > 1:
        raise ValueError(f"the slices of {group} differ in size: {sorted(shapes)}")
    if any(failed for _, _, failed in planes):
        return 0.0
    unpacked = [np.unpackbits(p, count=2 * h * w).reshape(2, h, w) for p, (h, w), _ in planes]
    called, true = np.stack(unpacked, axis=1).astype(bool)  # (slices, H, W) each
    labels, components = ndimage.label(called)
    if components > 1:
        called = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    tp = np.sum(called & true)
    return float(overlap.dice(tp, called.sum() - tp, true.sum() - tp, 0))


class Contract:
    """This project's own figures, of one class or several: `seg`. See `cases.summarize`.

    The group figures are there if every case has a group.
    """

    def __init__(self, *, at: Resolution, threshold: float) -> None:
        self.at, self.threshold = at, threshold
        self.cases: dict[Key, NDArray] = {}

    def update(self, probs: NDArray, reference: NDArray, *, case, group, size) -> None:
        probs, reference, is_failed = resized(probs, reference, at=self.at, size=size)
        several = reference.ndim == 2 and len(probs) > 1
        target = as_planes(reference, len(probs) - several)
        called = target == 0 if is_failed else probs > self.threshold
        if several and not is_failed:
            called = probs.argmax(0) == np.arange(1, len(probs))[:, None, None]
        pair = torch.tensor(called)[None], torch.tensor(target)[None]
        self.cases[key(case, group)] = confusion(*pair, classes=len(target))[0].numpy()

    def compute(self) -> dict[str, float]:
        rows = in_order(self.cases)
        groups = [group for (group, _), _ in rows]
        return summarize(np.stack([row for _, row in rows]), groups if all(groups) else None)


def _share(above: float, below: float, empty: float) -> float:
    return float(above / below) if below else empty
