"""A full disk, told with the file and the mend."""

import errno
from pathlib import Path

import pytest

from seg.runs import disk_full


def full(*more: object) -> OSError:
    return OSError(errno.ENOSPC, "No space left on device", *more)


def caught(function) -> BaseException:
    with pytest.raises(Exception) as info:  # noqa: PT011 - the kinds differ
        function()
    return info.value


def test_an_error_that_names_its_file_keeps_the_name(tmp_path: Path) -> None:
    found = disk_full.explained(full(str(tmp_path / "x.csv")), tmp_path)
    assert found.filename == str(tmp_path / "x.csv")
    assert "resume=auto" in found.strerror


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "handle"])
def test_the_file_is_found_where_the_error_arose(tmp_path: Path, kind: str) -> None:
    def write() -> None:
        path = tmp_path / "checkpoints" / ".last.ckpt.4711"
        path.parent.mkdir()
        as_given = {"path": path, "text": str(path), "bytes": bytes(path)}.get(kind)
        handle = path.open("wb") if kind == "handle" else None  # noqa: F841
        del path
        raise full() if as_given or handle else AssertionError

    found = disk_full.explained(caught(write), tmp_path)
    assert found.filename == str(tmp_path / "checkpoints" / "last.ckpt")


def test_what_a_library_made_of_it_is_seen_through(tmp_path: Path) -> None:
    def write() -> None:
        path = tmp_path / "last.ckpt"
        try:
            raise full()
        except OSError as error:
            raise RuntimeError(f"unexpected position in {path.name}") from error

    assert disk_full.explained(caught(write), tmp_path).filename == str(tmp_path / "last.ckpt")


def test_without_a_file_the_folder_is_named(tmp_path: Path) -> None:
    assert disk_full.explained(full(), tmp_path).filename == str(tmp_path)


def test_other_errors_are_not_explained(tmp_path: Path) -> None:
    assert disk_full.explained(ValueError("no"), tmp_path) is None
    assert disk_full.explained(FileNotFoundError(errno.ENOENT, "no", "x"), tmp_path) is None
