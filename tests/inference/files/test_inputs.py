"""Which images `input` names, and what their masks are called."""

from pathlib import Path

import pytest

from seg.inference.files.inputs import find, stacked


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    for name in ("a2.png", "a10.jpg", "notes.txt", ".hidden.png", "p1/b.tif", "p1/deep/c.NII.GZ"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def names(source: str | list[str], *, recursive: bool = False, root: str | None = None) -> list:
    return [(one.image, one.name) for one in find(source, recursive=recursive, root=root)]


def test_a_folder_gives_its_images_in_natural_order_and_leaves_subfolders_out(tree: Path) -> None:
    assert names(str(tree)) == [("a2.png", "a2"), ("a10.jpg", "a10")]


def test_a_recursive_folder_keeps_the_subfolders(tree: Path) -> None:
    result = names(str(tree), recursive=True)
    assert result == [
        ("a2.png", "a2"), ("a10.jpg", "a10"), ("p1/b.tif", "p1/b"),
        ("p1/deep/c.NII.GZ", "p1/deep/c"),
    ]  # fmt: skip


def test_a_file_and_a_list_of_files_are_found(tree: Path) -> None:
    assert names(str(tree / "p1/b.tif")) == [("b.tif", "b")]
    both = [str(tree / "p1/b.tif"), str(tree / "a2.png"), str(tree / "a2.png")]
    assert names(both) == [("p1/b.tif", "p1/b"), ("a2.png", "a2")]


def test_a_glob_names_from_where_it_begins_to_be_wild(tree: Path) -> None:
    assert names(f"{tree}/**/*.tif") == [("p1/b.tif", "p1/b")]
    assert names(f"{tree}/*") == [("a2.png", "a2"), ("a10.jpg", "a10")]


def test_a_file_whose_name_looks_like_a_glob_is_taken_as_it_is(tree: Path) -> None:
    (tree / "case[1].png").touch()
    assert names(f"{tree}/case[1].png") == [("case[1].png", "case[1]")]


@pytest.mark.parametrize(
    "text",
    ["image,group\na2.png,x\np1/b.tif,y\n", "a2.png\n\np1/b.tif\n", "file\na2.png\np1/b.tif\n",
     "group,Image\nx,a2.png\ny,p1/b.tif\n", "\ufeffimage\r\na2.png\r\np1/b.tif\r\n"],
)  # fmt: skip
def test_a_table_names_images_by_its_column_or_its_first(tree: Path, text: str) -> None:
    (tree / "list.csv").write_bytes(text.encode())
    expected = [("a2.png", "a2"), ("p1/b.tif", "p1/b")]
    assert names(str(tree / "list.csv")) == expected
    (tree.parent / "list.csv").write_bytes(text.encode())
    assert names(str(tree.parent / "list.csv"), root=str(tree)) == expected


def test_a_tables_missing_file_is_left_to_be_reported_with_the_others(tree: Path) -> None:
    (tree / "list.csv").write_text("image\na2.png\ngone.png\n")
    assert names(str(tree / "list.csv")) == [("a2.png", "a2"), ("gone.png", "gone")]


def test_a_table_of_files_elsewhere_names_them_from_their_common_folder(tree: Path) -> None:
    (tree.parent / "lists").mkdir()
    path = tree.parent / "lists" / "list.csv"
    path.write_text(f"image\n{tree}/a2.png\n../in/p1/b.tif\n")
    assert names(str(path)) == [("a2.png", "a2"), ("p1/b.tif", "p1/b")]


def test_images_of_one_stem_keep_their_suffixes(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "b.jpg", "p/a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    result = dict(names(str(tmp_path), recursive=True))
    assert result == {"a.jpg": "a.jpg", "a.png": "a.png", "b.jpg": "b", "p/a.jpg": "p/a"}


def test_a_kept_suffix_never_makes_two_names_the_same(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "a.jpg.png", "A.PNG"):
        (tmp_path / name).touch()
    result = [name for _, name in names(str(tmp_path))]
    assert len(set(result)) == 4
    assert dict(names(str(tmp_path)))["a.jpg.png"] == "a.jpg.png"


def test_an_input_without_images_is_named_with_the_way_out(tree: Path) -> None:
    (tree / "empty").mkdir()
    (tree / "text.csv").write_text("image\n")
    for source, words in (
        ("gone.png", r"gone\.png"),
        ("empty", "empty"),
        ("*.bmp", r"\*\.bmp"),
        ("*.txt", r"\*\.txt.* 1 matches"),
    ):
        with pytest.raises(FileNotFoundError, match=f"input=.*{words}"):
            names(str(tree / source))
    (tree / "only/sub").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="recursive=true"):
        names(str(tree / "only"))
    with pytest.raises(ValueError, match=r"text\.csv.*`image`"):
        names(str(tree / "text.csv"))


def stacked_names(folder: Path, source: str = "") -> tuple[list, dict[str, str]]:
    images, failed = stacked(
        find(source or str(folder), recursive=True, root=None), ["_0000", "_0001"]
    )
    paths = [[path.name for path in one.paths] for one in images]
    return [(one.image, one.name, p) for one, p in zip(images, paths, strict=True)], failed


def test_the_files_of_a_case_are_one_image_named_without_suffix(tmp_path: Path) -> None:
    for name in ("a_0001.png", "a_0000.png", "b_0001.png", "b_0000.png", "c/a_0000.png",
                 "c/a_0001.png", "b_0002.png"):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    images, failed = stacked_names(tmp_path)
    assert images == [
        ("a_0000.png", "a", ["a_0000.png", "a_0001.png"]),
        ("b_0000.png", "b", ["b_0000.png", "b_0001.png"]),
        ("c/a_0000.png", "c/a", ["a_0000.png", "a_0001.png"]),
    ]
    assert failed == {}


def test_a_case_without_one_of_its_files_is_refused_by_name(tmp_path: Path) -> None:
    for name in ("a_0000.png", "a_0001.png", "b_0001.png", "c_0000.nii.gz"):
        (tmp_path / name).touch()
    images, failed = stacked_names(tmp_path)
    assert [one[1] for one in images] == ["a"]
    assert set(failed) == {"b_0000.png", "c_0000.nii.gz"}
    assert "b_0000.png" in failed["b_0000.png"]
    assert "c_0001.nii.gz" in failed["c_0000.nii.gz"]


def test_naming_one_file_of_a_case_is_enough(tmp_path: Path) -> None:
    for name in ("a_0000.png", "a_0001.png"):
        (tmp_path / name).touch()
    expected = [("a_0000.png", "a", ["a_0000.png", "a_0001.png"])]
    assert stacked_names(tmp_path, str(tmp_path / "a_0001.png"))[0] == expected


def test_files_of_no_case_at_all_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(ValueError, match="_0000, _0001"):
        stacked_names(tmp_path)
