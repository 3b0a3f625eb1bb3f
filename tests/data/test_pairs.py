"""Pairs are made by name, never by the order of a listing."""

import logging
from pathlib import Path

import pytest

from seg.data.images import DataErrors
from seg.data.pairs import group_of, image_files, locate, natural_key, pair_by_name
from seg.data.sources.folder import Folder
from seg.data.sources.lgg import LGG


def touch(*paths: Path) -> list[Path]:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return list(paths)


def names(pairs: list) -> list[tuple[str, str]]:
    return [(p.image.name, p.mask.name) for p in pairs]


def test_numbers_sort_as_numbers() -> None:
    assert sorted(["10.png", "2.png", "1.png"], key=natural_key) == ["1.png", "2.png", "10.png"]


def test_pairs_are_by_name_where_listing_orders_differ(tmp_path: Path) -> None:
    # A listing in text order gives 1, 10, 2 for one folder and 1, 2, 10 for the other.
    images = touch(*(tmp_path / "images" / f"{i}.png" for i in range(1, 13)))
    masks = touch(*(tmp_path / "masks" / f"{i}_m.png" for i in range(1, 13)))
    pairs = pair_by_name(images, sorted(masks), mask_suffix="_m")
    assert len(pairs) == 12
    assert all(f"{image.stem}_m" == mask.stem for image, mask in pairs)


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
        assert f"{i}.png: no mask" in str(caught.value)


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    touch(
        tmp_path / "images" / "a.png", tmp_path / "images" / "a.jpg", tmp_path / "masks" / "a.png"
    )
    with pytest.raises(DataErrors, match="same name"):
        Folder(root=str(tmp_path)).pairs()


def test_an_orphan_mask_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(*(tmp_path / d / "a.png" for d in ("images", "masks")), tmp_path / "masks" / "b.png")
    logging.getLogger("seg").propagate = True
    assert len(Folder(root=str(tmp_path)).pairs()) == 1
    assert "b.png" in caplog.text


@pytest.mark.parametrize("below", ["", "Kvasir-SEG", "archive/Kvasir-SEG"])
def test_the_root_may_be_a_parent(tmp_path: Path, below: str) -> None:
    touch(*(tmp_path / below / d / "a.png" for d in ("images", "masks")))
    pairs = Folder(root=str(tmp_path)).pairs()
    assert [p.case for p in pairs] == ["images/a.png"]


def test_two_data_sets_in_one_root_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        touch(*(tmp_path / name / d / "a.png" for d in ("images", "masks")))
    with pytest.raises(FileNotFoundError, match="several data sets \\(one, two\\)"):
        Folder(root=str(tmp_path)).pairs()


@pytest.mark.parametrize("made", [[], ["images"], ["images", "masks"]])
def test_an_empty_or_incomplete_root_is_refused_with_its_name(tmp_path: Path, made: list) -> None:
    for name in made:
        (tmp_path / name).mkdir()
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        Folder(root=str(tmp_path)).pairs()


def test_a_missing_root_is_refused() -> None:
    with pytest.raises(FileNotFoundError, match="no such folder"):
        locate(Path("nowhere"), holds=lambda p: True, layout="images/")


@pytest.mark.parametrize(
    ("rule", "case", "group"),
    [
        ("file", "images/a.png", "images/a.png"),
        ("folder", "p1/a.png", "p1"),
        (r"(patient\d+)", "images/patient03_frame02.png", "patient03"),
        (r"(.+?)[-_ ]*\d*\.\w+$", "images/smith_12.png", "images/smith"),
    ],
)
def test_groups_follow_the_rule(rule: str, case: str, group: str) -> None:
    assert group_of(case, rule) == group


def test_a_pattern_that_misses_cases_names_them(tmp_path: Path) -> None:
    touch(*(tmp_path / d / f"{n}.png" for d in ("images", "masks") for n in ("p1_a", "x", "y")))
    with pytest.raises(DataErrors) as caught:
        Folder(root=str(tmp_path), group=r"(p\d)_").pairs()
    assert "images/x.png" in str(caught.value)
    assert "images/y.png" in str(caught.value)


@pytest.mark.parametrize("pattern", ["(", "abc"])
def test_a_pattern_that_cannot_work_is_refused_at_once(pattern: str) -> None:
    with pytest.raises(ValueError, match="dataset.group"):
        Folder(root="x", group=pattern)


def test_lgg_pairs_slices_with_masks_and_groups_by_patient(real: Path) -> None:
    for root in (real / "lgg" / "kaggle_3m", real / "lgg"):
        pairs = LGG(root=str(root), classes={"tumour": [1, 255]}).pairs()
        assert len(pairs) == len(list((real / "lgg").rglob("*_mask.tif"))) > 200
        assert len({p.group for p in pairs}) == 12
        assert all(p.mask.stem == f"{p.image.stem}_mask" for p in pairs)
        assert all(p.case.startswith(p.group) for p in pairs)


def test_image_files_come_in_natural_order(tmp_path: Path) -> None:
    touch(*(tmp_path / f"{i}.png" for i in (10, 9, 1)))
    assert [p.name for p in image_files(tmp_path)] == ["1.png", "9.png", "10.png"]
