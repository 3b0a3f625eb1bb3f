"""Keys that a data set suggests: classes that its masks share, a grouping that its names repeat."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg.data.naming import suggest_group
from seg.data.pairs import group_of
from seg.data.sources.folder import Folder

from .sets import audited, square, write_set


def test_three_shared_values_are_one_finding_with_the_classes(tmp_path: Path) -> None:
    masks = [square(value=128, at=4 + i) | square(value=255, side=3) for i in range(30)]
    for mask in masks:
        mask[mask == (128 | 255)] = 255
    pairs = write_set(tmp_path, masks)
    result = audited(pairs)
    assert result["discovered_classes"] == {"class_1": 128, "class_2": 255}
    (error,) = result["errors"]
    assert "dataset.classes='{class_1: 128, class_2: 255}'" in error["text"]
    again = audited(pairs, classes=result["discovered_classes"])
    assert again["errors"] == []
    assert again["classes"] == result["classes"]
    assert again["foreground"] == result["foreground"]


def test_a_stray_value_beside_discovered_classes_is_still_named(tmp_path: Path) -> None:
    masks = [square(value=1 + i % 2) for i in range(20)]
    masks[7][0, 0] = 9
    result = audited(write_set(tmp_path, masks))
    assert result["discovered_classes"] == {"class_1": 1, "class_2": 2}
    assert [error["files"] for error in result["errors"]] == [[], ["masks/c7.png"]]


def test_colours_are_discovered_as_colours(tmp_path: Path) -> None:
    masks = []
    for i in range(12):
        mask = np.zeros((20, 20, 3), np.uint8)
        mask[5 : 9 + i % 3, 5:9] = (255, 0, 0) if i % 2 else (255, 255, 255)
        masks.append(mask)
    pairs = write_set(tmp_path, masks)
    result = audited(pairs)
    assert result["discovered_classes"] == {"class_1": [255, 0, 0], "class_2": [255, 255, 255]}
    assert audited(pairs, classes=result["discovered_classes"])["errors"] == []


def test_soft_rims_are_no_classes(tmp_path: Path) -> None:
    masks = []
    for i in range(10):
        mask = square(value=255, at=8 + i % 3, side=24)
        mask[0, :6] = (51, 77, 102, 153, 178, 204)
        masks.append(mask)
    result = audited(write_set(tmp_path, masks))
    assert result["discovered_classes"] is None
    assert "soft rims" in result["errors"][0]["text"]
    assert len(result["errors"][0]["files"]) == 10


@pytest.mark.parametrize("values", [(0, 1), (0, 255)])
def test_a_binary_set_needs_no_classes(tmp_path: Path, values: tuple[int, int]) -> None:
    result = audited(write_set(tmp_path, [square(value=values[1], at=i) for i in range(4)]))
    assert result["errors"] == []
    assert result["discovered_classes"] is None
    assert list(result["values"]) == [str(value) for value in values]


def test_few_exact_masks_among_jpegs_suggest_no_classes(tmp_path: Path) -> None:
    masks = [square(value=255, at=i) for i in range(5)]
    masks[0][30, 30] = masks[1][30, 30] = 77
    pairs = write_set(tmp_path, masks)
    for pair in pairs[2:]:
        Image.open(pair.mask_paths[0]).save(pair.mask_paths[0].with_suffix(".jpg"), quality=95)
        pair.mask_paths[0].unlink()
    result = audited(Folder(root=str(tmp_path)).pairs())
    assert result["discovered_classes"] is None
    assert result["errors"][0]["files"] == ["masks/c0.png", "masks/c1.png"]


@pytest.mark.parametrize(
    ("names", "rule", "group"),
    [
        ([f"images/Image_{i:02}{s}.jpg" for i in range(1, 9) for s in "LR"], "LR", "Image_01"),
        ([f"images/p{i}_{k}.png" for i in range(4) for k in range(3)], "frame", "p0"),
        ([f"images/P{i}-slice{k}.png" for i in range(4) for k in range(3)], "frame", "P0"),
        ([f"images/pat{i}/{k}.png" for i in range(4) for k in range(3)], "folder", "images/pat0"),
        ([f"images/{i:03}.bmp" for i in range(30)], None, None),
        ([f"images/img_{i}.png" for i in range(30)], None, None),
        ([f"images/{k}_{i}.png" for k in ("polyp", "normal", "x") for i in range(9)], None, None),
    ],
)
def test_a_grouping_is_suggested_where_names_repeat(
    names: list[str], rule: str | None, group: str | None
) -> None:
    suggestion = suggest_group(names)
    assert (suggestion is None) == (rule is None)
    if suggestion is not None:
        assert group_of(names[0], suggestion) == group
        Folder(root=".", group=suggestion)
