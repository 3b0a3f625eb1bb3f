"""More epochs for a run that is finished, or that was given more before."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from seg.runs.folder import RunFolder
from seg.train import train
from seg.training.checkpoint import read
from tests.resume.trained import SLOW, assert_same, configured, only_run, rates, run, terminate


@pytest.mark.parametrize("scheduler", ["cosine", pytest.param("onecycle", marks=pytest.mark.slow)])
def test_more_epochs_are_trained_at_the_schedules_last_rate(
    tmp_path: Path, many: list[str], caplog: pytest.LogCaptureFixture, scheduler: str
) -> None:
    options = [*many, f"scheduler={scheduler}"]
    folder = run([*options, "trainer.max_epochs=2"], tmp_path)
    before = rates(folder)
    last = read(folder / "checkpoints" / "last.ckpt")["optimizer_states"][0]["param_groups"][0][
        "lr"
    ]
    with caplog.at_level("INFO", logger="seg"):
        train(configured([*options, "trainer.max_epochs=3", f"resume={folder}"], tmp_path))
    (line,) = [r.message for r in caplog.records if "init_from" in r.message]
    assert all(text in line for text in ("3 epochs", "2 epochs", f"init_from={folder}"))
    assert rates(folder) == [*before, pytest.approx(last, rel=1e-5)]
    assert last < before[-1]
    assert RunFolder(folder).get("schedule_epochs") == 2
    # once more, and the schedule is still that of the first two
    train(configured([*options, "trainer.max_epochs=4", f"resume={folder}"], tmp_path))
    assert rates(folder) == [*before, *[pytest.approx(last, rel=1e-5)] * 2]
    stored = read(folder / "checkpoints" / "last.ckpt")["seg"]["config"]
    assert (stored["schedule_epochs"], stored["trainer"]["max_epochs"]) == (2, 4)
    assert RunFolder(folder).status == "finished"
    with pytest.raises(ValueError, match=r"max_epochs: 4 -> 3"):
        train(configured([*options, "trainer.max_epochs=3", f"resume={folder}"], tmp_path))


@pytest.mark.slow
def test_a_run_that_was_given_more_epochs_and_killed_goes_on_with_the_same_command(
    tmp_path: Path, many: list[str], at_batch: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run([*many, "trainer.max_epochs=2"], tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    copy = only_run(tmp_path / "b")
    longer = [*many, "trainer.max_epochs=4"]
    train(configured([*longer, f"resume={folder}"], tmp_path / "a"))
    at_batch(3, 2, terminate)
    with pytest.raises(SystemExit):
        train(configured([*longer, f"resume={copy}"], tmp_path / "b"))
    monkeypatch.undo()
    assert run([*longer, "resume=auto"], tmp_path / "b") == copy
    assert_same(folder, copy)


@pytest.mark.slow
def test_a_plateau_simply_goes_on_with_more_epochs(tmp_path: Path, many: list[str]) -> None:
    still = ["scheduler=plateau", "scheduler.patience=0", *SLOW]
    whole = run([*many, *still, "trainer.max_epochs=4"], tmp_path / "whole")
    folder = run([*many, *still, "trainer.max_epochs=2"], tmp_path / "longer")
    train(configured([*many, *still, "trainer.max_epochs=4", f"resume={folder}"], tmp_path))
    assert rates(whole) == [1e-6, 1e-6, 5e-7, 2.5e-7]
    assert_same(whole, folder)
