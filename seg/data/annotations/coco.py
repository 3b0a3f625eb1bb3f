"""COCO's annotation files: the objects of all images of a set in one JSON.

Lin et al. 2014, arXiv:1405.0312; the format is described at https://cocodataset.org/#format-data.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seg.data.annotations.shapes import Shape
from seg.data.errors import DataError, data_errors


@dataclass(frozen=True)
class Coco:
    """The content of one file.

    Args:
        categories: id -> name, in the order of the file.
        images: id -> record with file_name and, mostly, height and width.
        objects: image id -> its annotations, in the order of the file.
        strays: annotations of images or categories that the file does not have.
    """

    path: Path
    categories: dict[int, str]
    images: dict[int, dict[str, Any]]
    objects: dict[int, list[dict[str, Any]]]
    strays: int

    def size(self, image: int) -> tuple[int, int] | None:
        """Height and width of an image, if the file states them."""
        record = self.images[image]
        return (record["height"], record["width"]) if {"height", "width"} <= record.keys() else None

    def labels(self, image: int) -> list[str]:
        """The classes that an image has, each once."""
        names = (self.categories[o["category_id"]] for o in self.objects.get(image, ()))
        return list(dict.fromkeys(names))

    def shapes(self, image: int, size: tuple[int, int]) -> list[Shape]:
        """The objects of an image, crowds included. Raises DataError for one that is only a box."""
        with data_errors(self.path):
            return [
                Shape(self.categories[o["category_id"]], self._parts(o, size))
                for o in self.objects.get(image, ())
            ]

    def _parts(self, item: Mapping[str, Any], size: tuple[int, int]) -> Sequence[np.ndarray]:
        shape = item.get("segmentation")
        name = f"annotation {item.get('id')} of image {item['image_id']}"
        if not shape:
            raise DataError(self.path, f"{name} is a box without segmentation", "outline it first")
        if isinstance(shape, list):
            polygons = [np.asarray(part, dtype=float).reshape(-1, 2) for part in shape]
            return [points for points in polygons if len(points) >= 3]
        if tuple(shape["size"]) != tuple(size):
            height, width = shape["size"]
            reason = f"{name} is {width}x{height}, its image {size[1]}x{size[0]}"
            raise DataError(self.path, reason, "save both of one size")
        return [decode_rle(shape["counts"], size)]


def load(path: Path) -> Coco:
    """The content of a file, which is parsed once. Raises DataError where it is no COCO file."""
    with data_errors(path):
        status = path.stat()
    return _load(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _load(path: Path, modified: int, size: int) -> Coco:
    with data_errors(path):
        content = json.loads(path.read_bytes())
    keys = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(k), list) for k in keys):
        fix = "dataset=labelme reads one JSON for each image"
        raise DataError(path, f"is no COCO file, it lacks {', '.join(keys)}", fix)
    try:
        categories = {c["id"]: str(c["name"]) for c in content["categories"]}
        images = {i["id"]: i for i in content["images"]}
        if any("file_name" not in image for image in images.values()):
            raise KeyError("file_name")
        objects: dict[int, list[dict[str, Any]]] = {}
        strays = 0
        for item in content["annotations"]:
            if item["image_id"] in images and item["category_id"] in categories:
                objects.setdefault(item["image_id"], []).append(item)
            else:
                strays += 1
    except (KeyError, TypeError) as error:
        raise DataError(
            path, f"a COCO file of which a record lacks {error}", "export it anew"
        ) from error
    if twice := [name for name, n in Counter(categories.values()).items() if n > 1]:
        raise DataError(path, f"two categories are called {twice[0]}", "rename one of them")
    return Coco(path, categories, images, objects, strays)


def decode_rle(counts: Sequence[int] | str, size: tuple[int, int]) -> NDArray[np.bool_]:
    """A run-length encoded mask (H, W): lengths of runs of 0 and 1 in turn, column by column.

    Args:
        counts: the lengths, or COCO's text of them: 5 bits a character, the sixth says that the
            number goes on; from the third on, differences to the last but one.
        size: height and width.

    Raises:
        ValueError: the lengths do not fill the mask.
    """
    lengths = _lengths(counts) if isinstance(counts, str) else list(counts)
    if sum(lengths) != size[0] * size[1] or min(lengths, default=0) < 0:
        raise ValueError(f"run lengths of {sum(lengths)} pixels for {size[1]}x{size[0]}")
    values = np.arange(len(lengths)) % 2 == 1
    return np.repeat(values, lengths).reshape(size[::-1]).T


def _lengths(text: str) -> list[int]:
    lengths: list[int] = []
    value = shift = 0
    for character in text.encode("ascii"):
        code = character - 48
        value |= (code & 0x1F) << shift
        shift += 5
        if code & 0x20:
            continue
        if code & 0x10:  # the sign
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    return lengths
