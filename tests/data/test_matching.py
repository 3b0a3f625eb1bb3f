"""Which files belong to a case, by their names."""

import logging
from pathlib import Path

import pytest

from seg.data.matching import Matching, stems


def paths(*names: str) -> list[Path]:
    return [Path(f"{name}.png") for name in names]


def match(matching: Matching, images: list[str], masks: list[str]) -> dict[str, list[str]]:
    """Names of the images of each case -> names of its masks."""
    cases = matching.match(paths(*images), {None: paths(*masks)})
    return {"+".join(i.stem for i in own): [m.path.stem for m in of_case] for own, of_case in cases}


@pytest.mark.parametrize(
    ("name", "suffix", "left"),
    [
        ("a_mask", "_mask", ["a"]),
        ("a_mask", "", ["a_mask"]),
        ("a_mask_1", "_mask", []),
        ("a_mask_1", "_mask*", ["a"]),
        ("a_mask_mask", "_mask*", ["a_mask", "a"]),
        ("a_t1", "_t?", ["a"]),
        ("a_t12", "_t?", []),
        ("a+b_x", "+b_*", ["a"]),  # other signs stand for themselves
        ("case10", "*", ["case10", "case"]),
        ("caseAB_x", "*", ["caseAB_x", "caseAB_", "caseAB"]),
        ("_mask", "_mask*", []),  # nothing is left as the case's name
    ],
)
def test_what_is_left_of_a_name_without_its_suffix(name: str, suffix: str, left: list) -> None:
    assert stems(name, suffix) == left


def test_a_pattern_unites_all_masks_of_a_case() -> None:
    """BUSI: `benign (3).png`, `benign (3)_mask.png`, `benign (3)_mask_1.png`."""
    names = ["benign (3)", "benign (30)"]
    masks = ["benign (3)_mask", "benign (3)_mask_1", "benign (30)_mask"]
    matching = Matching(mask_suffix="_mask*")
    assert match(matching, names, masks) == {names[0]: masks[:2], names[1]: masks[2:]}
    assert matching.problems == []


@pytest.mark.parametrize("suffix", ["_mask*", "*", ["_mask", "_mask_1"], "_*mask*"])
def test_a_case_whose_name_begins_like_another_loses_no_mask(suffix: str) -> None:
    images, masks = ["a", "a_1"], ["a_1_mask", "a_1_mask_1", "a_mask", "a_mask_1"]
    matching = Matching(mask_suffix=suffix)
    assert match(matching, images, masks) == {"a": masks[2:], "a_1": masks[:2]}
    assert (matching.problems, matching.unused_masks) == ([], [])


def test_a_case_gets_no_mask_of_an_image_that_is_not_there() -> None:
    matching = Matching(mask_suffix="*")
    assert match(matching, ["case1"], ["case1", "case10", "case1_b"]) == {
        "case1": ["case1", "case1_b"]
    }
    assert [mask.stem for mask in matching.unused_masks] == ["case10"]


def test_several_image_suffixes_are_stacked_in_their_order() -> None:
    files = ["p1_0000", "p1_0001", "p2_0000", "p2_0001"]
    matching = Matching(image_suffix=["_0001", "_0000"])
    assert match(matching, files, ["p1", "p2"]) == {
        "p1_0001+p1_0000": ["p1"], "p2_0001+p2_0000": ["p2"],
    }  # fmt: skip
    beside = Matching(image_suffix=["", "_nir"], mask_suffix="_mask")
    assert match(beside, ["a", "a_nir"], ["a_mask"]) == {"a+a_nir": ["a_mask"]}


def test_a_case_that_lacks_one_of_its_images_is_named() -> None:
    matching = Matching(image_suffix=["_0000", "_0001"])
    assert match(matching, ["p1_0000", "p1_0001", "p2_0000"], ["p1", "p2"]) == {
        "p1_0000+p1_0001": ["p1"]
    }
    (problem,) = matching.problems
    assert problem.startswith("p2_0000.png: ")
    assert "p2_0001" in problem


@pytest.mark.parametrize(
    ("kept", "together"), [("_0000", "[_0000,_0001]"), (["_0000", "_0001"], "[_0000,_0001,_0002]")]
)
def test_siblings_that_are_left_over_are_said_with_their_name_and_count(
    kept: str | list, together: str, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("seg").propagate = True
    numbers = range(3 if isinstance(kept, list) else 2)
    matching = Matching(image_suffix=kept)
    images = [f"p{i}_000{k}" for i in range(4) for k in numbers] + ["notes"]
    match(matching, images, [f"p{i}" for i in range(4)])
    matching.report()
    (record,) = caplog.records
    text = record.getMessage()
    assert record.levelno == logging.WARNING
    assert text.startswith("5 image files ")
    assert f"_000{max(numbers)} (4)" in text
    assert f"dataset.image_suffix={together}" in text


def test_masks_of_another_suffix_are_said(caplog: pytest.LogCaptureFixture) -> None:
    """Two observers' masks of each image, of which one is used."""
    caplog.set_level(logging.INFO, "seg")
    logging.getLogger("seg").propagate = True
    matching = Matching(mask_suffix="_1stHO")
    masks = [f"{case}_{end}" for case in ("a", "b") for end in ("1stHO", "2ndHO")]
    assert match(matching, ["a", "b"], masks) == {"a": ["a_1stHO"], "b": ["b_1stHO"]}
    matching.report()
    (record,) = caplog.records
    assert "_2ndHO (2)" in record.getMessage()


def test_nothing_is_said_where_nothing_is_left_over(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("seg").propagate = True
    matching = Matching(image_suffix="_0000")
    match(matching, ["p_0000"], ["p"])
    matching.report()
    assert caplog.records == []


def test_masks_that_differ_in_their_extension_alone_are_refused() -> None:
    matching = Matching(mask_suffix="_m*")
    matching.match([Path("a.jpg")], {None: [Path("a_m.png"), Path("a_m.tif"), Path("a_m1.tif")]})
    (problem,) = matching.problems
    assert problem.startswith("a_m.tif: same name as a_m.png")


def test_each_class_may_have_a_suffix_of_its_own() -> None:
    matching = Matching(mask_suffix={"disc": "_disc", "cup": ["_cup", "_cup2"]})
    files = paths("a_disc", "a_cup", "a_cup2", "b_disc")
    cases = matching.match(paths("a", "b"), {"disc": files, "cup": files})
    assert [(m.label, m.path.stem) for m in cases[0][1]] == [
        ("disc", "a_disc"), ("cup", "a_cup"), ("cup", "a_cup2"),
    ]  # fmt: skip
    (problem,) = matching.problems
    assert problem.startswith("b.png: no mask of cup named b_cup")


def test_a_case_without_mask_is_kept_where_that_is_allowed() -> None:
    matching = Matching(allow_missing=True)
    assert match(matching, ["a", "b"], ["a"]) == {"a": ["a"], "b": []}
    assert matching.problems == []
