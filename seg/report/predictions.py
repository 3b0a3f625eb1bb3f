"""Predictions to look at: a mask over its image, a contact sheet, a table, and a summary."""

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from seg.data.errors import DataError
from seg.data.images import read_stack
from seg.inference.files.mask_file import Colour
from seg.inference.files.output import MaskWriter
from seg.inference.files.reading import File
from seg.inference.model import LoadedModel
from seg.metrics.planes import areas
from seg.report import figures
from seg.report.audit import contact_sheet
from seg.report.palette import class_colour
from seg.report.panels import as_rgb

LONGEST = 2048  # pixels of an overlay's longer side
COLUMN = 3.5  # inches, the width of one for papers
SHEET = 40  # pictures
FIRST = 5  # images that are named for review, where there are twice as many
_DRAWING = Lock()  # matplotlib's settings are those of all threads
Row = Mapping[str, Any]  # of the table; "remarks" are the warnings of the image


def colours(values: Mapping[str, Any] | None, classes: Sequence[str]) -> list[Colour]:
    """The colour of each class: its own in the training masks if they were colours, else ours.

    `values` are `dataset.classes` of the training.
    """
    chosen = []
    for index, name in enumerate(classes, start=1):
        value = (values or {}).get(name)
        colour = to_rgb(class_colour(index))
        if isinstance(value, str) and value.startswith("#"):
            colour = to_rgb(value)
        elif isinstance(value, list) and len(value) == 3 and all(isinstance(c, int) for c in value):
            colour = tuple(c / 255 for c in value)
        red, green, blue = (round(255 * c) for c in colour)
        chosen.append((red, green, blue))
    return chosen


def overlay(
    image: NDArray,
    mask: NDArray[np.uint8],
    path: Path,
    *,
    shades: Sequence[Colour],
    form: str | None = None,
) -> None:
    """Write a picture of an image (H, W, C) with the classes of its mask, (H, W) class indices or
    (K, H, W) planes, outlined.

    Args:
        shades: the colour of each class.
        form: `pdf`, `svg` or `png` for papers; None: a PNG for the screen.
    """
    if form is not None:
        with _DRAWING, path.open("wb") as handle:
            figures.printed(_figure(image, mask, shades), handle, form)
        return
    rows, columns = mask.shape[-2:]
    scale = min(1.0, LONGEST / max(rows, columns))
    parts = {index: area.astype(np.uint8) for index, area in areas(mask).items()}
    if scale < 1:
        size = max(1, round(columns * scale)), max(1, round(rows * scale))
        image = cv2.resize(np.ascontiguousarray(as_rgb(image)), size, interpolation=cv2.INTER_AREA)
        nearest = cv2.INTER_NEAREST_EXACT
        parts = {k: cv2.resize(area, size, interpolation=nearest) for k, area in parts.items()}
    drawn = as_rgb(image).copy()
    width = 2 if max(drawn.shape) > 700 else 1
    for index, area in parts.items():
        lines, _ = cv2.findContours(area, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, lines, -1, (0, 0, 0), width + 2)
        cv2.drawContours(drawn, lines, -1, tuple(shades[index - 1]), width)
    done, data = cv2.imencode(".png", drawn[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise ValueError(f"{path.name}: its overlay cannot be made a PNG")
    path.write_bytes(data.tobytes())


def _figure(image: NDArray, mask: NDArray[np.uint8], shades: Sequence[Colour]) -> Figure:
    """The same as a figure of one column's width, whose outlines are lines."""
    rows, columns = mask.shape[-2:]
    figure = Figure(figsize=(COLUMN, COLUMN * rows / columns))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(as_rgb(image), interpolation="none", aspect="auto")
    axes.set_axis_off()
    for index, area in areas(mask).items():
        lines, _ = cv2.findContours(area.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        drawn = axes.add_collection(LineCollection(
            [np.vstack([line, line[:1]])[:, 0] for line in lines],
            colors=[[c / 255 for c in shades[index - 1]]], linewidths=1,
        ))  # fmt: skip
        drawn.set_path_effects([withStroke(linewidth=2, foreground="black")])
    return figure


def sheet(
    rows: Sequence[Row],
    files: Sequence[File],
    model: LoadedModel,
    writer: MaskWriter,
    *,
    folder: Path,
    path: Path,
) -> None:
    """Draw a contact sheet of images with the outlines of their masks, those with warnings and of
    lowest confidence first.

    Args:
        rows: of the table.
        files: the images.
        folder: where `writer` has written the masks.
        path: of the picture.
    """
    pictures = {picture.name: picture for file in files for picture in file.pictures()}
    prepared = model.preprocessing

    def read(index: int) -> tuple[NDArray | None, NDArray | None]:
        picture = pictures[rows[index]["image"]]
        file, plane = picture.file, picture.plane
        try:
            options = {"channels": prepared.channels, "window": prepared.window}
            image = read_stack(file.input.paths, plane=plane, **options)
        except DataError:
            return None, None
        masks = [folder / rows[index][key] for key in writer.masks_of(file, picture.index)]
        return image, writer.read_back(file, masks, plane)

    odd: dict[str, list[int]] = defaultdict(list)
    cases = []
    first = {row["image"] for row in review_first(rows)}
    for index, row in enumerate(rows):
        for kind, _ in row["remarks"]:
            odd[kind].append(index)
        if row["image"] in first:
            odd["low confidence"].append(index)
        size = (row["height"], row["width"])
        # what an older version has recorded
        every = sum(row[f"{name}_pixels"] for name in model.classes)
        share = row.get("foreground_pixels", every) / (size[0] * size[1])
        cases.append({"case": row["image"], "size": size, "foreground": share})
    audit = {
        "classes": dict.fromkeys(["background", *model.classes]),
        "count": len(rows),
        "cases": cases,
        "errors": [],
        "warnings": [{"kind": kind, "cases": which} for kind, which in odd.items()],
    }
    contact_sheet(audit, read, path, limit=SHEET)


def table(
    rows: Sequence[Row], failed: Mapping[str, str], classes: Sequence[str], *, overlap: bool = False
) -> str:
    """The text of predictions.csv; an image in `failed` has its reason as a note alone.

    Where classes `overlap`, each has a mask file of its own.
    """
    of_each = ["pixels", "mm2", "components", *(["mask_confidence"] if len(classes) > 1 else [])]
    figures = [f"{name}_{what}" for name in classes for what in of_each]
    figures += ["foreground_confidence", "confidence", "entropy"]
    masks = [f"mask_{name}" for name in classes] if overlap else ["mask"]
    columns = ["image", *masks, "height", "width", *figures, "seconds"]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*columns, "note"], extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({**row, "note": "; ".join(map(_warning, row["remarks"]))})
    for image, reason in failed.items():
        writer.writerow({"image": image, "note": f"failed: {' '.join(reason.split())}"})
    return text.getvalue()


def summary(rows: Sequence[Row]) -> list[str]:
    """A line for each kind of warning, with how many images have it and one of them."""
    images: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        for kind, detail in row["remarks"]:
            images[kind].append(f"{row['image']}: {detail}" if detail else row["image"])
    most_first = sorted(images.items(), key=lambda item: -len(item[1]))
    return [f"{len(some)} of {len(rows)}: {kind} ({some[0]})" for kind, some in most_first]


def review_first(rows: Sequence[Row]) -> list[Row]:
    """The images of lowest foreground confidence, the lowest first; none where there are few, or
    where an earlier version has recorded them without it.
    """
    known = [row for row in rows if "foreground_confidence" in row]
    ordered = sorted(known, key=lambda row: row["foreground_confidence"])
    return ordered[:FIRST] if len(known) >= 2 * FIRST else []


def _warning(remark: Sequence[str]) -> str:
    kind, detail = remark
    return f"{kind} ({detail})" if detail else kind
