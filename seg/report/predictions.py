"""Predictions to look at: a mask over its image, a sheet of many, a table, and what is odd."""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from seg.report.audit import contact_sheet
from seg.report.panels import as_rgb, class_colour

LONGEST = 2048  # pixels of an overlay's longer side
TINT = 0.3
SHEET = 40  # pictures


def colours(claims: Mapping[str, Any] | None, classes: Sequence[str]) -> list[tuple[int, int, int]]:
    """(R, G, B) of each class: its own in the training masks, where they were colours; else ours.

    claims: `dataset.classes` of the training.
    """
    found = []
    for index, name in enumerate(classes, start=1):
        claim = (claims or {}).get(name)
        colour = to_rgb(class_colour(index))
        if isinstance(claim, str) and claim.startswith("#"):
            colour = to_rgb(claim)
        elif isinstance(claim, list) and len(claim) == 3 and all(isinstance(c, int) for c in claim):
            colour = tuple(c / 255 for c in claim)
        red, green, blue = (round(255 * c) for c in colour)
        found.append((red, green, blue))
    return found


def overlay(
    image: NDArray, mask: NDArray[np.uint8], path: Path, *, shades: Sequence[tuple[int, int, int]]
) -> None:
    """Write the image (H, W, C), its classes tinted and outlined; at most LONGEST pixels wide.

    shades: (R, G, B) of each class, from 1.
    """
    scale = min(1.0, LONGEST / max(mask.shape))
    if scale < 1:
        size = max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale))
        image = cv2.resize(np.ascontiguousarray(as_rgb(image)), size, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT)
    shown = as_rgb(image).astype(np.float32)
    table = np.zeros((256, 3), np.float32)
    table[1 : len(shades) + 1] = shades
    share = (TINT * (mask > 0)).astype(np.float32)[..., None]
    drawn = np.ascontiguousarray((shown * (1 - share) + table[mask] * share).astype(np.uint8))
    width = 2 if max(mask.shape) > 700 else 1
    for index, shade in enumerate(shades, start=1):
        area = (mask == index).astype(np.uint8)
        if not area.any():
            continue
        lines, _ = cv2.findContours(area, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, lines, -1, (0, 0, 0), width + 2)
        cv2.drawContours(drawn, lines, -1, tuple(shade), width)
    done, data = cv2.imencode(".png", drawn[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise ValueError(f"{path.name}: its overlay cannot be made a PNG")
    path.write_bytes(data.tobytes())


def sheet(
    rows: Sequence[Mapping[str, Any]],
    read: Callable[[int], tuple[NDArray | None, NDArray | None]],
    path: Path,
    *,
    classes: Sequence[str],
) -> None:
    """A contact sheet: images with the outlines of their masks, odd ones first.

    rows: of the table. read: image and class indices of a row.
    """
    odd: dict[str, list[int]] = defaultdict(list)
    cases = []
    for index, row in enumerate(rows):
        for kind, _ in row["remarks"]:
            odd[kind].append(index)
        pixels = sum(row[f"{name}_pixels"] for name in classes)
        size = (row["height"], row["width"])
        share = pixels / (size[0] * size[1])
        cases.append({"case": row["image"], "size": size, "foreground": share})
    found = {
        "classes": dict.fromkeys(["background", *classes]),
        "count": len(rows),
        "cases": cases,
        "errors": [],
        "warnings": [{"kind": kind, "cases": which} for kind, which in odd.items()],
    }
    contact_sheet(found, read, path, limit=SHEET)


def columns(classes: Sequence[str]) -> list[str]:
    """Of the table, in order."""
    figures = [f"{name}_{what}" for name in classes for what in ("pixels", "mm2", "components")]
    return [
        "image",
        "mask",
        "height",
        "width",
        *figures,
        "confidence",
        "entropy",
        "seconds",
        "note",
    ]


def table(
    rows: Sequence[Mapping[str, Any]], failed: Mapping[str, str], classes: Sequence[str]
) -> str:
    """All predictions as CSV; those that failed have a note alone. failed: image to reason."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(classes), restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        kept = {k: v for k, v in row.items() if k != "remarks"}
        writer.writerow(kept | {"note": "; ".join(map(_said, row["remarks"]))})
    for image, reason in failed.items():
        writer.writerow({"image": image, "note": f"failed: {' '.join(reason.split())}"})
    return text.getvalue()


def summary(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each way in which images are unlike the training's, with how many and one."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        for kind, detail in row["remarks"]:
            found[kind].append(f"{row['image']}: {detail}" if detail else row["image"])
    most_first = sorted(found.items(), key=lambda item: -len(item[1]))
    return [f"{len(which)} of {len(rows)}: {kind} ({which[0]})" for kind, which in most_first]


def _said(remark: Sequence[str]) -> str:
    kind, detail = remark
    return f"{kind} ({detail})" if detail else kind
