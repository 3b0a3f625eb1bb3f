"""Splits are by group, stratified, seeded, and can be written and read back."""

from collections import Counter
from pathlib import Path

import pytest

from seg.data.split import assign, check_disjoint, merge_equal, read, validate

SIZES = {"val": 0.2, "test": 0.2, "seed": 0}


def cohort(patients: int, frames: int, empty: int = 0) -> tuple[list[str], list[bool]]:
    """The last `empty` patients have no foreground."""
    groups = [f"p{i:02d}" for i in range(patients) for _ in range(frames)]
    positive = [i < patients - empty for i in range(patients) for _ in range(frames)]
    return groups, positive


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_divided(seed: int) -> None:
    groups, positive = cohort(20, 7)
    labels = assign(groups, positive, val=0.2, test=0.2, seed=seed)
    assert len(set(zip(groups, labels, strict=True))) == 20
    assert Counter(labels) == {"train": 84, "val": 28, "test": 28}


def test_the_same_seed_gives_the_same_split_and_another_another() -> None:
    groups, positive = cohort(30, 2)
    first, again = (assign(groups, positive, **SIZES) for _ in range(2))
    other = assign(groups, positive, val=0.2, test=0.2, seed=1)
    assert first == again
    assert first != other


def test_empty_groups_are_spread_over_the_splits() -> None:
    groups, positive = cohort(50, 1, empty=10)
    labels = assign(groups, positive, **SIZES)
    empty = Counter(label for label, p in zip(labels, positive, strict=True) if not p)
    assert empty == {"train": 6, "val": 2, "test": 2}


def test_counts_are_taken_as_counts() -> None:
    groups, positive = cohort(40, 1)
    labels = assign(groups, positive, val=5, test=7, seed=0)
    assert Counter(labels) == {"train": 28, "val": 5, "test": 7}


def test_folds_cover_every_case_once() -> None:
    groups, positive = cohort(15, 3, empty=5)
    seen: Counter[str] = Counter()
    for fold in range(5):
        labels = assign(groups, positive, val=0.1, test=0.0, seed=3, folds=5, fold=fold)
        check_disjoint(groups, labels)
        assert "val" in labels
        seen.update({g for g, label in zip(groups, labels, strict=True) if label == "test"})
    assert set(seen) == set(groups)
    assert set(seen.values()) == {1}


def test_large_groups_still_fill_both_splits() -> None:
    groups, positive = cohort(4, 50)
    assert set(assign(groups, positive, val=0.1, test=0.1, seed=0)) == {"train", "val", "test"}


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="a group is never divided"):
        assign(["one"] * 20, [True] * 20, **SIZES)
    with pytest.raises(ValueError, match="needs as many groups"):
        assign(["a", "b"] * 5, [True] * 10, val=0.1, test=0, seed=0, folds=5, fold=0)


def test_a_group_in_two_splits_is_an_error() -> None:
    with pytest.raises(ValueError, match="group b is in both train and test"):
        check_disjoint(["a", "b", "b"], ["train", "train", "test"])


def test_byte_equal_images_are_kept_together() -> None:
    groups, joined = merge_equal(["a", "b", "c", "a"], ["1", "2", "1", "3"])
    assert groups[0] == groups[2] == groups[3] != groups[1]
    assert joined == [(0, 2)]


def test_a_written_split_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_text("image,mask,group,split\na.png,a.png,a,test\nb.png,b.png,b,train\n")
    assert read(path, ["b.png", "a.png"]) == ["train", "test"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,split\na.png,train\n", "the first is b.png"),
        ("image,split\na.png,train\nb.png,holdout\n", "'holdout' is none of"),
        ("file,part\na.png,train\n", "needs the columns"),
    ],
)
def test_a_split_file_that_does_not_fit_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "split.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read(path, ["a.png", "b.png"])


def test_a_missing_split_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file"):
        read(tmp_path / "none.csv", [])


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"val": -0.1, "test": 0.2, "folds": None, "fold": None}, "dataset.split.val"),
        ({"val": 0.5, "test": 0.5, "folds": None, "fold": None}, "leaves nothing"),
        ({"val": 0.1, "test": 0.2, "folds": 5, "fold": None}, "go together"),
        ({"val": 0.1, "test": 0.2, "folds": 5, "fold": 5}, "0 to folds-1"),
    ],
)
def test_impossible_sizes_are_refused(sizes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        validate(**sizes)
