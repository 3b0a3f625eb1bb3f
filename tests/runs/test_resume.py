"""Which run a command resumes, and what may not have changed since."""

import os
import platform
from copy import deepcopy
from pathlib import Path

import pytest

from seg.runs import lock, resume
from seg.runs.folder import RunFolder
from seg.runs.resume import (
    differences,
    is_longer,
    keep_keys,
    require_fitting,
    require_same,
    schedule_epochs,
)
from seg.runs.run import Run
from seg.runs.watchdog import write_status

CONFIG = {
    "seed": 1,
    "output_dir": "a",
    "schedule_epochs": None,
    "checkpoints": {"top_k": 1},
    "scheduler": {"_target_": "seg.training.schedules.cosine"},
    "dataset": {"root": "/a", "image_size": 64, "classes": {"polyp": 255}},
    "trainer": {"max_epochs": 4},
    "stages": {},
}


def changed(**values) -> dict:
    """CONFIG with dotted keys (`__` for the dot) set."""
    config = deepcopy(CONFIG)
    for key, value in values.items():
        *path, last = key.split("__")
        node = config
        for part in path:
            node = node[part]
        node[last] = value
    return config


def test_where_and_how_a_run_is_started_is_no_difference() -> None:
    now = changed(output_dir="b", dataset__root="/b", checkpoints__top_k=3)
    assert differences(CONFIG, now) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 2}, "seed: 1 -> 2"),
        ({"dataset__image_size": 32}, "dataset.image_size: 64 -> 32"),
        ({"dataset__classes": {"polyp": 255, "tool": 9}}, "dataset.classes.tool: None -> 9"),
        ({"trainer__max_epochs": 3}, "trainer.max_epochs: 4 -> 3"),
        ({"trainer__max_epochs": 8, "seed": 2}, "seed: 1 -> 2"),
        ({"trainer__max_epochs": 8, "schedule_epochs": 8}, "schedule_epochs: 4 -> 8"),
        ({"trainer__max_epochs": 8, "stages": {"dice": {}}}, "stages"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_another_run_is_refused_with_the_difference(change: dict, named: str) -> None:
    with pytest.raises(ValueError, match="resume=RUN: .*") as caught:
        require_same(CONFIG, changed(**change), "resume=RUN", may_be_longer=True)
    assert named in str(caught.value)


def test_more_epochs_are_a_difference_unless_the_run_itself_is_named() -> None:
    longer = changed(trainer__max_epochs=8)
    require_same(CONFIG, longer, "resume=RUN", may_be_longer=True)
    with pytest.raises(ValueError, match="trainer.max_epochs: 4 -> 8"):
        require_same(CONFIG, longer, "JOB")
    assert is_longer(CONFIG, longer)
    assert not is_longer(longer, longer)


def test_a_schedule_keeps_the_epochs_that_it_was_made_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="seg")
    first = changed(trainer__max_epochs=8)
    assert schedule_epochs(CONFIG, CONFIG, folder=tmp_path) is None
    assert caplog.text == ""
    assert schedule_epochs(CONFIG, first, folder=tmp_path) == 4
    assert f"init_from={tmp_path}" in caplog.text
    lengthened = first | {"schedule_epochs": 4}
    assert differences(lengthened, first) == []  # the command that resumes it need not say so
    assert schedule_epochs(lengthened, first, folder=tmp_path) == 4
    assert schedule_epochs(lengthened, changed(trainer__max_epochs=20), folder=tmp_path) == 4


def test_a_run_from_before_a_key_goes_on_without_it() -> None:
    """It had weight decay of norms and biases too; new runs have not."""
    before = changed(optimizer={"lr": 1}, stages={"b": {"optimizer": {"lr": 1}}})
    optimizer = {"lr": 1, "decay_norms_and_biases": False, "encoder_lr_scale": 1.0}
    now = changed(optimizer=dict(optimizer), stages={"b": {"optimizer": dict(optimizer)}})
    assert differences(before, now) == []
    keep_keys(before, now)
    assert "decay_norms_and_biases" not in now["optimizer"] | now["stages"]["b"]["optimizer"]
    both = changed(optimizer=optimizer), changed(optimizer=optimizer)
    keep_keys(*both)
    assert both[1]["optimizer"] == optimizer
    (line,) = differences(both[0], changed(optimizer=optimizer | {"decay_norms_and_biases": True}))
    assert line.startswith("optimizer.decay_norms_and_biases: False -> True")


SAVED = {
    "classes": ["polyp"],
    "data": "f" * 64,
    "position": {"epoch": 1, "batch": 0},
    "shapes": {"model.a": [2, 3]},
}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"classes": ["polyp", "tool"]}, "polyp, not polyp, tool"),
        ({"data": "e" * 64}, f"{'f' * 12}, now {'e' * 12}"),
        ({"shapes": {"model.a": [4, 3]}}, r"model\.a: \[2, 3\] -> \[4, 3\]"),
        ({"shapes": {"model.b": [2, 3]}}, r"model\.a: \[2, 3\] -> None"),
    ],
    ids=["classes", "data", "shape", "name"],
)
def test_a_checkpoint_of_something_else_is_refused_with_the_difference(
    change: dict, named: str
) -> None:
    require_fitting(SAVED, SAVED, path=Path("last.ckpt"))
    with pytest.raises(ValueError, match=rf"^last\.ckpt: .*{named}"):
        require_fitting(SAVED, SAVED | change, path=Path("last.ckpt"))


def test_a_checkpoint_without_a_position_is_of_an_older_version() -> None:
    with pytest.raises(ValueError, match=r"last\.ckpt: .*init_from"):
        require_fitting({"shapes": {}}, SAVED, path=Path("last.ckpt"))


def run_of(path: Path, status: str, config: dict = CONFIG, **facts: object) -> Path:
    """A run folder as a run leaves it."""
    path.mkdir(parents=True)
    write_status({"status": status, "pid": 1, "host": "elsewhere"} | facts, path, final=True)
    Run(path, config=config, facts={}).write_config()
    return path


def _written(path: Path, config: dict, status: str) -> Path:
    run = Run(path, config=config, facts={"name": "r", "seed": 1})
    run.path.mkdir(parents=True)
    run.write_config()
    run.checkpoints_path.mkdir()
    run.checkpoint("last").write_bytes(b"")
    write_status({"status": status}, path, final=True)
    return path


def test_auto_says_which_unfinished_run_is_nearest_and_how_it_differs(tmp_path: Path) -> None:
    assert resume.find("auto", CONFIG, tmp_path) is None
    assert resume.why_none(CONFIG, tmp_path) == f"{tmp_path} has no unfinished run"
    _written(tmp_path / "1", changed(seed=9, dataset__image_size=32), "failed")
    near = _written(tmp_path / "2", changed(seed=2), "interrupted")
    _written(tmp_path / "3", changed(seed=5), "finished")
    assert resume.find("auto", CONFIG, tmp_path) is None
    assert resume.why_none(CONFIG, tmp_path) == f"{near} differs in seed: 2 -> 1"


def test_an_unfinished_run_of_this_configuration_is_known(tmp_path: Path) -> None:
    assert resume.unfinished(CONFIG, tmp_path) is None
    _written(tmp_path / "1", CONFIG, "finished")
    _written(tmp_path / "2", changed(seed=2), "failed")
    assert resume.unfinished(CONFIG, tmp_path) is None
    killed = _written(tmp_path / "0", CONFIG, "interrupted")
    assert resume.unfinished(CONFIG, tmp_path) == killed
    (killed / "checkpoints" / "last.ckpt").unlink()  # nothing to go on with
    assert resume.unfinished(CONFIG, tmp_path) is None


def test_auto_is_the_newest_unfinished_run_of_this_configuration(tmp_path: Path) -> None:
    assert resume.find("auto", CONFIG, tmp_path) is None
    run_of(tmp_path / "1", "finished")
    finished = run_of(tmp_path / "2", "finished")
    assert resume.find("auto", CONFIG, tmp_path) == finished
    run_of(tmp_path / "3", "failed")
    killed = run_of(tmp_path / "4", "interrupted")
    run_of(tmp_path / "5", "failed", changed(seed=2))
    torn = run_of(tmp_path / "6", "failed")
    (torn / "config.yaml").write_text("seed: [1")
    (tmp_path / "7").mkdir()
    run_of(tmp_path / "8", "finished")
    assert resume.find("auto", CONFIG, tmp_path) == killed
    with lock.acquire(killed):
        assert resume.find("auto", CONFIG, tmp_path) == tmp_path / "3"


@pytest.mark.parametrize("lost", ["run.json", "config.yaml"])
def test_a_folder_that_is_no_run_is_refused_with_the_file_that_it_lacks(
    tmp_path: Path, lost: str
) -> None:
    path = run_of(tmp_path / "1", "failed")
    (path / lost).unlink()
    with pytest.raises(FileNotFoundError, match=rf"resume={path}: .*{lost}"):
        resume.find(str(path), CONFIG, tmp_path)


def test_a_run_that_is_still_running_is_refused(tmp_path: Path) -> None:
    path = run_of(tmp_path / "1", "running")
    assert resume.find(str(path), CONFIG, tmp_path) == path
    with lock.acquire(path), pytest.raises(ValueError, match=f"resume={path}: "):
        resume.find(str(path), CONFIG, tmp_path)


def test_without_locks_a_run_is_alive_while_its_process_is(tmp_path: Path) -> None:
    here = {"host": platform.node()}
    parent = run_of(tmp_path / "parent", "running", pid=os.getppid(), **here)
    mine = run_of(tmp_path / "mine", "running", pid=os.getpid(), **here)
    dead = run_of(tmp_path / "dead", "running", pid=2**22 + 1, **here)
    ended = run_of(tmp_path / "ended", "failed", pid=os.getppid(), **here)
    elsewhere = run_of(tmp_path / "elsewhere", "running", pid=os.getppid())
    assert resume.is_alive(RunFolder(parent))
    assert not any(resume.is_alive(RunFolder(path)) for path in (mine, dead, ended, elsewhere))


def test_a_finished_run_is_over_unless_it_is_given_more_epochs(tmp_path: Path) -> None:
    run = RunFolder(run_of(tmp_path / "1", "finished"))
    assert resume.is_over(run, CONFIG)
    assert not resume.is_over(run, changed(trainer__max_epochs=5))
    assert not resume.is_over(RunFolder(run_of(tmp_path / "2", "failed")), CONFIG)
