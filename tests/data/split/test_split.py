"""Groups and splits of a whole data set: duplicates are kept together, or the split is refused."""

import logging
import re
from pathlib import Path

import pytest

from seg.data.pairs import MaskFile, Pair
from seg.data.split import assign

SPLIT = {
    "val": 0.2, "test": 0.2, "by": "group", "seed": 0, "folds": None, "fold": None, "file": None,
    "duplicates": "together",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("seg").propagate = True


def cases(count: int, **changes: list) -> list[Pair]:
    """`i.png`, each in a group of its own and without a split, except for `changes`."""
    every = {"group": [f"g{i:02d}" for i in range(count)], "split": [None] * count} | changes
    return [
        Pair(
            f"{i}.png",
            (Path(f"{i}.png"),),
            (MaskFile(Path("m.png")),),
            every["group"][i],
            every["split"][i],
        )
        for i in range(count)
    ]


def draw(
    pairs: list[Pair],
    *,
    equal: tuple = (),
    near: tuple = (),
    blank: tuple = (),
    **split: object,
) -> tuple:
    """Groups and labels. equal: index pairs of images with the same bytes. blank: indices."""
    hashes = [str(i) for i in range(len(pairs))]
    for i, j in equal:
        hashes[j] = hashes[i]
    return assign(
        pairs,
        foreground=[1 + i for i in range(len(pairs))],
        image_sha256=hashes,
        blank=[i in blank for i in range(len(pairs))],
        near=near,
        split=SPLIT | split,
    )


def test_patients_and_sizes_are_kept() -> None:
    pairs = cases(40, group=[f"p{i // 4}" for i in range(40)])
    groups, labels = draw(pairs)
    assert groups == [p.group for p in pairs]
    assert all(len(set(labels[i : i + 4])) == 1 for i in range(0, 40, 4))
    assert [labels.count(s) for s in ("train", "val", "test")] == [24, 8, 8]


def test_by_file_every_case_is_drawn_by_itself() -> None:
    pairs = cases(40, group=["one patient"] * 40)
    groups, labels = draw(pairs, by="file")
    assert groups == [p.case for p in pairs]
    assert [labels.count(s) for s in ("train", "val", "test")] == [24, 8, 8]


def test_by_file_slices_of_one_volume_stay_together() -> None:
    pairs = [
        Pair(f"{v}.nii#{i}", (Path(f"{v}.nii"),), (MaskFile(Path("m.nii")),), "p", None, (2, i))
        for v in range(10)
        for i in range(5)
    ]
    groups, labels = draw(pairs, by="file")
    assert groups == [f"{p.image}" for p in pairs]
    assert all(len(set(labels[i : i + 5])) == 1 for i in range(0, 50, 5))


@pytest.mark.parametrize(("kind", "word"), [("equal", "byte-equal"), ("near", "near-duplicate")])
def test_duplicates_are_kept_in_one_split_with_a_warning(
    kind: str, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    alike = ((0, 7), (3, 12), (12, 15), (20, 29))
    for seed in range(10):
        groups, labels = draw(cases(30), **{kind: alike}, seed=seed)
        assert all(labels[i] == labels[j] for i, j in alike)
        assert groups == [p.group for p in cases(30)]
    assert f"4 {word}" in caplog.text
    assert "0.png = 7.png" in caplog.text


def test_duplicates_join_whole_patients(caplog: pytest.LogCaptureFixture) -> None:
    pairs = cases(40, group=[f"p{i // 4}" for i in range(40)])
    for seed in range(5):
        groups, labels = draw(pairs, near=((0, 39), (1, 2)), seed=seed)
        assert len(set(labels[:4] + labels[36:])) == 1
        assert groups == [p.group for p in pairs]
    assert caplog.text.count(" = ") == 5
    assert "0.png = 39.png" in caplog.text  # 1 and 2 are together anyway


@pytest.mark.parametrize("kind", ["equal", "near"])
@pytest.mark.parametrize("fold", range(3))
def test_folds_keep_whole_patients_with_a_common_slice_together(kind: str, fold: int) -> None:
    pairs = cases(40, group=[f"p{i // 4}" for i in range(40)])
    groups, labels = draw(pairs, **{kind: ((0, 39), (5, 38))}, folds=3, fold=fold, test=0)
    assert len(set(labels[:8] + labels[36:])) == 1  # p0, p1 and p9
    assert groups == [p.group for p in pairs]
    assert {labels.count(s) > 0 for s in ("train", "val", "test")} == {True}


def test_by_file_only_the_duplicates_are_kept_together() -> None:
    pairs = cases(40, group=[f"p{i // 4}" for i in range(40)])
    groups, labels = draw(pairs, near=((0, 39),), by="file")
    assert labels[0] == labels[39]
    assert groups == [p.case for p in pairs]
    assert len(set(labels[:4])) > 1


def test_a_blank_slice_of_every_patient_connects_none(caplog: pytest.LogCaptureFixture) -> None:
    """Ten patients of four slices, the first of each black."""
    pairs, black = cases(40, group=[f"p{i // 4}" for i in range(40)]), tuple(range(0, 40, 4))
    equal = tuple((0, i) for i in black[1:])
    assert draw(pairs, equal=equal, blank=black) == draw(pairs)
    assert caplog.text == ""


def test_a_blank_image_in_two_preset_splits_is_no_duplicate() -> None:
    pairs = cases(10, **PRESET)
    assert draw(pairs, equal=((0, 9),), blank=(0, 9))[1] == PRESET["split"]


@pytest.mark.parametrize("kind", ["equal", "near"])
@pytest.mark.parametrize("sizes", [{}, {"folds": 3, "fold": 0}])
def test_duplicates_that_leave_nothing_to_divide_are_named_with_the_fix(
    kind: str, sizes: dict
) -> None:
    pairs = cases(40, group=[f"p{i // 4}" for i in range(40)])
    with pytest.raises(ValueError, match=r"\b10 groups to 1\b") as caught:
        draw(pairs, **{kind: tuple((0, i) for i in range(4, 40, 4))}, **sizes)
    assert "0.png = 4.png and 8 more" in str(caught.value)
    assert "dataset.split.duplicates=ignore" in str(caught.value)
    fixed = draw(pairs, equal=((0, 4),), **sizes, duplicates="ignore")
    assert len(set(fixed[0])) == 10


def test_few_groups_are_not_blamed_on_duplicates() -> None:
    """The counts are those of the groups, with and without duplicates."""
    pairs = cases(8, group=["p"] * 4 + ["q"] * 4)
    with pytest.raises(ValueError, match=r"8 cases of 2 groups"):
        draw(pairs, equal=((0, 4),))


def test_duplicates_within_groups_are_no_matter(caplog: pytest.LogCaptureFixture) -> None:
    draw(cases(40, group=[f"p{i // 4}" for i in range(40)]), equal=((0, 1),), near=((4, 7),))
    assert caplog.text == ""


@pytest.mark.parametrize("kind", ["equal", "near"])
def test_ignored_duplicates_are_drawn_as_they_come(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    plain = draw(cases(30))
    assert draw(cases(30), **{kind: ((0, 7), (3, 12))}, duplicates="ignore") == plain
    assert caplog.text == ""


PRESET = {"split": ["train"] * 6 + ["val"] * 2 + ["test"] * 2}


@pytest.mark.parametrize(("kind", "word"), [("equal", "same"), ("near", "near-duplicate")])
def test_a_preset_split_with_duplicates_in_two_splits_is_refused_with_both_names(
    kind: str, word: str
) -> None:
    with pytest.raises(ValueError, match="2 duplicates") as caught:
        draw(cases(10, **PRESET), **{kind: ((0, 1), (1, 9), (6, 8))})
    text = str(caught.value)
    assert re.search(rf"\d\.png \(train\) and 9\.png \(test\): .*{word}", text)
    assert re.search(rf"6\.png \(val\) and 8\.png \(test\): .*{word}", text)
    assert "dataset.split.duplicates=ignore" in text
    assert "0.png (train) and 1.png (train)" not in text


def test_twelve_of_many_duplicates_in_two_splits_are_named() -> None:
    pairs = cases(40, split=["train"] * 20 + ["val"] * 20)
    near = tuple((i, i + 20) for i in range(20))
    with pytest.raises(ValueError, match="20 duplicates") as caught:
        draw(pairs, near=near)
    lines = str(caught.value).splitlines()
    assert len(lines) == 14
    assert "8 more" in lines[-1]


@pytest.mark.parametrize("kind", ["equal", "near"])
def test_ignored_duplicates_in_two_preset_splits_are_a_warning(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    pairs = cases(10, **PRESET)
    assert draw(pairs, **{kind: ((1, 9),)}, duplicates="ignore")[1] == PRESET["split"]
    assert "1.png (train) and 9.png (test)" in caplog.text


def test_a_preset_split_that_keeps_duplicates_together_is_accepted() -> None:
    assert draw(cases(10, **PRESET), equal=((0, 1),), near=((8, 9),))[1] == PRESET["split"]


def test_validation_that_is_drawn_keeps_duplicates_together() -> None:
    preset = [None] * 25 + ["test"] * 5
    for seed in range(10):
        _, labels = draw(cases(30, split=preset), near=((0, 7), (3, 29)), seed=seed)
        assert labels[25:] == ["test"] * 5
        assert labels[0] == labels[7]
        assert labels[3] == "test"  # as the image that it is like
        assert 5 <= labels.count("val") <= 7


def test_duplicates_that_join_two_preset_splits_by_an_unnamed_case_are_refused() -> None:
    """Neither pair is in two splits, and yet no label of the third case would be right."""
    preset = ["val", None, "test", *[None] * 7]
    with pytest.raises(ValueError, match=r"0\.png \(val\) and 2\.png \(test\)"):
        draw(cases(10, split=preset), near=((0, 1), (1, 2)))
    passed = draw(cases(10, split=preset), near=((0, 1), (1, 2)), duplicates="ignore")[1]
    assert (passed[0], passed[2]) == ("val", "test")


def test_images_that_are_all_alike_are_not_joined_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    near = tuple((i, i + 1) for i in range(20))  # 21 of 100 in a chain
    plain = draw(cases(100))
    assert draw(cases(100), near=near) == plain
    assert "20 pairs" in caplog.text
    assert "0.png and 1.png" in caplog.text


def test_a_preset_split_of_images_that_are_all_alike_is_accepted() -> None:
    preset = ["train", "val"] * 50
    near = tuple((i, i + 1) for i in range(20))
    assert draw(cases(100, split=preset), near=near)[1] == preset


def test_byte_equal_images_are_joined_however_many() -> None:
    groups, labels = draw(cases(100), equal=tuple((0, j) for j in range(1, 30)))
    assert len(set(labels[:30])) == 1
    assert len(set(groups)) == 100


@pytest.mark.parametrize("by_file", [False, True])
def test_a_patient_in_two_preset_splits_is_refused_unless_by_file(
    by_file: bool,
) -> None:
    pairs = cases(10, **PRESET, group=["p"] * 10)
    if by_file:
        assert draw(pairs, by="file")[1] == PRESET["split"]
    else:
        with pytest.raises(ValueError, match=r"\bp\b.*train.*val"):
            draw(pairs)


def test_a_split_file_overrides_split_folders(tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("0.png\n1.png\n")
    _, labels = draw(cases(10, **PRESET), file={"test": str(tmp_path / "test.txt")})
    assert labels[:2] == ["test", "test"]
    assert labels.count("test") == 2
    assert labels.count("val") == 2  # drawn: the list gives none


def test_lists_that_divide_a_patient_are_refused(tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("0.png\n")
    (tmp_path / "val.txt").write_text("1.png\n")
    pairs = cases(10, group=["p", "p", *[f"g{i}" for i in range(8)]])
    with pytest.raises(ValueError, match=r"\bp\b.*test.*val"):
        draw(pairs, file=str(tmp_path))
    (tmp_path / "val.txt").write_text("5.png\n")
    assert draw(pairs, file=str(tmp_path))[1][:2] == ["test", "test"]  # its group goes with it


@pytest.mark.parametrize(
    ("changes", "split", "message"),
    [
        ({}, {"val": 0.0}, r"dataset\.split\.val, "),
        ({"split": ["val"] * 4 + ["test"] * 6}, {}, r"10 groups, dataset\.split\.val=0\.2"),
        ({"group": ["p"] * 10}, {}, r"dataset\.group"),
        ({"split": ["train"] + ["test"] * 9}, {}, r"dataset\.split\.val .* 2 cases"),
    ],
)
def test_without_training_or_validation_cases_there_is_no_run(
    changes: dict, split: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        draw(cases(10, **changes), **split)


def test_the_order_of_the_cases_does_not_matter() -> None:
    """Also with joined groups, whose names decide the draw."""
    pairs, near = cases(30), ((2, 9), (9, 20), (4, 5))
    split = dict(zip([p.case for p in pairs], draw(pairs, near=near)[1], strict=True))
    turned = pairs[::-1]
    shares = [1 + i for i in range(30)][::-1]
    again = assign(
        turned,
        foreground=shares,
        image_sha256=[p.case for p in turned],
        blank=[False] * len(turned),
        near=[(29 - j, 29 - i) for i, j in near],
        split=SPLIT,
    )[1]
    assert dict(zip([p.case for p in turned], again, strict=True)) == split
