"""A wrong class map is one line with all values, and keys that take every one of them."""

import logging
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from seg.cli.compose import compose, plain
from seg.data.cache import load
from seg.data.errors import DataErrors
from seg.data.preprocess import Preprocessing
from seg.data.sources.folder import Folder


def write(folder: Path, *values: int | list[int], every: int = 1) -> None:
    """Put further values, or colours, into every so many masks."""
    for i, path in enumerate(sorted((folder / "masks").iterdir())):
        mask = cv2.imread(str(path))
        for k, value in enumerate(values if i % every == 0 else []):
            colour = value if isinstance(value, list) else [value] * 3
            mask[2 * k : 2 * k + 2, :7] = colour[::-1]
        cv2.imwrite(str(path), mask)


def refused(folder: Path, tmp_path: Path, **meaning: object) -> DataErrors:
    pre = Preprocessing(**{"size": (32, 32), "channels": 3, "classes": None, "ignore_value": None,
                           "window": None, **meaning})  # fmt: skip
    with pytest.raises(DataErrors) as caught:
        load(Folder(root=str(folder)).pairs(), pre, folder=tmp_path / "c")
    return caught.value


def proposed(error: DataErrors) -> dict:
    """The classes of the key that the message proposes, read as a command line."""
    [key] = re.findall(r"'(dataset\.classes=[^']*)'", str(error))
    return plain(compose(["dataset=folder", "dataset.root=x", key]).dataset)["classes"]


@pytest.mark.parametrize(
    ("values", "given", "expected"),
    [
        ([3, 7], None, {"class_1": 3, "class_2": 7, "class_3": 255}),
        ([3, 7], {"organ": 255}, {"organ": 255, "class_2": 3, "class_3": 7}),
        ([3, 7], {"organ": [3, 255]}, {"organ": [3, 255], "class_2": 7}),
        ([[255, 0, 0]], None, {"class_1": [255, 0, 0], "class_2": [255, 255, 255]}),
        ([[255, 0, 0]], {"organ": 255}, {"class_1": [255, 0, 0], "class_2": [255, 255, 255]}),
        ([[255, 0, 0]], {"a": "#ffffff"}, {"a": [255, 255, 255], "class_2": [255, 0, 0]}),
    ],
)
def test_every_value_is_in_the_map_that_is_proposed_and_it_works(
    values: list, given: dict | None, expected: dict, folder: Path, tmp_path: Path
) -> None:
    write(folder, *values)
    error = refused(folder, tmp_path, classes=given)
    assert len(error.messages) == 1
    assert "12 of 12" in str(error)
    classes = proposed(error)
    assert classes == expected
    pre = Preprocessing((32, 32), 3, classes, None)
    cache = load(Folder(root=str(folder)).pairs(), pre, folder=tmp_path / "c")
    assert len(np.unique(cache.masks)) >= 3


def test_ignored_pixels_are_no_class(folder: Path, tmp_path: Path) -> None:
    write(folder, 3, 9)
    assert proposed(refused(folder, tmp_path, ignore_value=9)) == {"class_1": 3, "class_2": 255}


def test_a_slip_in_one_mask_is_named_with_its_file(folder: Path, tmp_path: Path) -> None:
    write(folder, 7, every=12)
    error = refused(folder, tmp_path)
    assert "1 of 12" in str(error)
    assert "correct" in str(error)
    assert str(min((folder / "masks").iterdir())) in str(error)


def test_soft_outlines_are_no_classes(folder: Path, tmp_path: Path) -> None:
    for path in (folder / "masks").iterdir():
        cv2.imwrite(str(path), cv2.GaussianBlur(cv2.imread(str(path), 0), (9, 9), 3))
    error = refused(folder, tmp_path)
    assert len(error.messages) == 1
    assert "mask_threshold=128" in str(error)


def test_other_problems_are_listed_beside_it(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("seg").propagate = True
    write(folder, 3)
    (folder / "images" / "case_3.png").write_bytes(b"")
    messages = refused(folder, tmp_path).messages
    assert len(messages) == 2
    assert any("case_3.png" in message for message in messages)
