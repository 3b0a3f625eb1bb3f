"""A disk that is really full, and an output folder that cannot be written to."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch.utils.tensorboard import SummaryWriter

from seg import launch
from seg.cli.compose import compose
from seg.report import panels
from seg.runs.run import Run
from seg.train import train
from seg.training import checkpoint
from seg.training.epoch_log import EpochLog

pytestmark = pytest.mark.slow  # two trainings each


class Disk:
    """A file system of its own, that can be filled to the last byte."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.filler = root / "filler"

    def fill(self) -> None:
        with self.filler.open("ab", buffering=0) as handle:
            for size in (4096, 1):
                try:
                    while True:
                        handle.write(b"x" * size)
                except OSError:
                    pass

    def free(self) -> None:
        self.filler.unlink()


def mounted(root: Path, options: str) -> None:
    root.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(root)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid():
        pytest.skip("a file system can be mounted by root alone")
    root = tmp_path / "disk"
    mounted(root, "size=8m")
    yield Disk(root)
    subprocess.run(["umount", "-l", str(root)], check=True)


def fit(tiny: list[str], tmp_path: Path, output: Path, *more: str) -> None:
    """As the command does; the data and their cache lie elsewhere."""
    data = [f"dataset.root={tmp_path / 'data'}", f"dataset.cache_dir={tmp_path / 'cache'}"]
    common = ["trainer=cpu", "trainer.max_epochs=3", "panels_every=1", "trainer.precision=32"]
    train(compose([*tiny, *data, *common, f"output_dir={output}", *more]))


def before(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, action: Callable) -> None:
    """Let `action(arguments)` run before each call of `owner.name`."""
    original = getattr(owner, name)

    def spied(*args, **kwargs):
        action(args)
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, spied)


def fill_once(disk: Disk, when: Callable[[tuple], bool]) -> Callable[[tuple], None]:
    def action(args: tuple) -> None:
        if not disk.filler.exists() and when(args):
            disk.fill()

    return action


PLACES: dict[str, tuple[object, str, Callable[[tuple], bool], str]] = {
    "last checkpoint": (
        checkpoint, "write_atomically",
        lambda args: args[1].name == "last.ckpt" and args[0]["epoch"] == 1, "last.ckpt",
    ),
    "best checkpoint": (
        checkpoint, "write_atomically",
        lambda args: args[1].name == "best.ckpt" and args[0]["epoch"] == 0, "best.ckpt",
    ),
    "metrics": (EpochLog, "_write", lambda args: len(args[0].rows) == 2, "metrics.csv"),
    "panel": (panels, "draw", lambda args: args[-1].name == "epoch_002.png", "epoch_002.png"),
    "events": (
        SummaryWriter, "add_scalar", lambda args: len(args) > 3 and args[3] == 2, "tfevents",
    ),
    "configuration": (Run, "write_config", lambda args: True, "config.yaml"),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_full_disk_is_one_message_and_the_run_goes_on_when_there_is_space(
    place: str,
    disk: Disk,
    tiny: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    owner, name, when, file = PLACES[place]
    before(monkeypatch, owner, name, fill_once(disk, when))
    with pytest.raises(OSError, match="No space left") as caught:
        fit(tiny, tmp_path, disk.root / "out")
    monkeypatch.undo()
    assert "Traceback" not in capfd.readouterr().err
    assert launch.report(caught.value) == 1
    message = capfd.readouterr().err
    assert len(message.splitlines()) == 1
    assert file in message
    assert "resume=auto" in message
    folder = next((disk.root / "out").glob("synthetic-*/*"))
    facts = json.loads((folder / "run.json").read_text())
    assert facts["status"] == "failed"
    assert file in facts["error"]
    for path in (folder / "checkpoints").glob("*.ckpt"):
        torch.load(path, weights_only=True)
    disk.free()
    fit(tiny, tmp_path, disk.root / "out", "resume=auto")
    folders = list((disk.root / "out").glob("synthetic-*/*"))
    assert "finished" in [json.loads((f / "run.json").read_text())["status"] for f in folders]
    if place != "configuration":  # without it nobody can know whose run that was
        assert folders == [folder]


def test_a_run_does_not_start_on_a_full_disk(disk: Disk, tiny: list[str], tmp_path: Path) -> None:
    disk.fill()
    with pytest.raises(OSError, match="No space left") as caught:
        fit(tiny, tmp_path, disk.root / "out")
    assert str(disk.root / "out") in str(caught.value.filename)
    assert not list(disk.root.rglob("run.json"))


def test_an_output_folder_on_a_read_only_disk_is_refused_before_data_are_read(
    tiny: list[str], tmp_path: Path
) -> None:
    if os.geteuid():
        pytest.skip("a file system can be mounted by root alone")
    mounted(tmp_path / "disk", "ro,size=1m")
    try:
        with pytest.raises(OSError, match="Read-only.*output_dir"):
            fit(tiny, tmp_path, tmp_path / "disk" / "out")
    finally:
        subprocess.run(["umount", "-l", str(tmp_path / "disk")], check=True)
    assert not (tmp_path / "data").exists()


def test_a_file_in_place_of_the_output_folder_is_refused(tiny: list[str], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OSError, match="output_dir") as caught:
        fit(tiny, tmp_path, tmp_path / "out" / "below")
    assert str(tmp_path / "out") in str(caught.value.filename)


def test_checkpoints_do_not_pass_through_tmpdir(
    disk: Disk, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file system, and full: Lightning would stage them there."""
    disk.fill()
    monkeypatch.setenv("TMPDIR", str(disk.root))
    monkeypatch.setattr("tempfile.tempdir", None)
    fit(tiny, tmp_path, tmp_path / "out", "dataset.num_workers=0")
    folder = next((tmp_path / "out").glob("synthetic-*/*"))
    assert json.loads((folder / "run.json").read_text())["status"] == "finished"
