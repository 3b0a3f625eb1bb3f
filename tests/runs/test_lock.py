"""One process a folder."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from seg.runs import lock

pytestmark = pytest.mark.usefixtures("without_pictures")

HOLD = (
    "import sys; from pathlib import Path; from seg.runs import lock\n"
    "own = lock.acquire(Path(sys.argv[1])); print(own is not None, flush=True)\n"
    "sys.stdin.read()"
)


def holder(folder: Path) -> subprocess.Popen:
    """Another process that has tried for the lock, and waits."""
    root = Path(__file__).resolve().parents[2]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], env={**os.environ, "PYTHONPATH": str(root)},
        **pipes,
    )  # fmt: skip


def test_one_has_a_lock_and_gives_it_back(tmp_path: Path) -> None:
    assert not lock.is_locked(tmp_path)
    first = lock.acquire(tmp_path)
    assert first is not None
    assert lock.is_locked(tmp_path)
    assert lock.acquire(tmp_path) is None
    first.release()
    first.release()
    assert not lock.is_locked(tmp_path)
    with lock.acquire(tmp_path):
        assert lock.is_locked(tmp_path)
    assert not lock.is_locked(tmp_path)


def test_a_killed_process_gives_its_lock_back(tmp_path: Path) -> None:
    other = holder(tmp_path)
    assert other.stdout.readline() == "True\n"
    assert lock.is_locked(tmp_path)
    assert lock.acquire(tmp_path) is None
    other.kill()
    other.wait()
    assert not lock.is_locked(tmp_path)
    with lock.acquire(tmp_path) as mine:
        assert mine is not None


def test_a_forked_child_that_outlives_its_parent_does_not_keep_the_lock(tmp_path: Path) -> None:
    """As a loader's worker does."""
    code = HOLD.replace("sys.stdin.read()", "import os, time\nif not os.fork(): time.sleep(60)\n")
    code += "print('', flush=True); sys.stdin.read()"
    root = Path(__file__).resolve().parents[2]
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], env={**os.environ, "PYTHONPATH": str(root)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert other.stdout.readline() == "True\n"
        assert other.stdout.readline() == "\n"
        assert lock.is_locked(tmp_path)  # the child's end did not give back the parent's
        other.kill()
        other.wait()
        os.killpg(other.pid, 0)  # the child lives
        # Both have one open file. The child closes its copy as the first thing that it does, and
        # may be given a processor for that only after its parent is gone.
        deadline = time.monotonic() + 10
        while lock.is_locked(tmp_path):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        os.killpg(other.pid, signal.SIGKILL)


def test_acquiring_waits_for_those_that_only_ask(tmp_path: Path) -> None:
    """`is_locked` takes a shared lock for a moment."""
    lock.acquire(tmp_path).release()
    asking = os.open(tmp_path / lock.NAME, os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    assert not lock.is_locked(tmp_path)
    threading.Timer(0.1, os.close, [asking]).start()
    with lock.acquire(tmp_path) as mine:
        assert mine is not None


def test_where_there_are_no_locks_a_line_says_so_and_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(descriptor: int, how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    monkeypatch.setattr(lock, "_warned", set())
    for _ in range(2):
        with lock.acquire(tmp_path) as mine:
            assert mine is not None
            assert not lock.is_locked(tmp_path)
    assert len(caplog.records) == 1
    assert "No locks available" in caplog.text
    assert lock.is_locked(tmp_path) is None  # so that the process's number is gone by
