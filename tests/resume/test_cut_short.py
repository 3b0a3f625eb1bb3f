"""A run that was cut short, in whatever way, and resumed equals one that was not."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from seg.runs.folder import RunFolder
from seg.training.checkpoint import read
from seg.training.module import SegmentationModule
from tests.resume.trained import KILLED, assert_same, kill, only_run, run, terminate

SAMPLED = ["dataset.sampling=foreground", "dataset.sampling_foreground=0.9"]


@pytest.mark.parametrize(
    "more", [[], ["ema.decay=0.9", "scheduler=poly", *SAMPLED]], ids=["plain", "ema"]
)
@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_run_that_sigterm_ended_within_an_epoch_equals_the_uninterrupted_one(
    tmp_path: Path,
    many: list[str],
    at_batch: Callable,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    more: list[str],
) -> None:
    options = [*many, "trainer.max_epochs=3", f"dataset.num_workers={workers}", *more]
    whole = run(options, tmp_path / "whole")
    at_batch(1, 2, terminate)
    with pytest.raises(SystemExit) as left:
        run(options, tmp_path / "halves")
    monkeypatch.undo()
    assert left.value.code == 143
    folder = only_run(tmp_path / "halves")
    assert RunFolder(folder).status == "interrupted"
    assert read(folder / "checkpoints" / "last.ckpt")["seg"]["position"] == {"epoch": 1, "batch": 3}
    assert_same(whole, run([*options, "resume=auto"], tmp_path / "halves"))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_killed_between_epochs_equals_the_uninterrupted_one(
    tmp_path: Path,
    many: list[str],
    at_epoch: Callable,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
) -> None:
    options = [*many, "trainer.max_epochs=4", f"dataset.num_workers={workers}"]
    whole = run(options, tmp_path / "whole")
    at_epoch(2)
    with pytest.raises(RuntimeError, match=KILLED):
        run(options, tmp_path / "halves")
    monkeypatch.undo()
    assert_same(whole, run([*options, "resume=auto"], tmp_path / "halves"))


@pytest.mark.slow
def test_a_run_killed_at_every_third_batch_equals_the_uninterrupted_one(
    tmp_path: Path, many: list[str], at_batch: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [*many, "trainer.max_epochs=3", "checkpoints.every_steps=1"]
    whole = run(options, tmp_path / "whole")
    for number in range(2, 18, 3):
        at_batch(*divmod(number, 6), kill)
        with pytest.raises(RuntimeError, match=KILLED):
            run([*options, "resume=auto"], tmp_path / "parts")
        monkeypatch.undo()
    assert_same(whole, run([*options, "resume=auto"], tmp_path / "parts"))


@pytest.mark.slow
def test_a_run_killed_before_its_test_is_not_trained_on(
    tmp_path: Path, many: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Early stopping, too, is remembered."""
    still = ["optimizer.lr=1e-9", "model.norm=none", "early_stopping=1"]
    for name, more in (
        ("all", ["trainer.max_epochs=2"]),
        ("early", [*still, "trainer.max_epochs=9"]),
    ):
        options = [*many, *more]
        whole = run(options, tmp_path / name / "whole")
        with monkeypatch.context() as patch:
            patch.setattr("seg.train.test", lambda *_: kill())
            with pytest.raises(RuntimeError, match=KILLED):
                run(options, tmp_path / name / "halves")
        assert_same(whole, run([*options, "resume=auto"], tmp_path / name / "halves"))


def test_validation_is_left_at_once_and_a_second_signal_is_not_waited_for(
    tmp_path: Path, many: list[str], at_batch: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice() -> None:
        terminate()
        terminate()

    at_batch(0, 1, twice)
    with pytest.raises(SystemExit) as left:
        run(many, tmp_path / "twice")
    monkeypatch.undo()
    assert left.value.code == 143
    assert not (only_run(tmp_path / "twice") / "checkpoints" / "last.ckpt").exists()
    original = SegmentationModule.validation_step

    def signalled(self, batch, batch_idx) -> None:
        if self.current_epoch == 1:
            os.kill(os.getpid(), signal.SIGUSR1)
        original(self, batch, batch_idx)

    monkeypatch.setattr(SegmentationModule, "validation_step", signalled)
    with pytest.raises(SystemExit) as left:
        run(many, tmp_path / "validation")
    assert left.value.code == 128 + signal.SIGUSR1
    last = read(only_run(tmp_path / "validation") / "checkpoints" / "last.ckpt")
    assert last["seg"]["position"] == {"epoch": 1, "batch": 0}


def test_the_handlers_from_before_are_back_after_a_fit(tmp_path: Path, many: list[str]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)]
    run([*many, "trainer.max_epochs=1"], tmp_path)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)] == before
