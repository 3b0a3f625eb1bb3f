import errno
import os
from pathlib import Path

import pytest

from seg.runs.atomic import (
    replacing,
    replacing_files,
    require_writable,
    write_csv,
    write_json,
    write_text,
)


def test_a_file_is_replaced_by_the_whole_new_one(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.json"
    write_json(path, {"a": 1})
    write_text(path, "line\r\n\udcff")
    assert path.read_bytes() == b"line\r\n\\udcff"
    assert list(path.parent.iterdir()) == [path]


def test_a_table_is_written_with_the_line_ends_of_csv(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [["case", "dice"], ["one, two", 0.5], ["ü", ""]])
    assert (tmp_path / "a.csv").read_bytes() == 'case,dice\r\n"one, two",0.5\r\nü,\r\n'.encode()


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), replacing(path) as handle:  # noqa: PT012
        handle.write(b"half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_full_disk_names_the_target_even_if_a_library_hides_the_error(
    tmp_path: Path, wrapped: bool
) -> None:
    path = tmp_path / "best.ckpt"
    with pytest.raises(OSError) as caught, replacing(path):  # noqa: PT012
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            if wrapped:
                raise RuntimeError("PytorchStreamWriter failed writing file") from error
            raise
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(path)


def test_an_error_about_another_file_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "a.txt"):
        (tmp_path / "missing.csv").read_bytes()
    assert caught.value.filename == str(tmp_path / "missing.csv")


def test_a_set_of_files_is_replaced_together_and_its_mark_comes_last(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    write_text(folder / "kept.txt", "kept")
    write_text(folder / "mark.json", "old")
    with pytest.raises(ZeroDivisionError), replacing_files(folder, last="mark.json") as new:  # noqa: PT012
        write_text(new / "mark.json", "half")
        raise ZeroDivisionError
    assert (folder / "mark.json").read_text() == "old"
    with replacing_files(folder, last="mark.json") as new:
        write_text(new / "pictures" / "a.txt", "a")
        write_text(new / "mark.json", "new")
    assert (folder / "mark.json").read_text() == "new"
    assert {p.name for p in folder.rglob("*.txt")} == {"kept.txt", "a.txt"}
    assert [p.name for p in tmp_path.iterdir()] == ["results"]


def test_a_folder_that_cannot_be_made_is_known_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_writable(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)  # root may do all
    with pytest.raises(PermissionError, match="output_dir") as caught:
        require_writable(tmp_path / "a" / "b")
    assert caught.value.filename == str(tmp_path)


def test_a_file_in_the_place_of_a_folder_is_known_beforehand(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(NotADirectoryError, match="output_dir"):
        require_writable(tmp_path / "a" / "b")
