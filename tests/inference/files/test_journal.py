"""What an earlier command predicted, and what a kill left of it."""

import contextlib
from pathlib import Path

import pytest

from seg.inference.files.journal import NAME, UNFINISHED, Journal, key_of


def placed(journal: Journal, image: str, text: str = "mask", sha256: str = "s") -> None:
    file = f"{Path(image).stem}.png"
    path = journal.temporary(file)
    path.write_text(text)
    journal.place(image, sha256, [file], {"rows": []})


def test_a_record_holds_for_the_same_bytes_and_settings(tmp_path: Path) -> None:
    with Journal(tmp_path, "k") as journal:
        placed(journal, "a.jpg")
        assert (tmp_path / "a.png").read_text() == "mask"
    with Journal(tmp_path, "other") as journal:
        assert journal.valid_record("a.jpg", "s") is None
    with Journal(tmp_path, "k") as journal:
        assert journal.valid_record("a.jpg", "s") is not None
        assert journal.valid_record("a.jpg", "other") is None
        assert journal.valid_record("b.jpg", "s") is None
        (tmp_path / "a.png").write_text("mas")
        assert journal.valid_record("a.jpg", "s") is None
        (tmp_path / "a.png").unlink()
        assert journal.valid_record("a.jpg", "s") is None


def test_a_line_that_a_kill_has_cut_is_not_read_and_harms_no_other(tmp_path: Path) -> None:
    with Journal(tmp_path, "k") as journal:
        placed(journal, "a.jpg")
        placed(journal, "b.jpg")
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:-20])
    with Journal(tmp_path, "k") as journal:
        assert journal.valid_record("a.jpg", "s") is not None
        assert journal.valid_record("b.jpg", "s") is None
        journal.refuse_foreign(["b.png"])  # claimed before it was written
        placed(journal, "c.jpg")
    with Journal(tmp_path, "k") as journal:
        assert journal.valid_record("c.jpg", "s") is not None


def test_files_of_others_are_known_as_such(tmp_path: Path) -> None:
    (tmp_path / "theirs.png").touch()
    with Journal(tmp_path, "k") as journal:
        placed(journal, "a.jpg")
        journal.refuse_foreign(["a.png", "none.png"])
        with pytest.raises(ValueError, match=r"output=.*theirs\.png,"):
            journal.refuse_foreign(["a.png", "theirs.png", "none.png"])


def test_leftovers_of_a_kill_are_cleared_away(tmp_path: Path) -> None:
    (tmp_path / UNFINISHED).mkdir()
    (tmp_path / UNFINISHED / "half.png").touch()
    with Journal(tmp_path, "k") as journal:
        assert list((tmp_path / UNFINISHED).iterdir()) == []
        placed(journal, "a.jpg")
    assert not (tmp_path / UNFINISHED).exists()


def test_a_second_command_is_refused_while_the_first_writes(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    with Journal(tmp_path, "k"):
        with (
            pytest.raises(ValueError, match="output="),
            Journal(tmp_path, "k"),
        ):
            pass
        assert (tmp_path / UNFINISHED).is_dir()  # of the first


def test_a_command_that_wrote_nothing_leaves_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path / "out", "k"):
        pass
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    with Journal(tmp_path, "k") as journal:
        with journal.replacing("table.csv") as path:
            path.write_text("old")
        with contextlib.suppress(KeyError), journal.replacing("table.csv") as path:
            path.write_text("ne")
            raise KeyError
        assert (tmp_path / "table.csv").read_text() == "old"
    with Journal(tmp_path, "k") as journal:
        journal.refuse_foreign(["table.csv"])


def test_every_setting_changes_the_key() -> None:
    assert key_of({"a": 1, "b": None}) == key_of({"b": None, "a": 1})
    assert len({key_of({"a": 1}), key_of({"a": 2}), key_of({"b": 1}), key_of({})}) == 4
