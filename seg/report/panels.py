"""Panels: a row for each case with image, reference, prediction, and where these differ."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from PIL import Image

from seg.data.masks import IGNORE
from seg.data.preprocess import image_to_size
from seg.metrics.overlap import class_dice
from seg.metrics.planes import areas
from seg.report import figures
from seg.report.contours import handle, is_thin, outline
from seg.report.palette import CONFUSED, FALSE_ALARM, HIT, IGNORED, MISS, class_colour

LARGEST = 1024  # pixels along a side of what is drawn
CELL = 2.3  # inches
TINT = 0.3  # of errors; a hit is an outline alone
THIN_TINT = 0.8  # of vessels and the like, whose outlines would hide one another
OUTCOMES = {"hit": HIT, "miss": MISS, "false alarm": FALSE_ALARM, "wrong class": CONFUSED}
IN_A_ROW = 6  # entries of the legend


def as_rgb(image: NDArray) -> NDArray[np.uint8]:
    """(H, W, C) in 0-255 to (H, W, 3) uint8: the first three channels, or the first in grey."""
    shown = image[..., : 3 if image.shape[2] >= 3 else 1]
    return np.broadcast_to(np.clip(shown, 0, 255).astype(np.uint8), (*image.shape[:2], 3))


def outcomes(reference: NDArray, prediction: NDArray) -> dict[str, NDArray[np.bool_]]:
    """Where a prediction is a hit, a miss, a false alarm, or the wrong class: (H, W) each.

    Where classes may share pixels, a hit is a pixel of all its classes and of no other. Ignored
    pixels are none of these.

    Args:
        reference: (H, W) class indices, or (K, H, W) planes.
        prediction: likewise.
    """
    valid = reference != IGNORE
    shape = -1, *reference.shape[-2:]  # of planes; indices are a single one
    truth, called = (np.where(valid, m, 0).reshape(shape) for m in (reference, prediction))
    true, positive, equal = (truth > 0).any(0), (called > 0).any(0), (truth == called).all(0)
    return {
        "hit": true & positive & equal,
        "miss": true & ~positive,
        "false alarm": positive & ~true,
        "wrong class": true & positive & ~equal,
    }


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


def show(axis: Axes, picture: NDArray, caption: str) -> None:
    """Draw a picture (H, W, 3) without axes."""
    axis.imshow(picture)
    axis.set_title(caption, fontsize=8, parse_math=False)
    axis.set_axis_off()
    for side in (axis.xaxis, axis.yaxis):  # else the layout measures labels that are not drawn
        side.set_visible(False)


def outline_classes(axis: Axes, mask: NDArray) -> bool:
    """Draw the outlines of a mask, (H, W) class indices or (K, H, W) planes.

    Returns:
        Whether some of its pixels are ignored, which has a dotted outline.
    """
    every = areas(mask)
    for index, area in every.items():
        if index == IGNORE:
            outline(axis, area, IGNORED, style="dotted")
        else:
            outline(axis, area, class_colour(index))
    return IGNORE in every


def _show_outcomes(axis: Axes, picture: NDArray, *masks: NDArray, caption: str) -> None:
    """The image in grey, so that the colours of errors are told apart on any tissue."""
    grey = (picture @ np.array([0.299, 0.587, 0.114]) / 255)[..., None]
    shown = np.repeat(0.15 + 0.6 * grey, 3, axis=2)  # neither black nor as bright as a hit
    areas_of = outcomes(*masks)
    thin = is_thin(np.any(list(areas_of.values()), axis=0))
    tint = THIN_TINT if thin else TINT
    for name, area in areas_of.items():
        if thin or name != "hit":
            shown[area] = (1 - tint) * shown[area] + tint * np.asarray(to_rgb(OUTCOMES[name]))
    show(axis, shown, caption)
    for name, area in areas_of.items() if not thin else ():
        outline(axis, area, OUTCOMES[name])


def shortened(name: str, length: int = 30) -> str:
    """The end of a name, which tells cases apart."""
    return name if len(name) <= length else f"…{name[1 - length :]}"


def draw(
    names: Sequence[str],
    images: Sequence[NDArray],
    references: Sequence[NDArray],
    predictions: Sequence[NDArray],
    title: str,
    path: Path,
    *,
    class_names: Sequence[str],
    also: Sequence[str] = (),
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
        also: formats beside the PNG, as in `figures.save`.
    """
    rows, ignored = len(names), False
    figure = Figure(
        figsize=(4 * CELL + 0.2, rows * (CELL + 0.25) + 0.9), dpi=100, layout="constrained"
    )
    axes = figure.subplots(rows, 4, squeeze=False)
    for row, (name, image, *whole) in enumerate(
        zip(names, images, references, predictions, strict=True)
    ):
        score = case_dice(*whole, len(class_names))
        small, *masks = shrunk(image, *whole)
        picture = as_rgb(small)
        show(axes[row, 0], picture, shortened(name))
        for axis, mask, caption in zip(
            axes[row, 1:3], masks, ("reference", "prediction"), strict=True
        ):
            show(axis, picture, caption)
            ignored |= outline_classes(axis, mask)
        _show_outcomes(axes[row, 3], picture, *masks, caption=f"Dice {score:.3f}")
    add_legend(figure, legend(class_names, ignored=ignored, errors=True))
    figure.suptitle(title, fontsize=11, parse_math=False)
    figures.save(figure, path, also)
    with Image.open(path) as picture:  # to draw once more would take longer
        return np.array(picture.convert("RGB"))


def legend(class_names: Sequence[str], *, ignored: bool, errors: bool) -> list[Line2D]:
    """The entries of all classes, of ignored pixels, and of hits and errors."""
    handles = [handle(class_colour(k), name) for k, name in enumerate(class_names, start=1)]
    handles += [handle(IGNORED, "ignored", "dotted")] if ignored else []
    names = list(OUTCOMES)[: 4 if len(class_names) > 1 else 3] if errors else []
    return handles + [handle(OUTCOMES[name], name) for name in names]


def add_legend(figure: Figure, handles: Sequence[Line2D]) -> None:
    """Put a legend below a figure, in as many rows as it needs."""
    rows = -(-len(handles) // IN_A_ROW)
    drawn = figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=-(-len(handles) // rows),
        frameon=False,
        fontsize=9,
    )
    for text in drawn.get_texts():
        text.set_parse_math(False)
