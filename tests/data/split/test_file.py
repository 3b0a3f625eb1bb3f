"""Splits in files: every way to name a case, and what names none."""

import csv
from pathlib import Path

import pytest

from seg.data.pairs import MaskFile, Pair
from seg.data.sources.table import Table
from seg.data.split import file
from seg.data.split.file import read
from seg.runs import atomic

CASES = ["images/a.png", "images/b.png", "images/c d.png", "images/e.nii.gz"]


def lists(root: Path, **texts: str) -> dict[str, str]:
    for name, text in texts.items():
        (root / f"{name}.txt").write_text(text)
    return {name: str(root / f"{name}.txt") for name in texts}


# Lists.


@pytest.mark.parametrize(
    "line",
    [
        "images/{}.png", "{}.png", "{}", "  {}  ", "images\\{}.png", "{} 1",
        "images/{}.png masks/{}.png",
    ],
)  # fmt: skip
def test_a_line_is_a_path_a_name_or_a_stem(tmp_path: Path, line: str) -> None:
    source = lists(tmp_path, test=line.replace("{}", "b"))
    assert read(source, CASES[:2]) == [None, "test"]


def test_names_with_spaces_and_two_suffixes_are_known(tmp_path: Path) -> None:
    source = lists(tmp_path, test="c d\n", val="e\n")
    assert read(source, CASES) == [None, None, "test", "val"]


def test_lists_as_windows_programs_write_them_read_the_same(tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_bytes("\ufeffa\r\n\r\nb\r\n".encode())
    assert read({"val": str(tmp_path / "val.txt")}, CASES) == ["val", "val", None, None]


def test_a_folder_of_lists_is_read_with_those_that_it_has(tmp_path: Path) -> None:
    lists(tmp_path, train="a\nb", test="c d\ne", other="nothing")
    assert read(str(tmp_path), CASES) == ["train", "train", "test", "test"]
    (tmp_path / "train.txt").unlink()
    assert read(str(tmp_path), CASES) == [None, None, "test", "test"]


def test_a_case_may_be_named_twice_in_one_list(tmp_path: Path) -> None:
    assert read(lists(tmp_path, test="a\na.png\n"), CASES[:2]) == ["test", None]


def test_a_stem_or_name_that_two_cases_share_is_refused(tmp_path: Path) -> None:
    cases = ["x/a.png", "y/a.png", "x/b.png", "y/b.jpg"]
    for line in ("a", "a.png", "b"):
        with pytest.raises(ValueError, match=f"line 2: .* {line};"):
            read(lists(tmp_path, test=f"y/b.jpg\n{line}"), cases)
    assert read(lists(tmp_path, test="y/a.png\nb.png"), cases) == [None, "test", "test", None]


@pytest.mark.parametrize("cases", [["a.png", "sub/a.png"], ["sub/a.png", "a.png"]])
def test_a_whole_path_is_never_ambiguous(tmp_path: Path, cases: list[str]) -> None:
    labels = read(lists(tmp_path, test="a.png"), cases)
    assert dict(zip(cases, labels, strict=True)) == {"a.png": "test", "sub/a.png": None}
    slices = [f"{case[:-4]}.nii#{i}" for case in cases for i in range(2)]
    labels = read(lists(tmp_path, test="a.nii"), slices)
    named = [case for case, label in zip(slices, labels, strict=True) if label == "test"]
    assert named == ["a.nii#0", "a.nii#1"]


@pytest.mark.parametrize("line", ["volumes/v.nii.gz", "v.nii.gz", "v"])
def test_a_volume_stands_for_all_its_slices(tmp_path: Path, line: str) -> None:
    cases = [f"volumes/{name}.nii.gz#{i}" for name in "vw" for i in range(3)]
    assert read(lists(tmp_path, test=line), cases) == ["test"] * 3 + [None] * 3
    source = lists(tmp_path, test="volumes/w.nii.gz#1")
    assert read(source, cases) == [None] * 4 + ["test", None]


def test_a_line_that_names_no_case_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"test\.txt, line 3: z\b"):
        read(lists(tmp_path, test="a\n\nz\n"), CASES)


def test_a_case_in_two_lists_is_refused_however_it_is_named(tmp_path: Path) -> None:
    source = lists(tmp_path, val="images/a.png\nb", test="c d\na\n")
    with pytest.raises(ValueError, match=r"test\.txt, line 2: images/a\.png .*\bval\b"):
        read(source, CASES)


def test_with_a_list_for_training_every_case_must_be_in_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"2 cases .*images/b\.png"):
        read(lists(tmp_path, train="a", test="e"), CASES)


def test_lists_that_are_not_there_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"test: .*none\.txt"):
        read({"test": str(tmp_path / "none.txt")}, CASES)
    with pytest.raises(ValueError, match="train.txt, val.txt or test.txt"):
        read(str(tmp_path), CASES)
    with pytest.raises(ValueError, match="'valid'"):
        read({"valid": str(tmp_path / "none.txt")}, CASES)


# split.csv


def write(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines))
    return str(path)


def test_a_table_is_read_in_the_order_of_the_cases(tmp_path: Path) -> None:
    lines = ["image,mask,group,split", "a.png,a.png,a,test", "b.png,b.png,b,train"]
    assert read(write(tmp_path / "s.csv", *lines), ["b.png", "a.png"]) == ["train", "test"]
    (tmp_path / "w.csv").write_bytes("\ufeffsplit,image\r\nval,a.png\r\n".encode())
    assert read(str(tmp_path / "w.csv"), ["a.png"]) == ["val"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["image,split", "a.png,train"], r"1 cases .*b\.png"),
        (["image,split", "a.png,train", "b.png,holdout"], "'holdout'"),
        (["image,split", "a.png,train", "b.png", "c.png,x"], "split ''"),
        (["file,part", "a.png,train"], "columns image and split"),
        (["image,split"], "columns image and split"),
        ([""], "columns image and split"),
        (["image,split", "a.png,val", "b.png,val", "a.png,test"], r"a\.png .*val and test"),
        (
            ["image,split", "a.png,val", "b.png,val", "z.png,test"],
            r"1 of .*z\.png",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_refused(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    path = write(tmp_path / "split.csv", *lines)
    with pytest.raises(ValueError, match=message) as caught:
        read(path, ["a.png", "b.png"])
    assert path in str(caught.value)


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"dataset\.split\.file=.*none\.csv"):
        read(str(tmp_path / "none.csv"), [])


# Written, and read again.


def pair(root: Path, case: str, mask: str, plane: tuple[int, int] | None = None) -> Pair:
    image = root / (case.rpartition("#")[0] if plane else case)
    return Pair(case, (image,), (MaskFile(root / mask),), "g", None, plane)


def round_trip(path: Path, pairs: list[Pair]) -> list[list[str]]:
    """The rows as written; asserts that the labels come back."""
    labels = [("train", "val", "test")[i % 3] for i in range(len(pairs))]
    hashes = [f"{i:064x}" for i in range(len(pairs))]
    rows = file.rows(pairs, ["g"] * len(pairs), labels, hashes, hashes)
    atomic.write_csv(path, [file.COLUMNS, *rows])
    cases = [p.case for p in pairs]
    assert read(str(path), cases) == labels
    assert read(str(path), cases[::-1]) == labels[::-1]
    with path.open(newline="", encoding="utf-8") as handle:
        written = list(csv.reader(handle))
    assert written[0] == ["image", "mask", "group", "split", "image_sha256", "mask_sha256"]
    return written[1:]


def test_a_written_split_is_read_back_with_masks_relative_to_the_root(tmp_path: Path) -> None:
    root = tmp_path / "data"
    names = ["images/a.png", 'images/sub/ü, "x".png', "images/p#1/b.png", "images/c#2.png"]
    rows = round_trip(
        tmp_path / "s.csv", [pair(root, n, f"masks/{i}.png") for i, n in enumerate(names)]
    )
    assert [row[0] for row in rows] == names
    assert [row[1] for row in rows] == [f"masks/{i}.png" for i in range(4)]


def test_slices_of_volumes_are_read_back_each_by_itself(tmp_path: Path) -> None:
    pairs = [pair(tmp_path, f"images/v.nii#{i}", "masks/v.nii", (2, i)) for i in range(12)]
    rows = round_trip(tmp_path / "s.csv", pairs)
    assert [row[0] for row in rows] == [f"images/v.nii#{i}" for i in range(12)]
    assert {row[1] for row in rows} == {"masks/v.nii"}


def test_tables_with_absolute_and_upward_paths_are_read_back(tmp_path: Path) -> None:
    root, far = tmp_path / "root", tmp_path / "far"
    root.mkdir()
    lines = ["image,mask", f"{far}/a.png,{far}/m.png", "../far/b.png,../far/n.png", "c.png,d.png"]
    write(root / "cases.csv", *lines)
    rows = round_trip(tmp_path / "s.csv", Table(root=str(root)).pairs())
    assert [row[:2] for row in rows] == [
        [f"{far}/a.png", f"{far}/m.png"], ["../far/b.png", "../far/n.png"], ["c.png", "d.png"],
    ]  # fmt: skip
