"""Groups and splits of a whole data set: duplicates are kept together, or the split is refused."""

import logging
from pathlib import Path

import pytest

from seg.data.pairs import Pair
from seg.data.split import assign

SPLIT = {
    "val": 0.2, "test": 0.2, "by": "group", "seed": 0, "folds": None, "fold": None, "file": None,
    "duplicates": "together",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _heard(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("seg").propagate = True


def cases(count: int, **changes: list) -> list[Pair]:
    """`i.png`, each of a group of its own and without a split, but for `changes`: group, split."""
    every = {"group": [f"g{i:02d}" for i in range(count)], "split": [None] * count} | changes
    return [
        Pair(f"{i}.png", Path(f"{i}.png"), Path("m.png"), every["group"][i], every["split"][i])
        for i in range(count)
    ]


def draw(pairs: list[Pair], *, equal: tuple = (), near: tuple = (), **split: object) -> tuple:
    """Groups and labels. equal: index pairs of images with the same bytes."""
    hashes = [str(i) for i in range(len(pairs))]
    for i, j in equal:
        hashes[j] = hashes[i]
    return assign(
        pairs,
        foreground=[1 + i for i in range(len(pairs))],
        image_sha256=hashes,
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
        Pair(f"{v}.nii#{i}", Path(f"{v}.nii"), Path("m.nii"), "p", None, (2, i))
        for v in range(10)
        for i in range(5)
    ]
    groups, labels = draw(pairs, by="file")
    assert groups == [f"{p.image}" for p in pairs]
    assert all(len(set(labels[i : i + 5])) == 1 for i in range(0, 50, 5))


@pytest.mark.parametrize(
    ("kind", "word"), [("equal", "byte-equal images"), ("near", "near-duplicate images")]
)
def test_duplicates_are_kept_in_one_split_with_a_warning(
    kind: str, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    alike = ((0, 7), (3, 12), (12, 15), (20, 29))
    for seed in range(10):
        groups, labels = draw(cases(30), **{kind: alike}, seed=seed)
        assert all(labels[i] == labels[j] and groups[i] == groups[j] for i, j in alike)
    assert f"4 {word}" in caplog.text
    assert "0.png = 7.png" in caplog.text
    assert "kept in one split" in caplog.text


def test_duplicates_bind_whole_patients(caplog: pytest.LogCaptureFixture) -> None:
    pairs = cases(40, group=[f"p{i // 4}" for i in range(40)])
    for seed in range(5):
        _, labels = draw(pairs, near=((0, 39), (1, 2)), seed=seed)
        assert len(set(labels[:4] + labels[36:])) == 1
    assert "1 near-duplicate images (0.png = 39.png)" in caplog.text  # 1 and 2 are together anyway


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


GIVEN = {"split": ["train"] * 6 + ["val"] * 2 + ["test"] * 2}


@pytest.mark.parametrize(
    ("kind", "word"), [("equal", "the same image"), ("near", "near-duplicate images")]
)
def test_a_given_split_that_parts_duplicates_is_refused_with_both_names(
    kind: str, word: str
) -> None:
    with pytest.raises(ValueError, match="2 duplicates lie in two splits") as caught:
        draw(cases(10, **GIVEN), **{kind: ((0, 1), (1, 9), (6, 8))})
    text = str(caught.value)
    assert f"9.png (test): {word}" in text
    assert f"6.png (val) and 8.png (test): {word}" in text
    assert "dataset.split.duplicates=ignore" in text
    assert "0.png (train) and 1.png (train)" not in text


def test_of_many_parted_duplicates_twelve_are_named() -> None:
    pairs = cases(40, split=["train"] * 20 + ["val"] * 20)
    near = tuple((i, i + 20) for i in range(20))
    with pytest.raises(ValueError, match="20 duplicates lie in two splits") as caught:
        draw(pairs, near=near)
    lines = str(caught.value).splitlines()
    assert len(lines) == 14
    assert lines[-1] == "... and 8 more"


@pytest.mark.parametrize("kind", ["equal", "near"])
def test_ignored_duplicates_in_two_given_splits_are_a_warning(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    pairs = cases(10, **GIVEN)
    assert draw(pairs, **{kind: ((1, 9),)}, duplicates="ignore")[1] == GIVEN["split"]
    assert "1 duplicates lie in two splits, such as 1.png (train) and 9.png (test)" in caplog.text


def test_a_given_split_that_keeps_duplicates_together_stands() -> None:
    assert draw(cases(10, **GIVEN), equal=((0, 1),), near=((8, 9),))[1] == GIVEN["split"]


def test_validation_that_is_drawn_keeps_duplicates_together() -> None:
    given = [None] * 25 + ["test"] * 5
    for seed in range(10):
        _, labels = draw(cases(30, split=given), near=((0, 7), (3, 29)), seed=seed)
        assert labels[25:] == ["test"] * 5
        assert labels[0] == labels[7]
        assert labels[3] == "test"  # as the image that it is like
        assert 5 <= labels.count("val") <= 7


def test_duplicates_that_join_two_given_splits_by_an_unnamed_case_are_refused() -> None:
    """Neither pair lies in two splits, and yet no label of the third would be right."""
    given = ["val", None, "test", *[None] * 7]
    with pytest.raises(ValueError, match=r"0\.png \(val\) and 2\.png \(test\): a case that the"):
        draw(cases(10, split=given), near=((0, 1), (1, 2)))
    passed = draw(cases(10, split=given), near=((0, 1), (1, 2)), duplicates="ignore")[1]
    assert (passed[0], passed[2]) == ("val", "test")


def test_images_that_are_all_alike_are_not_joined_and_that_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    near = tuple((i, i + 1) for i in range(20))  # 21 of 100 in a chain
    plain = draw(cases(100))
    assert draw(cases(100), near=near) == plain
    assert "20 pairs of images are so alike" in caplog.text
    assert "0.png and 1.png" in caplog.text
    assert "split as they come" in caplog.text


def test_a_given_split_of_images_that_are_all_alike_is_not_refused() -> None:
    given = ["train", "val"] * 50
    near = tuple((i, i + 1) for i in range(20))
    assert draw(cases(100, split=given), near=near)[1] == given


def test_byte_equal_images_are_joined_however_many() -> None:
    groups, labels = draw(cases(100), equal=tuple((0, j) for j in range(1, 30)))
    assert len(set(groups[:30])) == 1
    assert len(set(labels[:30])) == 1


@pytest.mark.parametrize("by_file", [False, True])
def test_a_patient_in_two_given_splits_is_refused_unless_files_count(by_file: bool) -> None:
    pairs = cases(10, **GIVEN, group=["p"] * 10)
    if by_file:
        assert draw(pairs, by="file")[1] == GIVEN["split"]
    else:
        with pytest.raises(ValueError, match="group p is in both train and val"):
            draw(pairs)


def test_a_file_goes_before_folders(tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("0.png\n1.png\n")
    _, labels = draw(cases(10, **GIVEN), file={"test": str(tmp_path / "test.txt")})
    assert labels[:2] == ["test", "test"]
    assert labels.count("test") == 2
    assert labels.count("val") == 2  # drawn: the list gives none


def test_lists_that_divide_a_patient_are_refused(tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("0.png\n")
    (tmp_path / "val.txt").write_text("1.png\n")
    pairs = cases(10, group=["p", "p", *[f"g{i}" for i in range(8)]])
    with pytest.raises(ValueError, match="group p is in both test and val"):
        draw(pairs, file=str(tmp_path))
    (tmp_path / "val.txt").write_text("5.png\n")
    assert draw(pairs, file=str(tmp_path))[1][:2] == ["test", "test"]  # its group goes with it


@pytest.mark.parametrize(
    ("changes", "split", "message"),
    [
        ({}, {"val": 0.0}, r"no val cases: raise dataset\.split\.val, or add data"),
        ({"split": ["val"] * 4 + ["test"] * 6}, {}, "no training cases left"),
        ({"group": ["p"] * 10}, {}, "a group is never divided"),
        ({"split": ["train"] + ["test"] * 9}, {}, r"dataset\.split\.val asks for 2 cases"),
    ],
)
def test_without_training_or_validation_cases_there_is_no_run(
    changes: dict, split: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        draw(cases(10, **changes), **split)


def test_the_order_of_the_cases_does_not_matter() -> None:
    """Also where joining has made groups, whose names are drawn by."""
    pairs, near = cases(30), ((2, 9), (9, 20), (4, 5))
    split = dict(zip([p.case for p in pairs], draw(pairs, near=near)[1], strict=True))
    turned = pairs[::-1]
    shares = [1 + i for i in range(30)][::-1]
    again = assign(
        turned,
        foreground=shares,
        image_sha256=[p.case for p in turned],
        near=[(29 - j, 29 - i) for i, j in near],
        split=SPLIT,
    )[1]
    assert dict(zip([p.case for p in turned], again, strict=True)) == split
