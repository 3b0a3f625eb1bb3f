"""What training refuses is an error, reported once."""

import shutil
from dataclasses import replace
from pathlib import Path

from seg.preparation.audit import summarize

from .sets import audited, by_kind, scanned, square, write_set


def test_groups_and_equal_images_in_two_splits_are_errors(tmp_path: Path) -> None:
    pairs = write_set(tmp_path, [square(at=i) for i in range(4)])
    shutil.copy(pairs[0].image, pairs[3].image)
    facts = scanned(pairs)
    for f, group in zip(facts, "aabc", strict=True):
        f.pair = replace(f.pair, group=group)
    errors = by_kind(summarize(facts, splits=["train", "val", "val", "test"]), "errors")
    assert errors["group in two splits"]["files"] == ["images/c0.png", "images/c1.png"]
    assert errors["in two splits"]["files"] == ["images/c0.png = images/c3.png"]
    clean = summarize(facts, splits=["train", "train", "val", "train"])
    assert clean["errors"] == []
    assert clean["splits"]["train"] == {"cases": 3, "groups": 2, "empty": 0}


def test_a_stray_pixel_is_reported_once(tmp_path: Path) -> None:
    mask = square(90, side=60)
    mask[2, 2] = 77
    result = audited(write_set(tmp_path, [mask]))
    assert "value 77" in result["errors"][0]["text"]
    assert by_kind(result, "warnings").keys() == {"few cases"}
