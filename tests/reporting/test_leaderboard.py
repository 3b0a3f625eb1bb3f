"""The leaderboard of a sweep, failed runs included."""

import csv
import io
import json

import pytest
from rich.console import Console

from seg.reporting import leaderboard


def _run(sweep, name, *, facts=None, dice=None):
    folder = sweep / name
    folder.mkdir()
    if facts is not None:
        (folder / "run.json").write_text(json.dumps(facts))
    if dice is not None:
        figure = {"value": dice, "low": dice - 0.02, "high": dice + 0.02}
        iou = {"value": dice - 0.1, "low": dice - 0.12, "high": dice - 0.08}
        content = {"split": "test", "cases": 3, "metrics": {"dice": figure, "iou": iou}}
        (folder / "test.json").write_text(json.dumps(content))


@pytest.fixture
def sweep(tmp_path):
    folder = tmp_path / "sweep"
    folder.mkdir()
    _run(folder, "0_lr=0.1", facts={"status": "finished", "seconds": 9.5, "seed": 1}, dice=0.61)
    _run(folder, "1_lr=0.01", facts={"status": "finished", "seconds": 8.5}, dice=0.83)
    _run(folder, "2_lr=9", facts={"status": "failed", "seconds": 1.0, "error": "loss is nan,\n9"})
    _run(folder, "3_lr=1")
    _run(folder, "4_lr=2", facts={"status": "running"})
    _run(folder, "5_lr=3", facts={"status": "interrupted", "seconds": 2.0})
    _run(folder, "6_lr=0.001", facts={"status": "finished", "seconds": 7.0}, dice=0.72)
    (folder / "multirun.yaml").write_text("a file, not a run")
    return folder


def _shown(rows, sweep):
    console = Console(file=io.StringIO(), width=160)
    leaderboard.show(rows, sweep, console)
    return console.file.getvalue()


def test_the_best_run_comes_first_and_runs_without_figures_last(sweep):
    rows = leaderboard.write(sweep)
    assert [row["run"] for row in rows] == [
        "1_lr=0.01", "6_lr=0.001", "0_lr=0.1", "2_lr=9", "3_lr=1", "4_lr=2", "5_lr=3",
    ]  # fmt: skip


def test_every_run_is_listed_with_what_became_of_it(sweep):
    statuses = {row["run"][0]: row["status"] for row in leaderboard.write(sweep)}
    assert statuses == {
        "0": "finished",
        "1": "finished",
        "2": "failed",
        "3": "never started",
        "4": "running",
        "5": "interrupted",
        "6": "finished",
    }


def test_the_file_holds_the_rows(sweep):
    leaderboard.write(sweep)
    with (sweep / "leaderboard.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert {"run", "status", "seconds", "error", "dice", "dice_low", "dice_high", "iou"} <= set(
        rows[0]
    )
    assert rows[0]["run"] == "1_lr=0.01"
    assert [float(rows[0][k]) for k in ("dice", "dice_low", "dice_high", "iou")] == pytest.approx(
        [0.83, 0.81, 0.85, 0.73]
    )
    assert rows[0]["error"] == ""
    assert rows[3]["error"] == "loss is nan, 9"
    assert rows[4]["dice"] == ""


def test_another_metric_gives_another_order(sweep):
    _run(sweep, "7", facts={"status": "finished"})
    metrics = {"hits": {"value": 2.0, "low": 1.0, "high": 3.0}}
    (sweep / "7" / "test.json").write_text(json.dumps({"metrics": metrics}))
    assert leaderboard.write(sweep, metric="hits")[0]["run"] == "7"
    assert leaderboard.write(sweep)[0]["run"] == "1_lr=0.01"


def test_writing_again_replaces_the_file(sweep):
    first = leaderboard.write(sweep)
    assert leaderboard.write(sweep) == first
    assert len((sweep / "leaderboard.csv").read_text().splitlines()) == 1 + 7  # one line break


def test_the_console_shows_figures_failures_and_the_folder(sweep):
    text = _shown(leaderboard.write(sweep), sweep)
    assert "7 runs" in text
    assert "0.8300 (0.810 - 0.850)" in text
    assert "2_lr=9: failed: loss is nan," in text
    assert "3_lr=1: never started" in text
    assert "1_lr=0.01: finished" not in text
    assert str(sweep) in text


@pytest.mark.parametrize("name", ["0_loss=[bce,dice]", "1_model=[red]"])
def test_brackets_in_a_name_are_no_markup(tmp_path, name):
    sweep = tmp_path / "sweep"
    sweep.mkdir()
    _run(sweep, name, facts={"status": "finished", "seconds": 1.0}, dice=0.5)
    assert name in _shown(leaderboard.write(sweep), sweep)


def test_a_sweep_in_which_nothing_finished_can_be_shown(tmp_path):
    (tmp_path / "sweep").mkdir()
    _run(tmp_path / "sweep", "0", facts={"status": "failed", "error": "no"})
    rows = leaderboard.write(tmp_path / "sweep")
    assert "0: failed: no" in _shown(rows, tmp_path / "sweep")
