"""A figure for papers: a row for each case, with image, reference and the outlines of networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seg.metrics.planes import IGNORE, areas
from seg.report import figures
from seg.report.contours import handle, outline
from seg.report.panels import (
    CELL,
    add_legend,
    as_rgb,
    case_dice,
    legend,
    outline_classes,
    shortened,
    show,
    shrunk,
)  # fmt: skip
from seg.report.text import cut

REFERENCE = "#ffffff"  # dotted
LABEL = 34  # characters of a network's name


@dataclass(frozen=True)
class ShownCase:
    """A case with the masks of all networks.

    Args:
        name: of the case.
        image: (H, W, C) in 0-255.
        reference: (H, W) class indices, or (K, H, W) planes.
        predictions: likewise, in the order of the networks.
    """

    name: str
    image: NDArray
    reference: NDArray[np.uint8]
    predictions: Sequence[NDArray[np.uint8]]


def draw(
    cases: Sequence[ShownCase],
    networks: Sequence[str],
    path: Path,
    *,
    class_names: Sequence[str],
    also: Sequence[str] = (),
) -> None:
    """Write the figure.

    Args:
        cases: a row each.
        networks: what the networks are called, a column each.
        path: of the PNG.
        class_names: without background.
        also: formats beside the PNG, as in `figures.save`.
    """
    columns = 2 + len(networks)
    size = columns * CELL + 0.2, len(cases) * (CELL + 0.25) + 0.9
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    axes = figure.subplots(len(cases), columns, squeeze=False)
    ignored = False
    for row, case in enumerate(cases):
        small, reference, *masks = shrunk(case.image, case.reference, *case.predictions)
        picture = as_rgb(small)
        show(axes[row, 0], picture, shortened(case.name))
        show(axes[row, 1], picture, "" if row else "reference")
        ignored |= outline_classes(axes[row, 1], reference)
        shown = zip(axes[row, 2:], networks, masks, case.predictions, strict=True)
        for axis, network, mask, whole in shown:
            dice = f"Dice {case_dice(case.reference, whole, len(class_names)):.3f}"
            show(axis, picture, dice if row else f"{cut(network, LABEL)}\n{dice}")
            _outline_reference(axis, reference)
            outline_classes(axis, mask)
    entries = legend(class_names, ignored=ignored, errors=False)
    add_legend(figure, [*entries, handle(REFERENCE, "reference, beside a prediction", "dotted")])
    figures.save(figure, path, also)


def _outline_reference(axis: Axes, reference: NDArray) -> None:
    for index, area in areas(reference).items():
        if index != IGNORE:
            outline(axis, area, REFERENCE, style="dotted")
