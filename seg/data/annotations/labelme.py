"""LabelMe's annotation files: a JSON beside each image. https://github.com/wkentaro/labelme"""

import base64
import json
import os
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from PIL import Image

from seg.data.annotations.shapes import Shape, circle
from seg.data.errors import DataError, data_errors

AREAS = ("polygon", "rectangle", "circle", "mask")  # shapes that have pixels inside


@dataclass(frozen=True)
class LabelMe:
    """The content of one file."""

    path: Path
    content: dict[str, Any]

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the image, if the file states them."""
        height, width = (self.content.get(key) for key in ("imageHeight", "imageWidth"))
        return (height, width) if height and width else None

    @property
    def image(self) -> Path:
        """Where the image is: as the file says, or beside it by its name, or within the file."""
        named = PureWindowsPath(str(self.content.get("imagePath") or ""))  # takes both slashes
        said = os.path.normpath(self.path.parent / Path(*named.parts))
        beside = [Path(said), self.path.parent / named.name]
        if found := [path for path in beside if named.name and path.is_file()]:
            return found[0]
        return self.path if self.content.get("imageData") else beside[-1]

    @property
    def labels(self) -> list[str]:
        """The classes of its areas, each once."""
        areas = (s for s in self.content["shapes"] if _kind(s) in AREAS)
        return list(dict.fromkeys(str(s["label"]) for s in areas))

    @property
    def without_area(self) -> list[str]:
        """The kinds of its shapes that have no pixels, such as point and line."""
        return [kind for s in self.content["shapes"] if (kind := _kind(s)) not in AREAS]

    def shapes(self, size: tuple[int, int]) -> list[Shape]:
        """Its areas, in the order of the file."""
        with data_errors(self.path):
            areas = [s for s in self.content["shapes"] if _kind(s) in AREAS]
            return [Shape(str(s["label"]), _parts(s, size)) for s in areas]


def load(path: Path) -> LabelMe:
    """The content of a file. Raises DataError for a file that is not of LabelMe."""
    with data_errors(path):
        status = path.stat()
    return _load(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=10_000)
def _load(path: Path, modified: int, size: int) -> LabelMe:
    with data_errors(path):
        content = json.loads(path.read_bytes())
    shapes = content.get("shapes") if isinstance(content, dict) else None
    if not isinstance(shapes, list) or not all("label" in s and "points" in s for s in shapes):
        is_coco = isinstance(content, dict) and "annotations" in content
        fix = f"dataset=coco dataset.annotations={path}" if is_coco else "take it out"
        raise DataError(path, "is no file of LabelMe, it has no shapes with labels", fix)
    content["imageData"] = bool(content.get("imageData"))  # megabytes, which nobody needs here
    return LabelMe(path, content)


def _kind(shape: dict[str, Any]) -> str:
    return shape.get("shape_type") or "polygon"


def _parts(shape: dict[str, Any], size: tuple[int, int]) -> list[np.ndarray]:
    points = np.asarray(shape["points"], dtype=float).reshape(-1, 2)
    kind = _kind(shape)
    if kind == "circle":
        return [circle(points[0], points[1])]
    if kind == "rectangle" and len(points) == 2:
        (left, top), (right, bottom) = points
        return [np.array([(left, top), (right, top), (right, bottom), (left, bottom)])]
    if kind == "mask":  # a picture of the pixels between two corners
        mask = np.zeros(size, dtype=bool)
        with Image.open(BytesIO(base64.b64decode(shape["mask"]))) as picture:
            part = np.array(picture) > 0
        left, top = points[0].round().astype(int)
        place = mask[top : top + part.shape[0], left : left + part.shape[1]]
        place[:] = part[: place.shape[0], : place.shape[1]]
        return [mask]
    return [points] if len(points) >= 3 else []
