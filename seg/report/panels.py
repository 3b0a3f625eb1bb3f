"""Panels: a row for each case with image, reference, prediction, and where these differ."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from seg.data.masks import IGNORE
from seg.data.preprocess import image_to_size
from seg.metrics.overlap import class_dice
from seg.metrics.planes import areas
from seg.runs import atomic

# Okabe and Ito's colours, which people with any colour vision can tell apart.
HIT, MISS, FALSE_ALARM, CONFUSED = "#009E73", "#D55E00", "#56B4E9", "#F0E442"
CLASS_COLOURS = (
    "#FFFFFF", "#E69F00", "#0072B2", "#CC79A7", "#009E73", "#F0E442", "#56B4E9", "#D55E00",
)  # fmt: skip
IGNORED_COLOUR = "#808080"
CONTOURS = cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
LARGEST = 1024  # pixels along a side of what is drawn
COLUMNS = ("image", "reference", "prediction", "overlay")


def as_rgb(image: NDArray) -> NDArray[np.uint8]:
    """(H, W, C) in 0-255 to (H, W, 3) uint8: the first three channels, or the first in grey."""
    shown = image[..., : 3 if image.shape[2] >= 3 else 1]
    return np.broadcast_to(np.clip(shown, 0, 255).astype(np.uint8), (*image.shape[:2], 3))


def class_colour(index: int) -> str:
    """The colour of a class, by its index from 1; they repeat after the eighth."""
    return CLASS_COLOURS[(index - 1) % len(CLASS_COLOURS)]


def colour_classes(mask: NDArray) -> NDArray[np.float64]:
    """A mask, (H, W) class indices or (K, H, W) planes, as (H, W, 3) in 0-1.

    Background is black, ignored pixels are grey. A class that lies on another is drawn on top if it
    is smaller, and every class that shares pixels has its outline.
    """
    shown = np.zeros((*mask.shape[-2:], 3))
    every = areas(mask)
    for index in sorted(every, key=lambda k: -np.count_nonzero(every[k])):
        shown[every[index]] = to_rgb(IGNORED_COLOUR if index == IGNORE else class_colour(index))
    if mask.ndim == 3:
        width = 1 + max(mask.shape[-2:]) // 400
        for index, area in every.items():
            if index != IGNORE:
                lines, _ = cv2.findContours(area.astype(np.uint8), *CONTOURS)
                cv2.drawContours(shown, lines, -1, to_rgb(class_colour(index)), width)
    return shown


def overlay(image: NDArray, reference: NDArray, prediction: NDArray) -> NDArray[np.float64]:
    """The image (H, W, C) with hits, misses and errors tinted: (H, W, 3) in 0-1.

    Where classes may share pixels, a hit is a pixel of all its classes and of no other.
    """
    shown = as_rgb(image) / 255.0
    valid = reference != IGNORE
    shape = -1, *shown.shape[:2]  # of planes; indices are a single one
    truth, called = (np.where(valid, m, 0).reshape(shape) for m in (reference, prediction))
    true, positive, equal = (truth > 0).any(0), (called > 0).any(0), (truth == called).all(0)
    parts = {
        HIT: true & positive & equal,
        CONFUSED: true & positive & ~equal,
        MISS: true & ~positive,
        FALSE_ALARM: positive & ~true,
    }
    for colour, area in parts.items():
        shown[area] = 0.45 * shown[area] + 0.55 * np.asarray(to_rgb(colour))
    return shown


def case_dice(reference: NDArray, prediction: NDArray, classes: int) -> float:
    """Mean over classes 1 to `classes` of two masks; an empty pair scores 1."""
    return float(np.mean([class_dice(reference, prediction, k) for k in range(1, classes + 1)]))


def shrunk(image: NDArray, *masks: NDArray) -> tuple[NDArray, ...]:
    """An image (H, W, C) and its masks, brought to a size that a picture of it needs."""
    longest = max(image.shape[:2])
    if longest <= LARGEST:
        return image, *masks
    height, width = (max(1, side * LARGEST // longest) for side in image.shape[:2])
    small = image_to_size(np.ascontiguousarray(image), (height, width))
    rows, columns = (  # nearest neighbour, of indices (H, W) and of planes (K, H, W)
        ((np.arange(new) + 0.5) * old / new).astype(np.intp)
        for new, old in zip((height, width), image.shape, strict=False)
    )
    return small, *(mask[..., rows[:, None], columns] for mask in masks)


def draw(
    names: Sequence[str],
    images: Sequence[NDArray],
    references: Sequence[NDArray],
    predictions: Sequence[NDArray],
    title: str,
    path: Path,
    *,
    class_names: Sequence[str],
) -> NDArray[np.uint8]:
    """Write the panels of some cases to `path`, and return the picture (H, W, 3).

    Args:
        names: of the cases.
        images: (N, H, W, C) in 0-255; in lists where cases are of many sizes.
        references: (N, H, W) class indices, 1 is the first of `class_names`; or (N, K, H, W)
            planes, where these may share pixels.
        predictions: likewise.
        title: of the picture.
        path: of the PNG.
        class_names: without background.
    """
    rows, cell = len(names), 2.3
    figure = Figure(
        figsize=(4 * cell + 0.2, rows * (cell + 0.25) + 0.9), dpi=100, layout="constrained"
    )
    axes = figure.subplots(rows, len(COLUMNS), squeeze=False)
    for row, (name, image, reference, prediction) in enumerate(
        zip(names, images, references, predictions, strict=True)
    ):
        score = case_dice(reference, prediction, len(class_names))
        small = shrunk(image, reference, prediction)
        masks = map(colour_classes, small[1:])
        cells = (as_rgb(small[0]), *masks, overlay(*small))
        shown = name if len(name) <= 30 else f"…{name[-29:]}"
        captions = (shown, "reference", "prediction", f"Dice {score:.3f}")
        for axis, picture, caption in zip(axes[row], cells, captions, strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.set_title(caption, fontsize=8, parse_math=False)
            axis.set_axis_off()
    legend = [("hit", HIT), ("miss", MISS), ("false alarm", FALSE_ALARM)]
    if len(class_names) > 1:
        legend.append(("wrong class", CONFUSED))
        legend = [*zip(class_names, CLASS_COLOURS, strict=False), *legend]
    drawn = figure.legend(
        handles=[Patch(fc=colour, ec="0.5", label=label) for label, colour in legend],
        loc="outside lower center",
        ncols=len(legend),
        frameon=False,
        fontsize=9,
    )
    for text in drawn.get_texts():
        text.set_parse_math(False)
    figure.suptitle(title, fontsize=11, parse_math=False)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    with atomic.replacing(path) as handle:
        figure.savefig(handle, format="png")
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
