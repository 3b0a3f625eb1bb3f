"""A folder for each case, a mask file for each object: as DSB 2018."""

import logging
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from seg.data.pairs import PairingErrors
from seg.data.preprocess import Preprocessing, read_pair
from seg.data.sources.instances import Instances


def build(root: Path, cases: dict[str, int]) -> Path:
    for case, objects in cases.items():
        (root / case / "images").mkdir(parents=True)
        (root / case / "masks").mkdir()
        cv2.imwrite(str(root / case / "images" / f"{case}.png"), np.zeros((8, 8), np.uint8))
        for k in range(objects):
            mask = np.zeros((8, 8), np.uint8)
            mask[k, : k + 1] = 255
            cv2.imwrite(str(root / case / "masks" / f"{case}{k:02d}.png"), mask)
    return root


@pytest.mark.parametrize("below", [".", "stage1_train"])
def test_all_masks_of_a_case_are_united(tmp_path: Path, below: str) -> None:
    build(tmp_path / below, {"c2": 3, "c10": 1})
    source = Instances(root=str(tmp_path))
    pairs = source.pairs()
    assert [(p.case, len(p.masks), p.group) for p in pairs] == [
        (f"{c}/images/{c}.png", n, f"{c}/images/{c}.png") for c, n in (("c2", 3), ("c10", 1))
    ]
    pre = Preprocessing((8, 8), 1, None, None)
    assert [np.count_nonzero(read_pair(p, pre)[1]) for p in pairs] == [6, 1]


def test_cases_without_masks_or_with_several_images_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "seg")
    logging.getLogger("seg").propagate = True
    build(tmp_path, {"a": 1, "b": 0, "c": 1, "d": 1})
    for name in ("c1.png", "c2.png"):
        cv2.imwrite(str(tmp_path / "c" / "images" / name), np.zeros((8, 8), np.uint8))
    (tmp_path / "d" / "images" / "d.png").unlink()
    with pytest.raises(PairingErrors) as caught:
        Instances(root=str(tmp_path)).pairs()
    texts = [m.removeprefix(f"{tmp_path}/") for m in caught.value.messages]
    assert [t.split(":")[0] for t in texts] == ["b/images/b.png", "c/images", "d/images"]
    assert "3 images" in texts[1]
    source = Instances(
        root=str(tmp_path), missing_masks="empty", exclude=["c/images/c?.png", "d/*"]
    )
    with pytest.raises(PairingErrors, match="d/images"):
        source.pairs()
    (tmp_path / "d" / "images").rmdir()
    assert [len(p.masks) for p in source.pairs()] == [1, 0, 1]
    assert "1 of 3 images have no mask" in caplog.text


def test_groups_by_a_rule(tmp_path: Path) -> None:
    build(tmp_path, {"p1_a": 1, "p1_b": 1, "p2_a": 1})
    pairs = Instances(root=str(tmp_path), group=r"(p\d)").pairs()
    assert [p.group for p in pairs] == ["p1", "p1", "p2"]


def test_another_layout_is_refused_with_the_keys(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(FileNotFoundError, match=r"dataset\.image_dir and dataset\.mask_dir"):
        Instances(root=str(tmp_path)).pairs()


def test_thousands_of_small_files_are_listed_in_seconds(tmp_path: Path) -> None:
    """As many cases and masks as a fourth of DSB 2018."""
    for case in range(170):
        for part in ("images", "masks"):
            (tmp_path / f"{case}" / part).mkdir(parents=True)
        (tmp_path / f"{case}" / "images" / "x.png").touch()
        for k in range(44):
            (tmp_path / f"{case}" / "masks" / f"{k}.png").touch()
    started = time.perf_counter()
    assert sum(len(p.masks) for p in Instances(root=str(tmp_path)).pairs()) == 170 * 44
    assert time.perf_counter() - started < 10
