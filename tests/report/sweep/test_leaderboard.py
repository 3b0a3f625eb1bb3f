"""The leaderboard of a sweep, failed jobs included: its files, and what the console says."""

import csv
import io
import json
import os
import re
import time

import pytest
from rich.console import Console

from seg.report import sweep as leaderboard
from tests.comparison.sweep_written import grid, write_job, write_plan


def _csv(sweep):
    with (sweep / "leaderboard.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def _shown(rows, sweep, width=200):
    console = Console(file=io.StringIO(), width=width)
    leaderboard.show(rows, sweep, console)
    return console.file.getvalue()


@pytest.fixture
def sweep(tmp_path):
    folder = tmp_path / "sweep"
    folder.mkdir()
    lines = [[f"optimizer.lr={lr}"] for lr in ("0.1", "0.01", "9", "1", "2", "3", "0.001", "4")]
    write_plan(folder, lines)
    write_job(folder, 0, lines[0], val=0.61, shift=0.2)  # the best on the test
    write_job(folder, 1, lines[1], val=0.83)
    write_job(folder, 2, lines[2], status="failed", error="loss is nan,\n9")
    write_job(folder, 4, lines[4], status="running", val=0.99)
    write_job(folder, 5, lines[5], status="interrupted")
    write_job(folder, 6, lines[6], val=0.72)
    write_job(folder, 7, lines[7], status="pruned", val=0.5)
    (folder / "multirun.yaml").write_text("a file, not a run")
    return folder


def test_the_order_is_of_validation_and_jobs_without_a_result_come_last(sweep):
    rows = leaderboard.write(sweep)
    assert [row["number"] for row in rows] == [1, 6, 0, 7, 2, 3, 4, 5]
    assert max(rows, key=lambda row: row.get("dice", 0))["number"] == 0


def test_every_job_is_listed_with_what_became_of_it(sweep):
    assert {row["number"]: row["status"] for row in leaderboard.write(sweep)} == {
        0: "finished", 1: "finished", 2: "failed", 3: "never started", 4: "running",
        5: "interrupted", 6: "finished", 7: "pruned",
    }  # fmt: skip


def test_the_csv_has_keys_scores_and_test_figures_with_their_intervals(sweep):
    leaderboard.write(sweep)
    rows = _csv(sweep)
    assert list(rows[0])[:7] == [
        "run", "number", "status", "error", "optimizer.lr", "val/dice", "best_epoch",
    ]  # fmt: skip
    assert rows[0]["run"] == "1_optimizer.lr=0.01"
    assert rows[0]["optimizer.lr"] == "0.01"
    assert (float(rows[0]["val/dice"]), rows[0]["best_epoch"]) == (0.83, "3")
    test = json.loads((sweep / rows[0]["run"] / "test.json").read_text())["metrics"]["dice"]
    assert [float(rows[0][k]) for k in ("dice", "dice_low", "dice_high")] == pytest.approx(
        [test["value"], test["low"], test["high"]]
    )
    assert (rows[0]["seconds"], rows[0]["cpu_seconds"], rows[0]["error"]) == ("9.5", "8.5", "")
    failed = next(row for row in rows if row["number"] == "2")
    assert (failed["error"], failed["dice"]) == ("loss is nan, 9", "")
    assert not [column for column in rows[0] if column.startswith("configuration")]


def test_seeds_and_folds_bring_columns_of_their_configuration(tmp_path):
    for i in range(4):
        lines = [f"loss={'ab'[i // 2]}", f"seed={i % 2}"]
        write_job(tmp_path, i, lines, val=[0.5, 0.7, 0.4, 0.6][i])
    leaderboard.write(tmp_path)
    first = _csv(tmp_path)[0]
    assert (first["configuration"], first["configuration/made_of"]) == ("loss=a", "2 seeds")
    assert float(first["configuration/val/dice"]) == pytest.approx(0.6)
    alone = [float(row["dice"]) for row in _csv(tmp_path)[:2]]
    assert float(first["configuration/dice"]) == pytest.approx(sum(alone) / 2, abs=1e-5)
    assert float(first["configuration/dice_low"]) < float(first["configuration/dice"])


def test_failed_names_all_that_did_not_come_through_and_not_the_pruned(sweep):
    rows = leaderboard.write(sweep)
    assert [row["number"] for row in leaderboard.unfinished(rows)] == [2, 3, 4, 5]


def test_writing_again_gives_the_same_bytes_and_leaves_nothing_else(sweep):
    first = leaderboard.write(sweep)
    before = {p.name: p.read_bytes() for p in sweep.glob("leaderboard.*")}
    assert leaderboard.write(sweep) == first
    assert {p.name: p.read_bytes() for p in sweep.glob("leaderboard.*")} == before
    assert len(before) == 2
    assert not list(sweep.glob(".*"))


@pytest.mark.parametrize("name", ["leaderboard.csv", "leaderboard.html"])
def test_a_kill_while_a_file_is_put_in_place_leaves_the_old_one_whole(sweep, monkeypatch, name):
    leaderboard.write(sweep)
    before = (sweep / name).read_bytes()
    write_job(sweep, 8, ["optimizer.lr=5"], val=0.9)
    replace = os.replace

    def die(source, target):
        if str(target).endswith(name):
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        leaderboard.write(sweep)
    assert (sweep / name).read_bytes() == before
    assert not list(sweep.glob(".*"))


def test_the_console_shows_the_best_the_failed_and_the_verdict(sweep):
    text = _shown(leaderboard.write(sweep), sweep)
    assert "8 jobs: 3 finished, 1 running, 1 pruned, 1 failed, 1 interrupted, 1 never" in text
    assert "of 8 jobs 1 running, 1 failed, 1 interrupted, 1 never started:" in text
    assert "2_optimizer.lr=9: failed: loss is nan, 9" in text
    assert "5_optimizer.lr=3: interrupted" in text
    assert "3_optimizer.lr=1:" not in text  # counted, not listed
    assert str(sweep) in text
    last = text.strip().splitlines()[-1]
    assert "3 of 8 jobs have finished" in last
    assert "Best on validation: optimizer.lr=0.01, val/dice 0.8300; next is" in last


def test_a_full_disk_is_an_error_that_names_the_file(sweep, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left") as error:
        leaderboard.write(sweep)
    assert error.value.filename == str(sweep / "leaderboard.csv")
    assert not list(sweep.glob(".*"))


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_large_sweep_with_many_failures_stays_one_screen(tmp_path, width):
    lines = [[f"loss={'abc'[i % 3]}", f"model.width={i}"] for i in range(60)]
    write_plan(tmp_path, lines)
    for i in range(60):
        if i % 3 == 2:
            facts = {"status": "failed", "error": f"reason {i % 4}"}
            (tmp_path / f"{i}_{','.join(lines[i])}").mkdir()
            (tmp_path / f"{i}_{','.join(lines[i])}" / "run.json").write_text(json.dumps(facts))
        else:
            facts = {"status": "finished", "val/dice": i / 100}
            (tmp_path / f"{i}_{','.join(lines[i])}").mkdir()
            (tmp_path / f"{i}_{','.join(lines[i])}" / "run.json").write_text(json.dumps(facts))
    rows = leaderboard.write(tmp_path)
    text = _shown(rows, tmp_path, width)
    assert len(re.findall(r"^ \d+ +loss=", text, re.M)) == 10
    below = text.partition("more in leaderboard.csv")[2].splitlines()
    assert len(below) < 20
    assert "of 60 jobs 20 failed:" in text
    for reason in range(4):
        assert f"failed: reason {reason} (" in text


def test_two_failures_are_both_named_with_their_reasons(tmp_path):
    grid(tmp_path, {("bce", "1"): 0.5, ("bce", "2"): None, ("dice", "1"): None})
    text = _shown(leaderboard.write(tmp_path), tmp_path)
    assert "1_loss=bce,optimizer.lr=2: failed: nan with bce 2" in text
    assert "2_loss=dice,optimizer.lr=1: failed: nan with dice 1" in text


@pytest.mark.parametrize("value", ["[bce,dice]", "[red]", "[/]", "\\[x"])
def test_brackets_in_a_value_are_no_markup(tmp_path, value):
    write_job(tmp_path, 0, [f"loss={value.replace('/', '_')}"], val=0.5)
    text = _shown(leaderboard.write(tmp_path), tmp_path)
    row = next(line for line in text.splitlines() if line.startswith(" 0 "))
    assert f" loss={value.replace('/', '_')} " in row


def test_without_a_plan_the_folders_tell(tmp_path):
    write_job(tmp_path, 0, ["loss=bce"], val=0.5)
    write_job(tmp_path, 1, ["loss=dice"], val=0.7)
    rows = leaderboard.write(tmp_path)
    assert [row["overrides"] for row in rows] == [{"loss": "dice"}, {"loss": "bce"}]


def test_a_sweep_in_which_nothing_finished_or_started_can_be_shown(tmp_path):
    rows = leaderboard.write(tmp_path)
    assert rows == []
    assert "No job has finished. 0 jobs." in _shown(rows, tmp_path)
    write_plan(tmp_path, [["loss=a"], ["loss=b"]])
    (tmp_path / "0_loss=a").mkdir()
    (tmp_path / "0_loss=a" / "run.json").write_text('{"status": "failed", "error": "no"}')
    rows = leaderboard.write(tmp_path)
    text = _shown(rows, tmp_path)
    assert "0_loss=a: failed: no" in text
    assert "No job has finished. 2 jobs: 1 failed, 1 never started." in text


def test_one_job_is_compared_with_nothing(tmp_path):
    write_job(tmp_path, 0, ["loss=bce"], val=0.5)
    text = _shown(leaderboard.write(tmp_path), tmp_path)
    assert "One configuration finished, nothing to compare it with: loss=bce" in text


@pytest.mark.slow
def test_two_hundred_jobs_take_less_than_five_seconds(tmp_path):
    losses, rates = ("bce", "dice", "bce_dice", "ce"), [str(10 ** -(i / 10)) for i in range(50)]
    grid(tmp_path, {(a, b): 0.5 + i / 50 for i, a in enumerate(losses) for b in rates})
    started = time.process_time()
    rows = leaderboard.write(tmp_path)
    assert len(rows) == 200
    assert time.process_time() - started < 5
