"""From probabilities to a mask: threshold, clean-up, and how sure the network was."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from seg.inference.model import LoadedModel, Postprocess, Strips
from seg.metrics.foreground_confidence import ForegroundConfidence
from seg.metrics.planes import area_of

BLOCK = 1 << 16  # pixels that are measured at a time, so that they stay in the cache


class NonFiniteError(ValueError):
    """The network's output is not finite."""


@dataclass(frozen=True)
class Segmentation:
    """The mask of an image, and how sure the network was.

    Confidence and entropy are of the probabilities, before threshold and clean-up.

    Args:
        mask: (H, W) class indices, 0 is background; planes (K, H, W) of classes that may share
            pixels.
        confidence: the mean over pixels of the likeliest class's probability; of classes that may
            share pixels, the mean of each class's own, there or not there. Entropy likewise.
        entropy: the mean over pixels of the entropy of the classes, as a share of the largest
            possible: 0 is sure everywhere, 1 is knowing nothing.
        foreground_confidence: (C,), of the mask as it is, see `metrics.foreground_confidence`.
        probs: (K, H, W), or None where they were not kept.
    """

    mask: NDArray[np.uint8]
    confidence: float
    entropy: float
    foreground_confidence: NDArray[np.float64]
    probs: NDArray[np.float32] | None = None


def segment(
    strips: Strips, size: tuple[int, int], model: LoadedModel, *, keep_probs: bool = False
) -> Segmentation:
    """The segmentation of an image from its probabilities, of which few are in memory at a time.

    Args:
        strips: the probabilities.
        size: (H, W) of the image.
        model: gives the threshold, the clean-up and the classes.
        keep_probs: whether to keep all probabilities.

    Raises:
        NonFiniteError: a probability is NaN or infinite.
    """
    mask = np.empty((len(model.classes), *size) if model.overlap else size, dtype=np.uint8)
    kept: NDArray[np.float32] | None = None
    largest = entropy = 0.0
    confidence = ForegroundConfidence(len(model.classes))
    named = {name for names in model.postprocess.values() for name in names}
    # half precision: the probabilities of a large image are not all in memory
    cleaned = {
        index: np.empty(size, np.float16)
        for index, name in enumerate(model.classes, start=1)
        if name in named
    }
    for top, probs in strips:  # (K, h, W)
        end = top + probs.shape[1]
        if keep_probs:
            kept = np.empty((len(probs), *size), np.float32) if kept is None else kept
            kept[:, top:end] = probs
        step = max(1, BLOCK // size[1])
        for row in range(0, probs.shape[1], step):
            block = probs[:, row : row + step]
            largest += _largest(block, separate=not model.likeliest)
            entropy += _entropy(block, separate=not model.likeliest)
            rows = slice(top + row, top + row + block.shape[1])
            mask[..., rows, :] = decide(block, model.threshold, overlap=model.overlap)
            confidence.add(block, mask[..., rows, :])
            for index, kept_probs in cleaned.items():
                kept_probs[rows] = block[index - 1 + model.likeliest]
    if not np.isfinite(largest + entropy):
        raise NonFiniteError("the network gives no numbers for it (NaN or infinite)")
    pixels = size[0] * size[1]
    mask = clean_up(mask, model.postprocess, model.classes)
    for index, kept_probs in cleaned.items():
        confidence.replace(index, kept_probs, area_of(mask, index))
    return Segmentation(mask, largest / pixels, entropy / pixels, confidence.values(), kept)


def mask_of(probs: NDArray, model: LoadedModel) -> NDArray[np.uint8]:
    """The mask, as `decide` gives it, by a model's threshold and clean-up."""
    mask = decide(probs, model.threshold, overlap=model.overlap)
    return clean_up(mask, model.postprocess, model.classes)


def decide(
    probs: NDArray, threshold: float | Sequence[float], *, overlap: bool = False
) -> NDArray[np.uint8]:
    """Class indices (H, W) from probabilities (K, H, W); planes (K, H, W) where classes `overlap`.

    A single class is where its probability is above `threshold`, and so is each of those that
    overlap, which may have one threshold each; of several others the likeliest is taken.
    """
    if overlap:
        return (probs > np.float32(threshold).reshape(-1, 1, 1)).astype(np.uint8)
    if len(probs) == 1:
        return (probs[0] > threshold).astype(np.uint8)
    return probs.argmax(0).astype(np.uint8)


def clean_up(
    mask: NDArray[np.uint8], steps: Postprocess, classes: Sequence[str]
) -> NDArray[np.uint8]:
    """Class by class, keep the largest component, then fill holes, where `steps` name the class.

    Args:
        mask: (H, W) class indices, or (K, H, W) planes.
        steps: names of classes by step.
        classes: all names, index 1 first.
    """
    for index, name in enumerate(classes, start=1):
        if name in steps["largest_component"]:
            mask = largest_component(mask, index)
        if name in steps["fill_holes"]:
            mask = fill_holes(mask, index)
    return mask


def largest_component(mask: NDArray[np.uint8], index: int = 1) -> NDArray[np.uint8]:
    """A mask, as for `clean_up`, without all components of class `index` but the largest.

    Pixels are connected by 8 neighbours. Of components of one size the uppermost stays.
    """
    if mask.ndim == 3:
        return _in_plane(largest_component, mask, index)
    count, components, stats, _ = cv2.connectedComponentsWithStats(
        (mask == index).astype(np.uint8), connectivity=8
    )
    if count <= 2:
        return mask
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return np.where((components > 0) & (components != largest), 0, mask).astype(np.uint8)


def fill_holes(mask: NDArray[np.uint8], index: int = 1) -> NDArray[np.uint8]:
    """A mask, as for `clean_up`, in which the background that class `index` encloses is of it.

    Other classes inside stay. Background is connected by 4 neighbours, since the class is by 8.
    """
    if mask.ndim == 3:
        return _in_plane(fill_holes, mask, index)
    count, components = cv2.connectedComponents((mask != index).astype(np.uint8), connectivity=4)
    outside = np.zeros(count, dtype=bool)
    outside[0] = True  # the class itself
    for edge in (components[0], components[-1], components[:, 0], components[:, -1]):
        outside[edge] = True
    return np.where(~outside[components] & (mask == 0), index, mask).astype(np.uint8)


def _in_plane(
    step: Callable[[NDArray[np.uint8], int], NDArray[np.uint8]],
    planes: NDArray[np.uint8],
    index: int,
) -> NDArray[np.uint8]:
    planes = planes.copy()
    planes[index - 1] = step(planes[index - 1], 1)
    return planes


def _largest(probs: NDArray[np.float32], *, separate: bool) -> float:
    """The sum over pixels of the largest probability; NaN stays NaN.

    Of separate classes, the mean of the larger one of each class's p and 1 - p.
    """
    largest = np.maximum(probs, 1 - probs) if separate else probs.max(0)
    return float(largest.sum(dtype=np.float64)) / (len(probs) if separate else 1)


def _entropy(probs: NDArray[np.float32], *, separate: bool) -> float:
    """The sum over pixels of the entropy, as a share of the largest possible; NaN stays NaN."""
    each = [part for p in probs for part in (p, 1 - p)] if separate else list(probs)
    total = -sum(float(np.vdot(p, np.log(np.maximum(p, np.float32(1e-12))))) for p in each)
    return total / (np.log(2) * len(probs) if separate else np.log(len(probs)))
