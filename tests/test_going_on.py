"""What an interrupted command prints is what goes on with it."""

import json
import shlex
import signal
import time
from pathlib import Path

import pytest

from tests.commands import begun, forked, started

pytestmark = pytest.mark.usefixtures("without_pictures")


@pytest.mark.slow
def test_ctrl_c_prints_the_command_that_goes_on_and_the_next_one_says_from_where(
    tmp_path: Path, tiny: list[str]
) -> None:
    options = [*tiny, "trainer=cpu", "trainer.max_epochs=15", "dataset.patients=20"]
    process = begun("train", *options, cwd=tmp_path)
    until = time.monotonic() + 120
    while not list(tmp_path.glob("outputs/*/*/checkpoints/last.ckpt")):
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    (run,) = tmp_path.glob("outputs/synthetic*/*/run.json")
    before = json.loads(run.read_text())
    assert before["status"] == "interrupted"
    saved, printed = said.splitlines()[-2:]
    assert str(run.parent / "checkpoints" / "last.ckpt") in saved
    program, *command = shlex.split(printed.partition(": ")[2])
    assert program == "python"

    done = forked("train", *options, "trainer.max_epochs=1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "resume=auto" not in done.stderr  # it is another configuration
    done = started(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    facts = json.loads(run.read_text())
    assert facts["status"] == "finished"
    assert facts["seconds"] > before["seconds"]
    assert "resumed: goes on with epoch " in done.stderr


@pytest.mark.slow
def test_an_unfinished_run_of_the_same_command_is_named(tmp_path: Path, tiny: list[str]) -> None:
    def train(*more: str) -> str:
        done = forked("train", *tiny, "trainer=cpu", *more, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stderr

    train()
    (status,) = tmp_path.glob("outputs/synthetic*/*/run.json")
    status.write_text(json.dumps(json.loads(status.read_text()) | {"status": "interrupted"}))
    said = train()
    assert str(status.parent) in said
    assert "resume=auto" in said
