"""Pairs are made by name, never by the order of a listing."""

import logging
from pathlib import Path

import pytest

from seg.data.errors import DataErrors
from seg.data.matching import Matching
from seg.data.pairs import (
    MaskFile,
    Pair,
    PairingErrors,
    check_group_rule,
    content,
    expand,
    group_of,
    image_files,
    locate,
    natural_key,
)
from seg.data.sources.folder import Folder
from seg.data.sources.lgg import LGG


def touch(*paths: Path) -> list[Path]:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return list(paths)


def names(pairs: list) -> list[tuple[str, str]]:
    return [(p.image.name, p.mask_paths[0].name) for p in pairs]


def test_numbers_sort_as_numbers() -> None:
    assert sorted(["10.png", "2.png", "1.png"], key=natural_key) == ["1.png", "2.png", "10.png"]
    # a digit, but no number
    assert sorted(["²", "1²3", "a", "1"], key=natural_key) == ["1", "1²3", "a", "²"]


def test_pairs_are_by_name_where_listing_orders_differ(tmp_path: Path) -> None:
    # A listing in text order gives 1, 10, 2 for one folder and 1, 2, 10 for the other.
    images = touch(*(tmp_path / "images" / f"{i}.png" for i in range(1, 13)))
    masks = touch(*(tmp_path / "masks" / f"{i}_m.png" for i in range(1, 13)))
    pairs = Matching(mask_suffix="_m").match(images, {None: sorted(masks)})
    assert len(pairs) == 12
    assert all(f"{image.stem}_m" == mask.path.stem for (image,), (mask,) in pairs)


def test_extensions_may_differ_also_in_case(tmp_path: Path) -> None:
    touch(tmp_path / "images" / "a.JPG", tmp_path / "masks" / "a.png")
    assert names(Folder(root=str(tmp_path)).pairs()) == [("a.JPG", "a.png")]


def test_suffixes_on_either_side_are_taken_off(tmp_path: Path) -> None:
    touch(tmp_path / "images" / "a_img.png", tmp_path / "masks" / "a_seg.png")
    source = Folder(root=str(tmp_path), image_suffix="_img", mask_suffix="_seg")
    assert names(source.pairs()) == [("a_img.png", "a_seg.png")]


def test_hidden_files_other_files_and_subfolders_are_left_out(tmp_path: Path) -> None:
    touch(*(tmp_path / d / "a.png" for d in ("images", "masks")))
    touch(tmp_path / "images" / ".DS_Store", tmp_path / "images" / "._a.png")
    touch(tmp_path / "images" / "notes.txt", tmp_path / "images" / "old" / "b.png")
    assert names(Folder(root=str(tmp_path)).pairs()) == [("a.png", "a.png")]


def test_every_missing_mask_is_named_at_once(tmp_path: Path) -> None:
    touch(*(tmp_path / "images" / f"{i}.png" for i in range(5)), tmp_path / "masks" / "0.png")
    with pytest.raises(DataErrors) as caught:
        Folder(root=str(tmp_path)).pairs()
    for i in range(1, 5):
        assert f"images/{i}.png: " in str(caught.value)


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    touch(
        tmp_path / "images" / "a.png", tmp_path / "images" / "a.jpg", tmp_path / "masks" / "a.png"
    )
    with pytest.raises(DataErrors, match=r"a\.(png|jpg): .*a\.(png|jpg)"):
        Folder(root=str(tmp_path)).pairs()


def test_a_mask_without_image_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(*(tmp_path / d / "a.png" for d in ("images", "masks")), tmp_path / "masks" / "b.png")
    logging.getLogger("seg").propagate = True
    assert len(Folder(root=str(tmp_path)).pairs()) == 1
    assert "b.png" in caplog.text


@pytest.mark.parametrize("made", [[], ["images"], ["images", "masks"]])
def test_an_empty_or_incomplete_root_is_refused_with_its_name(tmp_path: Path, made: list) -> None:
    for name in made:
        (tmp_path / name).mkdir()
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        Folder(root=str(tmp_path)).pairs()


def test_a_missing_root_is_refused() -> None:
    with pytest.raises(FileNotFoundError, match=r"dataset\.root=nowhere"):
        locate(Path("nowhere"), has_layout=lambda p: True, layout="images/")


@pytest.mark.parametrize(
    ("rule", "case", "group"),
    [
        ("file", "images/a.png", "images/a.png"),
        ("folder", "p1/a.png", "p1"),
        ("folder", "p1/day2/a.png", "p1/day2"),
        (r"(patient\d+)", "images/patient03_frame02.png", "patient03"),
        (r"(.+?)[-_ ]*\d*\.\w+$", "images/smith_12.png", "images/smith"),
    ],
)
def test_groups_follow_the_rule(rule: str, case: str, group: str) -> None:
    assert group_of(case, rule) == group


def test_a_rule_that_does_not_fit_a_case_says_so() -> None:
    with pytest.raises(ValueError, match=r"dataset\.group=.*x\.png"):
        group_of("x.png", r"(p\d)")
    with pytest.raises(ValueError, match=r"x\.png: dataset\.group=folder"):
        group_of("x.png", "folder")


@pytest.mark.parametrize("rule", ["(", "abc", ""])
def test_a_rule_that_cannot_work_is_refused_with_its_key(rule: str) -> None:
    with pytest.raises(ValueError, match=r"dataset\.group"):
        check_group_rule(rule)


@pytest.mark.parametrize("rule", ["file", "folder", r"(p\d)", r"(?P<patient>\d+)"])
def test_a_rule_that_can_work_passes(rule: str) -> None:
    check_group_rule(rule)


def test_problems_are_added_to_the_list_and_the_other_pairs_returned(tmp_path: Path) -> None:
    images = touch(*(tmp_path / "images" / n for n in ("a.png", "b.png", "b.jpg", "c.png")))
    masks = touch(tmp_path / "masks" / "a.png")
    problems = ["an earlier one"]
    pairs = Matching(problems=problems).match(images, {None: masks})
    assert [(i.name, m.path.name) for (i,), (m,) in pairs] == [("a.png", "a.png")]
    assert problems[0] == "an earlier one"
    assert [p.split(":")[0].rpartition("/")[2] for p in problems[1:]] == ["b.jpg", "b.jpg", "c.png"]
    assert len(PairingErrors(problems).messages) == 4
    assert PairingErrors(problems).pairs == []


def test_a_picture_is_its_only_slice_whatever_the_axis(tmp_path: Path) -> None:
    image, mask = touch(tmp_path / "a.png", tmp_path / "b.png")
    pair, problems = Pair("a.png", (image,), (MaskFile(mask),), "g", "val"), []
    assert expand(pair, 7, problems) == [pair]
    assert problems == []


def test_content_is_in_natural_order_and_short(tmp_path: Path) -> None:
    touch(*(tmp_path / f"{i}.png" for i in range(1, 20)), tmp_path / "0" / "x", tmp_path / ".x")
    assert content(tmp_path) == "0/, 1.png, 2.png, 3.png, 4.png, 5.png, ..."


def test_a_pattern_that_misses_cases_names_them(tmp_path: Path) -> None:
    touch(*(tmp_path / d / f"{n}.png" for d in ("images", "masks") for n in ("p1_a", "x", "y")))
    with pytest.raises(DataErrors) as caught:
        Folder(root=str(tmp_path), group=r"(p\d)_").pairs()
    assert "images/x.png" in str(caught.value)
    assert "images/y.png" in str(caught.value)


def test_lgg_pairs_slices_with_masks_and_groups_by_patient(real: Path) -> None:
    for root in (real / "lgg" / "kaggle_3m", real / "lgg"):
        pairs = LGG(root=str(root), classes={"tumour": [1, 255]}).pairs()
        assert len(pairs) == len(list((real / "lgg").rglob("*_mask.tif"))) > 200
        assert len({p.group for p in pairs}) == 12
        assert all(p.mask_paths[0].stem == f"{p.image.stem}_mask" for p in pairs)
        assert all(p.case.startswith(p.group) for p in pairs)


def test_image_files_come_in_natural_order(tmp_path: Path) -> None:
    touch(*(tmp_path / f"{i}.png" for i in (10, 9, 1)))
    assert [p.name for p in image_files(tmp_path)] == ["1.png", "9.png", "10.png"]
