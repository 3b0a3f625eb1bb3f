"""A full disk is reported with the file that could not be written, and with the way to go on."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from seg.runs import atomic, disk_full
from seg.training.checkpoint import write_atomically


def full(*more: object) -> OSError:
    return OSError(errno.ENOSPC, "No space left on device", *more)


def caught(function) -> BaseException:
    with pytest.raises(Exception) as info:  # noqa: PT011 - the kinds differ
        function()
    return info.value


@contextmanager
def half_written(path: Path) -> Iterator[None]:
    """The file object of a full disk: the system's error about it names no file."""
    with atomic.replacing(path) as handle:
        handle.write(b"half")
        yield


def test_an_error_that_names_its_file_keeps_the_name(tmp_path: Path) -> None:
    error = disk_full.explained(full(str(tmp_path / "x.csv")), tmp_path)
    assert error.filename == str(tmp_path / "x.csv")
    assert "resume=auto" in error.strerror


def test_the_file_that_was_being_written_is_named_not_its_temporary_name(tmp_path: Path) -> None:
    def write() -> None:
        with half_written(tmp_path / "panels" / "epoch_005.png"):
            raise full()

    error = disk_full.explained(caught(write), tmp_path)
    assert error.filename == str(tmp_path / "panels" / "epoch_005.png")
    assert error.errno == errno.ENOSPC


@pytest.mark.parametrize("chained", ["cause", "context"])
def test_the_file_is_named_where_a_library_raises_an_error_of_its_own(
    tmp_path: Path, chained: str
) -> None:
    def write() -> None:
        with half_written(tmp_path / "last.ckpt"):
            try:
                raise full()
            except OSError as error:
                message = "unexpected position 640 vs 546"
                if chained == "cause":
                    raise RuntimeError(message) from error
                raise RuntimeError(message)  # noqa: B904 - some libraries do this

    assert disk_full.explained(caught(write), tmp_path).filename == str(tmp_path / "last.ckpt")


def test_a_checkpoint_on_a_full_disk_is_named(tmp_path: Path) -> None:
    """torch reports it as an error about a position in the file. /dev/full is a full disk."""
    path = tmp_path / "checkpoints" / "best.ckpt"
    path.parent.mkdir()
    atomic.temporary_path(path).symlink_to("/dev/full")
    error = caught(lambda: write_atomically({"state_dict": {"a": torch.zeros(100_000)}}, path))
    assert disk_full.explained(error, tmp_path).filename == str(path)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    "write",
    [
        lambda path: atomic.write_text(path, "x" * 100_000),
        lambda path: atomic.write_json(path, {"a": "x" * 100_000}),
        lambda path: atomic.write_csv(path, [["a", "b"], *[["x" * 100, 1]] * 1000]),
    ],
    ids=["text", "json", "csv"],
)
def test_every_kind_of_file_is_named(tmp_path: Path, write) -> None:
    path = tmp_path / "file"
    atomic.temporary_path(path).symlink_to("/dev/full")
    assert disk_full.explained(caught(lambda: write(path)), tmp_path).filename == str(path)


def test_without_a_file_the_folder_is_named(tmp_path: Path) -> None:
    assert disk_full.explained(full(), tmp_path).filename == str(tmp_path)


def test_other_errors_are_not_explained(tmp_path: Path) -> None:
    assert disk_full.explained(ValueError("no"), tmp_path) is None
    assert disk_full.explained(FileNotFoundError(errno.ENOENT, "no", "x"), tmp_path) is None
