"""Cases from a CSV: what it may say, and every fault that it may have."""

import logging
from pathlib import Path

import numpy as np
import pytest

from seg.data.pairs import PairingErrors
from seg.data.sources.table import Table

ROWS = [
    "image,mask,group,split",
    "p1/a.png,p1/a_m.png,p1,train",
    "p1/b.png,p1/b_m.png,p1,train",
    "p2/a.png,p2/a_m.png,p2,test",
    "p3/a.png,p3/a_m.png,p3,",
]


def table(root: Path, *lines: str, name: str = "cases.csv", **settings: object) -> Table:
    (root / name).write_text("\n".join([*lines, ""]))
    return Table(root=str(root), table=name, **settings)


def problems(source: Table) -> tuple[list[str], list[str]]:
    """Messages without the table's path, and the cases handed on."""
    with pytest.raises(PairingErrors) as caught:
        source.pairs()
    assert all(str(source.table) in m for m in caught.value.messages)
    short = [m.replace(f"{source.table}, ", "") for m in caught.value.messages]
    return short, [p.case for p in caught.value.pairs]


def test_a_row_is_a_case_with_its_group_and_split(tmp_path: Path) -> None:
    pairs = table(tmp_path, *ROWS).pairs()
    assert [(p.case, p.image, p.mask_paths[0], p.group, p.split) for p in pairs] == [
        ("p1/a.png", tmp_path / "p1/a.png", tmp_path / "p1/a_m.png", "p1", "train"),
        ("p1/b.png", tmp_path / "p1/b.png", tmp_path / "p1/b_m.png", "p1", "train"),
        ("p2/a.png", tmp_path / "p2/a.png", tmp_path / "p2/a_m.png", "p2", "test"),
        ("p3/a.png", tmp_path / "p3/a.png", tmp_path / "p3/a_m.png", "p3", None),
    ]


def test_files_as_windows_programs_write_them_read_the_same(tmp_path: Path) -> None:
    """Byte order mark, CR LF, quotes, blank lines, spaces, more columns in another order."""
    plain = table(tmp_path, *ROWS).pairs()
    written = (
        "\ufeffsplit,note,mask,image,group\r\n"
        'train,"of two\r\nlines",p1/a_m.png, p1/a.png ,p1\r\n'
        'train,,"p1/b_m.png","p1/b.png",p1\r\n\r\n'
        "test,,p2/a_m.png,p2/a.png,p2 \r\n"
        ",,p3/a_m.png,p3/a.png,p3\r\n"
    )
    (tmp_path / "other.csv").write_bytes(written.encode())
    assert Table(root=str(tmp_path), table="other.csv").pairs() == plain


def test_table_and_files_may_have_absolute_paths(tmp_path: Path) -> None:
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    (tmp_path / "lists").mkdir()
    path = tmp_path / "lists" / "all.csv"
    path.write_text(f"image,mask\n{elsewhere}/a.png,{elsewhere}/m.png\nb.png,c.png\n")
    first, second = Table(root=str(tmp_path / "root"), table=str(path)).pairs()
    assert first.case == str(elsewhere / "a.png")
    assert (first.image, first.mask_paths[0]) == (elsewhere / "a.png", elsewhere / "m.png")
    assert (second.case, second.image) == ("b.png", tmp_path / "root" / "b.png")


@pytest.mark.parametrize(
    ("rule", "groups"),
    [
        ("group", ["g1", "g1", "g2"]),
        ("patient", ["x", "y", "y"]),
        ("file", ["s/p1_a.png", "s/p1_b.png", "t/p2_a.png"]),
        ("folder", ["s", "s", "t"]),
        (r"(p\d)_", ["p1", "p1", "p2"]),
    ],
)
def test_the_group_is_a_column_or_a_rule(tmp_path: Path, rule: str, groups: list[str]) -> None:
    rows = ["s/p1_a.png,m1,g1,x", "s/p1_b.png,m2,g1,y", "t/p2_a.png,m3,g2,y"]
    pairs = table(tmp_path, "image,mask,group,patient", *rows, group=rule).pairs()
    assert [p.group for p in pairs] == groups


def test_without_a_group_column_every_image_is_its_own(tmp_path: Path) -> None:
    pairs = table(tmp_path, "image,mask", "a.png,b.png", "c.png,d.png").pairs()
    assert [p.group for p in pairs] == ["a.png", "c.png"]
    assert {p.split for p in pairs} == {None}


def test_all_faulty_rows_are_named_with_their_lines_and_the_others_returned(
    tmp_path: Path,
) -> None:
    source = table(
        tmp_path,
        "image,mask,group,split",
        "good.png,good_m.png,g,val",  # line 2
        ",m.png,g,train",
        "i.png,,g,train",
        "",  # line 5: blank, no row
        "j.png,m.png,g,holdout",
        "good.png,other_m.png,g,val",
        "k.png,m.png,  ,train",
        "l.png",
        "fine.png,fine_m.png,g,",
    )
    messages, sound = problems(source)
    named = {3: "the image", 4: "the mask", 6: "split 'holdout'", 7: "good.png is listed in line 2",
             8: "the group", 9: "the mask"}  # fmt: skip
    assert [message.split(":")[0] for message in messages] == [f"line {i}" for i in named]
    assert all(words in text for words, text in zip(named.values(), messages, strict=True))
    assert sound == ["good.png", "fine.png"]


def test_rows_that_a_rule_does_not_fit_are_named(tmp_path: Path) -> None:
    rows = ["p1_a.png,m", "x.png,m", "p2_a.png,m", "y.png,m"]
    messages, sound = problems(table(tmp_path, "image,mask", *rows, group=r"(p\d)_"))
    assert [m.split(":")[0] for m in messages] == ["line 3", "line 5"]
    assert "x.png" in messages[0]
    assert "y.png" in messages[1]
    assert sound == ["p1_a.png", "p2_a.png"]
    messages, sound = problems(
        table(tmp_path, "image,mask", "p/a.png,m", "b.png,m", group="folder")
    )
    assert messages[0].startswith("line 3: b.png: dataset.group=folder")
    assert sound == ["p/a.png"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"file,mask\na,b\n", r"image and mask, .*file, mask"),
        (b"image|mask\na|b\n", r"image and mask, .*image\|mask"),
        (b"", r"image and mask, .*none"),
        (b"image,mask\n", r"no rows"),
        (b"image,mask\nm\xfcller.png,b\n", r"UTF-8"),
        ("image,mask\na,b\n".encode("utf-16"), r"UTF-8"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_by_name(
    tmp_path: Path, text: bytes, message: str
) -> None:
    (tmp_path / "cases.csv").write_bytes(text)
    with pytest.raises(ValueError, match=message) as caught:
        Table(root=str(tmp_path)).pairs()
    assert str(tmp_path / "cases.csv") in str(caught.value)


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"dataset\.table=.*cases\.csv"):
        Table(root=str(tmp_path)).pairs()


def test_a_misspelt_column_of_groups_is_refused_with_the_columns(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"dataset\.group='pateint'.*: image, mask, patient$"):
        table(tmp_path, "image,mask,patient", "a,b,c", group="pateint").pairs()


def test_volumes_are_cut_and_those_that_do_not_fit_are_named(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel", reason="reads NIfTI; in the medical extra")
    for name, slices in (("v", 3), ("v_m", 3), ("w", 3), ("w_m", 2)):
        volume = nibabel.Nifti1Image(np.zeros((2, slices, 2), np.uint8), np.eye(4))
        nibabel.save(volume, tmp_path / f"{name}.nii.gz")
    rows = ["v.nii.gz,v_m.nii.gz,g,val", "w.nii.gz,w_m.nii.gz,h,", "gone.nii,v_m.nii.gz,h,"]
    source = table(tmp_path, "image,mask,group,split", *rows, axis=1)
    with pytest.raises(PairingErrors) as caught:
        source.pairs()
    assert [m.split(": ")[0] for m in caught.value.messages] == [
        str(tmp_path / "w.nii.gz"), str(tmp_path / "gone.nii"),
    ]  # fmt: skip
    assert [(p.case, p.group, p.split, p.plane) for p in caught.value.pairs] == [
        (f"v.nii.gz#{i}", "g", "val", (1, i)) for i in range(3)
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("slash", ["/", "\\"])
def test_every_spreadsheet_program_s_table_reads_the_same(
    tmp_path: Path, delimiter: str, mark: str, slash: str
) -> None:
    plain = table(tmp_path, *ROWS).pairs()
    text = mark + "\r\n".join(ROWS).replace(",", delimiter).replace("/", slash) + "\r\n"
    (tmp_path / "other.csv").write_bytes(text.encode())
    assert Table(root=str(tmp_path), table="other.csv").pairs() == plain


def test_a_column_for_each_class_and_several_images_of_a_case(tmp_path: Path) -> None:
    lines = (
        "image,image_2,image_10,mask_disc,mask_cup",
        "a.png,a2.png,a10.png,a_d.png,a_c.png",
        "b.png,b2.png,b10.png,b_d.png,",
    )
    messages, _ = problems(table(tmp_path, *lines))
    assert [m.split(":")[0] for m in messages] == ["line 3"]
    source = table(tmp_path, *lines, missing_masks="empty")
    assert list(source.classes) == ["disc", "cup"]
    first, second = source.pairs()
    assert [i.name for i in first.images] == ["a.png", "a2.png", "a10.png"]
    assert [(m.path.name, m.label) for m in first.masks] == [
        ("a_d.png", "disc"),
        ("a_c.png", "cup"),
    ]
    assert [m.label for m in second.masks] == ["disc"]
    only = table(tmp_path, *lines[:2], classes=["cup"])
    assert list(only.classes) == ["cup"]
    assert [[m.label for m in p.masks] for p in only.pairs()] == [["cup"]]
    with pytest.raises(ValueError, match=r"rim.*disc, cup"):
        table(tmp_path, *lines, classes=["rim"])
    with pytest.raises(ValueError, match=r"mask, mask_disc"):
        table(tmp_path, "image,mask,mask_disc", "a,b,c")


def test_an_empty_mask_cell_may_be_a_negative(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "seg")
    logging.getLogger("seg").propagate = True
    lines = ("image,mask,mask_2", "a.png,m.png,m2.png", "b.png,,", "c.png,n.png,")
    assert problems(table(tmp_path, *lines))[0][0].startswith("line 3: the mask")
    pairs = table(tmp_path, *lines, missing_masks="empty").pairs()
    assert [len(p.masks) for p in pairs] == [2, 0, 1]
    assert "1 of 3 images have no mask" in caplog.text


def test_rows_of_excluded_images_are_left_out(tmp_path: Path) -> None:
    pairs = table(tmp_path, *ROWS, exclude="p1/*").pairs()
    assert [p.case for p in pairs] == ["p2/a.png", "p3/a.png"]
