"""A full disk and a lost process are reported in one message, with the way to go on."""

import errno
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from seg.runs import atomic, failures
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
    error = failures.explained(full(str(tmp_path / "x.csv")), tmp_path)
    assert error.filename == str(tmp_path / "x.csv")
    assert "resume=auto" in error.strerror


def test_the_file_that_was_being_written_is_named_not_its_temporary_name(tmp_path: Path) -> None:
    def write() -> None:
        with half_written(tmp_path / "panels" / "epoch_005.png"):
            raise full()

    error = failures.explained(caught(write), tmp_path)
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

    assert failures.explained(caught(write), tmp_path).filename == str(tmp_path / "last.ckpt")


def test_a_checkpoint_on_a_full_disk_is_named(tmp_path: Path) -> None:
    """torch reports it as an error about a position in the file. /dev/full is a full disk."""
    path = tmp_path / "checkpoints" / "best.ckpt"
    path.parent.mkdir()
    atomic.temporary_path(path).symlink_to("/dev/full")
    error = caught(lambda: write_atomically({"state_dict": {"a": torch.zeros(100_000)}}, path))
    assert failures.explained(error, tmp_path).filename == str(path)
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
    assert failures.explained(caught(lambda: write(path)), tmp_path).filename == str(path)


def test_without_a_file_the_folder_is_named(tmp_path: Path) -> None:
    assert failures.explained(full(), tmp_path).filename == str(tmp_path)


def test_other_errors_are_not_explained(tmp_path: Path) -> None:
    assert failures.explained(ValueError("no"), tmp_path) is None
    assert failures.explained(FileNotFoundError(errno.ENOENT, "no", "x"), tmp_path) is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("DataLoader worker (pid 12) is killed by signal: Killed. ", "dataset.num_workers"),
        ("DataLoader worker (pid(s) 1, 2) exited unexpectedly", "dataset.num_workers"),
        ("DataLoader worker (pid 1) is killed by signal: Bus error. ", "--shm-size"),
        ("unable to allocate shared memory(shm) for file </torch_1>: No space", "--shm-size"),
        ("[pair.cc:553] Connection closed by peer [127.0.0.1]:1170", "another device"),
    ],
)
def test_a_lost_process_is_reported_with_its_fix(text: str, key: str, tmp_path: Path) -> None:
    error = failures.explained(RuntimeError(text), tmp_path)
    assert isinstance(error, ChildProcessError)
    assert key in str(error)
    assert "resume=auto" in str(error)
    assert text.strip() in str(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("mat1 and mat2 shapes"), ValueError("DataLoader worker (pid 1)")]
)
def test_errors_of_other_causes_stay_as_they_are(error: Exception, tmp_path: Path) -> None:
    assert failures.explained(error, tmp_path) is None


def _deaf(worker: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def test_loader_processes_that_ignore_sigterm_are_ended_without_an_error() -> None:
    batches = iter(DataLoader(torch.arange(8), num_workers=2, worker_init_fn=_deaf))
    next(batches)
    children = [child.pid for child in multiprocessing.active_children()]
    assert len(children) == 2
    failures.end_workers()
    assert multiprocessing.active_children() == []
    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    time.sleep(0.1)  # torch's handler for dead workers would raise here
    failures.end_workers()
