"""The table, the summary and the colours of predictions."""

import csv
import io
from typing import Any

from seg.report.predictions import colours, review_first, summary, table


def row(image: str, *remarks: list[str]) -> dict[str, Any]:
    return {
        "image": image, "mask": f"{image}.png", "height": 4, "width": 5, "a_pixels": 7,
        "a_mm2": None, "a_components": 1, "foreground_confidence": 0.8, "confidence": 0.9,
        "entropy": 0.1, "seconds": 0.5, "remarks": list(remarks),
    }  # fmt: skip


def test_a_table_has_a_row_for_each_image_and_for_each_failure() -> None:
    rows = [row("x"), row("y", ["odd", "3 times"], ["grey", ""])]
    text = table(rows, {"z": "z: torn;\n restore it"}, ["a"])
    x, y, z = csv.DictReader(io.StringIO(text))
    assert list(x) == [
        "image", "mask", "height", "width", "a_pixels", "a_mm2", "a_components",
        "foreground_confidence", "confidence", "entropy", "seconds", "note",
    ]  # fmt: skip
    assert (x["a_pixels"], x["a_mm2"], x["note"]) == ("7", "", "")
    assert y["note"] == "odd (3 times); grey"
    assert z == dict.fromkeys(x, "") | {"image": "z", "note": "failed: z: torn; restore it"}


def test_a_summary_counts_each_kind_the_most_frequent_first() -> None:
    rows = [row("x", ["odd", "3 times"]), row("y", ["grey", ""]), row("z", ["grey", ""])]
    assert summary(rows) == ["2 of 3: grey (y)", "1 of 3: odd (x: 3 times)"]
    assert summary([row("x")]) == []


def test_the_images_of_lowest_confidence_are_reviewed_first() -> None:
    rows = [row(str(i)) | {"foreground_confidence": abs(0.52 - i / 10)} for i in range(12)]
    assert [one["image"] for one in review_first(rows)] == ["5", "6", "4", "7", "3"]
    assert review_first(rows[:9]) == []


def test_what_an_earlier_version_has_recorded_has_no_confidence_and_stays_in_the_table() -> None:
    old = row("old")
    del old["foreground_confidence"]
    assert review_first([old] * 30) == []
    (read,) = csv.DictReader(io.StringIO(table([old], {}, ["a"])))
    assert (read["foreground_confidence"], read["confidence"]) == ("", "0.9")


def test_several_classes_have_a_confidence_each() -> None:
    one = row("x") | {"a_mask_confidence": 0.7, "b_mask_confidence": 0.9}
    (read,) = csv.DictReader(io.StringIO(table([one], {}, ["a", "b"])))
    assert (read["a_mask_confidence"], read["b_mask_confidence"]) == ("0.7", "0.9")
    assert "a_mask_confidence" not in table([one], {}, ["a"])


def test_a_class_keeps_the_colour_of_the_training_masks() -> None:
    own = {"a": "#0080ff", "b": [1, 2, 3], "c": 255}
    a, b, c, d = colours(own, ["a", "b", "c", "d"])
    assert (a, b) == ((0, 128, 255), (1, 2, 3))
    assert [c, d] == colours(None, ["a", "b", "c", "d"])[2:]
