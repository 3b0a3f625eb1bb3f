"""Panels: a row for each case with image, reference, prediction, and where these differ."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from seg.data.masks import IGNORE
from seg.runs import atomic

# Okabe and Ito's colours, which people with any colour vision can tell apart.
HIT, MISS, FALSE_ALARM, CONFUSED = "#009E73", "#D55E00", "#56B4E9", "#F0E442"
CLASS_COLOURS = (
    "#FFFFFF", "#E69F00", "#0072B2", "#CC79A7", "#009E73", "#F0E442", "#56B4E9", "#D55E00",
)  # fmt: skip
IGNORED_COLOUR = "#808080"
COLUMNS = ("image", "reference", "prediction", "overlay")


def as_rgb(image: NDArray) -> NDArray[np.uint8]:
    """(H, W, C) in 0-255 to (H, W, 3) uint8: the first three channels, or the first in grey."""
    shown = image[..., : 3 if image.shape[2] >= 3 else 1]
    return np.broadcast_to(np.clip(shown, 0, 255).astype(np.uint8), (*image.shape[:2], 3))


def class_colour(index: int) -> str:
    """The colour of a class, by its index from 1; they repeat after the eighth."""
    return CLASS_COLOURS[(index - 1) % len(CLASS_COLOURS)]


def colour_classes(mask: NDArray) -> NDArray[np.float64]:
    """(H, W) class indices to (H, W, 3) in 0-1: background black, ignored pixels grey."""
    palette = np.zeros((256, 3))
    for index in range(1, 255):
        palette[index] = to_rgb(class_colour(index))
    palette[IGNORE] = to_rgb(IGNORED_COLOUR)
    return palette[mask]


def overlay(image: NDArray, reference: NDArray, prediction: NDArray) -> NDArray[np.float64]:
    """The image (H, W, C) with hits, misses and errors tinted: (H, W, 3) in 0-1."""
    shown = as_rgb(image) / 255.0
    valid = reference != IGNORE
    true, positive = (reference > 0) & valid, (prediction > 0) & valid
    areas = {
        HIT: true & positive & (reference == prediction),
        CONFUSED: true & positive & (reference != prediction),
        MISS: true & ~positive,
        FALSE_ALARM: positive & ~true,
    }
    for colour, area in areas.items():
        shown[area] = 0.45 * shown[area] + 0.55 * np.asarray(to_rgb(colour))
    return shown


def case_dice(reference: NDArray, prediction: NDArray, classes: int) -> float:
    """Mean over classes 1 to `classes` of two masks (H, W); an empty pair scores 1."""
    valid = reference != IGNORE
    scores = []
    for index in range(1, classes + 1):
        a, b = (reference == index) & valid, (prediction == index) & valid
        total = np.count_nonzero(a) + np.count_nonzero(b)
        scores.append(2 * np.count_nonzero(a & b) / total if total else 1.0)
    return float(np.mean(scores))


def draw(
    names: Sequence[str],
    images: NDArray,
    references: NDArray,
    predictions: NDArray,
    title: str,
    path: Path,
    *,
    class_names: Sequence[str],
) -> NDArray[np.uint8]:
    """Write the panels of some cases to `path`, and return the picture (H, W, 3).

    Args:
        names: of the cases.
        images: (N, H, W, C) in 0-255.
        references: (N, H, W) class indices, 1 is the first of `class_names`.
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
        cells = (
            as_rgb(image),
            colour_classes(reference),
            colour_classes(prediction),
            overlay(image, reference, prediction),
        )
        score = case_dice(reference, prediction, len(class_names))
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
