"""A job's process, and what is recorded of its end."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from seg.runs import lock
from seg.sweeps.isolation import run_isolated, wait_until_free

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="jobs are forked on Linux alone"),
    pytest.mark.usefixtures("without_pictures"),
]


@pytest.fixture
def job(tmp_path: Path) -> Path:
    folder = tmp_path / "0_x"
    folder.mkdir()
    return folder


def facts(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text())


def test_a_job_runs_in_another_process_and_leaves_this_one_as_it_was(job: Path) -> None:
    def task() -> None:
        os.environ["LEFT_BY_A_JOB"] = "1"
        (job / "pid").write_text(str(os.getpid()))

    assert run_isolated(task, job) == 0
    assert (job / "pid").read_text() != str(os.getpid())
    assert "LEFT_BY_A_JOB" not in os.environ


def test_an_error_before_the_run_began_is_recorded(job: Path, capfd: pytest.CaptureFixture) -> None:
    def task() -> None:
        raise ValueError("dataset.root=x: no data there")

    assert run_isolated(task, job) == 1
    assert facts(job)["status"] == "failed"
    assert facts(job)["error"] == "dataset.root=x: no data there"
    assert "error: dataset.root=x: no data there" in capfd.readouterr().err


def test_a_killed_job_is_recorded(job: Path) -> None:
    (job / "run.json").write_text('{"status": "running", "pid": 0}')
    assert run_isolated(lambda: os.kill(os.getpid(), signal.SIGKILL), job) != 0
    assert facts(job)["status"] == "failed"
    assert "SIGKILL" in facts(job)["error"]


def test_what_a_job_said_of_itself_stays(job: Path) -> None:
    def task() -> None:
        (job / "run.json").write_text('{"status": "interrupted"}')
        raise SystemExit(143)

    assert run_isolated(task, job) == 143
    assert facts(job) == {"status": "interrupted"}


def test_ctrl_c_ends_the_job_and_is_passed_on(job: Path) -> None:
    def task() -> None:
        (job / "pid").write_text(str(os.getpid()))
        try:
            time.sleep(60)
        except BaseException as error:
            (job / "heard").write_text(type(error).__name__)
            raise

    def press() -> None:
        while not (job / "pid").exists() or not (job / "pid").read_text():
            time.sleep(0.05)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored under nohup
    threading.Thread(target=press, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_isolated(task, job)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (job / "heard").read_text() in ("SystemExit", "KeyboardInterrupt")
    with pytest.raises(ProcessLookupError):
        os.kill(int((job / "pid").read_text()), 0)


def test_a_job_whose_parent_was_killed_ends_by_itself(tmp_path: Path) -> None:
    text = f"""
import os, time
from pathlib import Path
from seg.sweeps.isolation import run_isolated
here = Path({str(tmp_path)!r})
def task():
    (here / "pid").write_text(str(os.getpid()))
    try:
        time.sleep(60)
    finally:
        (here / "ended").touch()
run_isolated(task, here)
"""
    process = subprocess.Popen([sys.executable, "-c", text])
    until = time.time() + 60
    while not (tmp_path / "pid").exists() and time.time() < until:
        time.sleep(0.1)
    process.kill()
    process.wait()
    while not (tmp_path / "ended").exists() and time.time() < until:
        time.sleep(0.1)
    assert (tmp_path / "ended").exists()


def test_a_folder_in_use_is_waited_for(job: Path) -> None:
    held = lock.acquire(job)
    threading.Timer(0.7, held.release).start()
    started = time.monotonic()
    wait_until_free(job, seconds=30)
    assert time.monotonic() - started > 0.5
    held = lock.acquire(job)
    with pytest.raises(ValueError, match="another process still works on this job"):
        wait_until_free(job, seconds=0.1)
    held.release()
