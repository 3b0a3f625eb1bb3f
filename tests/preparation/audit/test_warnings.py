"""What deserves a look is named with its files."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from seg.preparation.audit import summarize

from .sets import audited, by_kind, scanned, square, write_set


def test_equal_images_with_other_masks_contradict_each_other(tmp_path: Path) -> None:
    pairs = write_set(tmp_path, [square(at=i) for i in range(6)])
    shutil.copy(pairs[0].image, pairs[1].image)
    shutil.copy(pairs[2].image, pairs[3].image)
    # The same mask in another file format is the same annotation.
    Image.open(pairs[2].mask_paths[0]).convert("1").save(pairs[3].mask_paths[0])
    warnings = by_kind(audited(pairs), "warnings")
    assert warnings["other mask"]["files"] == ["images/c0.png = images/c1.png"]
    assert warnings["duplicate"]["files"] == ["images/c2.png = images/c3.png"]


def test_near_duplicates_of_one_group_are_no_finding(tmp_path: Path) -> None:
    facts = scanned(write_set(tmp_path, [square(at=i) for i in range(4)]))
    facts[1].pair = replace(facts[1].pair, group=facts[0].group)
    splits = ["train", "train", "train", "val"]
    warnings = by_kind(summarize(facts, splits=splits, near=[(0, 1), (1, 2), (0, 3)]), "warnings")
    assert warnings["near duplicate"]["files"] == ["images/c1.png = images/c2.png"]
    assert warnings["near, two splits"]["files"] == ["images/c0.png = images/c3.png"]


def test_slices_of_one_volume_are_no_duplicates(tmp_path: Path) -> None:
    facts = scanned(write_set(tmp_path, [square(at=i) for i in range(2)]))
    for i, f in enumerate(facts):
        f.image_sha256, f.pair = "same", replace(f.pair, plane=(2, i))
    assert summarize(facts, splits=None)["duplicates"] == []
    facts[1].pair = facts[0].pair
    assert len(summarize(facts, splits=None)["duplicates"]) == 1


def test_unusual_images_and_masks_are_warnings(tmp_path: Path) -> None:
    masks = [square(at=4 + i % 9) for i in range(12)]
    masks[2][:], masks[3][:] = 0, 255
    masks[5] = np.where(square(at=8, side=24) > 0, 0, 255).astype(np.uint8)
    pairs = write_set(tmp_path, masks)
    Image.new("L", (40, 40), 7).save(pairs[6].image)
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(235, 256, (40, 40, 3), dtype=np.uint8)).save(pairs[7].image)
    warnings = by_kind(audited(pairs, image_size=(256, 256)), "warnings")
    named = {kind: finding["files"] for kind, finding in warnings.items()}
    small = named.pop("small image")
    assert len(small) == 12
    assert named == {
        "full mask": ["masks/c3.png"],
        "inverted?": ["masks/c5.png"],
        "empty mask": ["masks/c2.png"],
        "constant image": ["images/c6.png"],
        "brightness": named["brightness"],
        "grey among colour": ["images/c6.png"],
        "few cases": [],
    }
    assert sorted(named["brightness"]) == ["images/c6.png", "images/c7.png"]


def test_sizes_far_apart_are_named_with_both_ends(tmp_path: Path) -> None:
    masks = [np.zeros(shape, np.uint8) for shape in ((40, 40), (40, 44), (160, 200), (30, 90))]
    for mask in masks:
        mask[5:20, 5:20] = 1
    warnings = by_kind(audited(write_set(tmp_path, masks)), "warnings")
    assert warnings["size"]["files"] == ["images/c0.png", "images/c2.png"]
    assert re.search("40x40.*200x160", warnings["size"]["text"])
    assert warnings["aspect"]["files"] == ["images/c0.png", "images/c3.png"]


def test_absent_and_rare_classes_are_named(tmp_path: Path) -> None:
    masks = [square(value=1, at=i % 9) for i in range(30)]
    masks[4][30:34, 30:34] = 2
    classes = {"organ": 1, "lesion": 2, "vessel": 3}
    warnings = by_kind(audited(write_set(tmp_path, masks), classes=classes), "warnings")
    assert "vessel" in warnings["absent class"]["text"]
    assert warnings["rare class"]["files"] == ["masks/c4.png"]
    assert "lesion" in warnings["rare class"]["text"]
