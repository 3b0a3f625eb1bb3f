"""`logger=` and `callbacks=`: Lightning's own are honoured, also in resumed runs."""

import csv
import json
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seg.cli.check import check
from seg.cli.compose import ConfigError, compose
from seg.train import train
from tests.pictures import no_pictures
from tests.recording import Epochs, Recorder

OWN = "++logger.mine={_target_:tests.recording.Recorder,project:tissue}"
MONITOR = "++callbacks.own={_target_:pytorch_lightning.callbacks.ModelCheckpoint,monitor:val/loss}"
COUNTER = "++callbacks.count={_target_:tests.recording.Epochs,factor:2}"


def run(*overrides: str, output: Path) -> tuple[Path, float]:
    """Train as the command does; the run folder and the score."""
    cfg = compose([*overrides, f"output_dir='{output}'"])
    check(cfg)
    score = train(cfg)
    newest = max(output.glob("*-*/*/run.json"), key=lambda p: p.stat().st_mtime_ns)
    return newest.parent, score


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_several_loggers_and_callbacks_get_the_figures_of_every_epoch(
    tmp_path: Path, tiny: list[str]
) -> None:
    Recorder.made.clear()
    options = [*tiny, "logger=[tensorboard,csv]", OWN, "callbacks=[lr_monitor]", COUNTER, MONITOR]
    folder, score = run(*options, "panels_every=1", output=tmp_path)
    (recorder,) = Recorder.made
    assert (recorder.project, Path(recorder.folder)) == ("tissue", folder)
    assert recorder.params["optimizer.lr"] == 0.001
    by_epoch = [(step, figures) for step, figures in recorder.metrics if "val/dice" in figures]
    assert [step for step, _ in by_epoch] == [1, 2]
    for (_, figures), row in zip(by_epoch, rows(folder), strict=True):
        for name in ("lr", "train/loss", "val/loss", "val/dice"):
            assert figures[name] == pytest.approx(float(row[name]), abs=1e-6)
    step, final = recorder.metrics[-1]
    test = json.loads((folder / "test.json").read_text())["metrics"]
    assert final["test/dice"] == pytest.approx(test["dice"]["value"])
    assert final["best/val/dice"] == pytest.approx(score)
    assert step == json.loads((folder / "run.json").read_text())["best_epoch"]
    assert recorder.pictures == [("panels/val", 1), ("panels/val", 2)]
    assert any("lr-AdamW" in name for _, figures in recorder.metrics for name in figures)
    assert recorder.ended[-1] == "success"
    assert Epochs.last == 4
    # a checkpoint of the user's own, which keeps the lowest loss, is not taken for the best
    assert score == pytest.approx(max(float(row["val/dice"]) for row in rows(folder)), abs=1e-6)
    assert len(list(folder.glob("events.out.tfevents.*"))) == 1
    with next(folder.glob("csv/version_0/metrics.csv")).open(newline="") as handle:
        logged = [row for row in csv.DictReader(handle) if row["val/dice"]]
    assert [row["val/dice"][:6] for row in logged] == [row["val/dice"][:6] for row in rows(folder)]


@no_pictures()
def test_a_resumed_run_stays_one_run_of_a_service_and_callbacks_keep_their_state(
    tmp_path: Path, tiny: list[str]
) -> None:
    Recorder.made.clear()
    options = [*tiny, "logger=none", OWN, COUNTER]
    folder, _ = run(*options, "trainer.max_epochs=1", output=tmp_path)
    first = json.loads((folder / "run.json").read_text())["loggers"]
    assert first == {"mine": Recorder.made[0].version}
    run(*options, "trainer.max_epochs=3", f"resume='{folder}'", output=tmp_path)
    assert Recorder.made[1].given == first["mine"]
    steps = [step for step, figures in Recorder.made[1].metrics if "val/dice" in figures]
    assert steps == [2, 3]
    assert Epochs.last == 6
    assert json.loads((folder / "run.json").read_text())["loggers"] == first
    assert not list(folder.glob("events.out.tfevents.*"))


@no_pictures()
def test_another_logger_changes_no_figure_and_is_no_other_configuration(
    tmp_path: Path, tiny: list[str]
) -> None:
    folder, _ = run(*tiny, "trainer.max_epochs=1", output=tmp_path)
    run(*tiny, "trainer.max_epochs=1", "logger=csv", "resume=auto", output=tmp_path)
    assert len(list(tmp_path.glob("*-*/*/run.json"))) == 1  # finished: nothing to do
    other, _ = run(*tiny, "trainer.max_epochs=1", "logger=csv", output=tmp_path / "o")
    one, two = ([row | {"seconds": ""} for row in rows(path)] for path in (folder, other))
    assert one == two
    assert not list(other.glob("events.out.tfevents.*"))


@no_pictures()
def test_early_stopping_as_a_callback_ends_the_training(tmp_path: Path, tiny: list[str]) -> None:
    options = [*tiny, "callbacks=early_stopping", "callbacks.early_stopping.patience=1"]
    options += ["optimizer.lr=0", "trainer.max_epochs=9"]
    folder, _ = run(*options, output=tmp_path)
    dice = [float(row["val/dice"]) for row in rows(folder)]
    assert len(dice) < 9
    assert len(dice) == dice.index(max(dice)) + 2


def test_tensorboard_shows_first_things_first(tmp_path: Path, tiny: list[str]) -> None:
    folder, score = run(*tiny, "model=unetpp", "loss=dice", output=tmp_path)
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    scalars = events.Tags()["scalars"]
    assert len([tag for tag in sorted(scalars) if tag.startswith("Overview/")]) == 3
    assert sorted(scalars)[0].startswith("Overview/")
    assert {"val/dice", "train/loss", "val/loss"} <= set(scalars)
    best = json.loads((folder / "run.json").read_text())["best_epoch"]
    for tag in scalars:  # a single point is of the best weights, never at step 0
        steps = [event.step for event in events.Scalars(tag)]
        assert steps in ([1, 2], [best]), tag
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    for shown in (b"unetpp", b"dice", b"adamw", b"optimizer.lr", b"flip_rotate_zoom"):
        assert shown in content
    for hidden in (b"checkpoints", b"duplicates", b"output_dir", b"mask_threshold"):
        assert hidden not in content
    curve = events.Tensors("pr_curve/organ")[0].tensor_proto
    assert [dim.size for dim in curve.tensor_shape.dim] == [6, 127]


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        (["++logger.mine={x:1}"], "logger.mine"),
        (["logger=none", "callbacks=lr_monitor"], "callbacks=lr_monitor"),
        (["early_stopping=3", "callbacks=early_stopping"], "callbacks=early_stopping"),
        (["+trainer.logger=true"], "trainer.logger"),
        (["+trainer.log_every_n_steps=5"], "trainer.log_every_n_steps"),
        (["++logger.mine={_target_:tests.recording.Recorder,colour:red}"], "logger.mine.colour"),
    ],
)
def test_what_would_have_no_effect_or_cannot_be_built_is_refused(
    lines: list[str], key: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        check(compose(lines))
    assert [problem for problem in caught.value.problems if problem.startswith(key)]
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("service", ["wandb", "mlflow"])
def test_a_service_that_is_not_installed_is_refused_with_its_extra(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seg.cli.logger_rules.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=rf"seg-med\[{service}\]"):
        check(compose([f"logger={service}"]))


def test_steps_of_callbacks_can_be_chosen_where_there_are_some() -> None:
    check(compose(["callbacks=lr_monitor", "+trainer.log_every_n_steps=5"]))
