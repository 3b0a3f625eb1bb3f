"""`seg.compare`: from the command line to the files."""

import csv
import json
import time
from pathlib import Path

import numpy as np
import pytest

from seg.cli.check import check
from seg.cli.compose import ConfigError, compose
from seg.compare import compare
from tests.commands import forked
from tests.comparison.written import config_of, counts_of, reference, write_run

pytestmark = pytest.mark.usefixtures("without_pictures")

ROOT = Path(__file__).parents[1]
SIZES = reference(60)


def run(*overrides):
    cfg = compose(list(overrides), config_name="compare")
    check(cfg, command="compare")
    return compare(cfg)


def _write(root, *, seeds, shifts, cases=60, first=1):
    rng = np.random.default_rng(0)
    easy = rng.beta(7, 2.5, cases)
    for k, shift in enumerate(shifts):
        for s in range(seeds):
            quality = easy + shift + rng.normal(0, 0.05, cases)
            config = config_of(name=f"c{k}", seed=s, **{"optimizer.lr": (k + first) / 1000})
            write_run(
                root / f"c{k}" / f"2026-01-01_00-00-0{s}",
                counts=counts_of(SIZES[:cases], quality),
                config=config,
            )


def _command(*arguments, cwd):
    return forked("compare", *arguments, cwd=cwd)


def test_two_configurations_of_three_seeds_are_compared_from_the_command_line(tmp_path):
    _write(tmp_path / "outputs", seeds=3, shifts=[0.0, 0.08])
    done = _command("runs=outputs/c*", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith("c1 is better in dice than c0, by 0.0")
    (folder,) = (tmp_path / "outputs" / "compare").iterdir()
    assert {f.name for f in folder.iterdir()} == {
        "leaderboard.csv", "leaderboard.md", "leaderboard.html", "pairs.csv",
    }  # fmt: skip
    with (folder / "leaderboard.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [(row["configuration"], row["seeds"]) for row in rows] == [("c1", "3"), ("c0", "3")]
    again = _command("runs=outputs", "metric=iou", "output=there", "test=wilcoxon", cwd=tmp_path)
    assert again.returncode == 0, again.stderr  # what was compared before is no run
    assert (tmp_path / "there" / "leaderboard.html").is_file()


def test_a_single_run_gets_a_report_and_a_model_card(tmp_path):
    _write(tmp_path / "outputs", seeds=1, shifts=[0.0])
    done = _command("runs=outputs/c0", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stdout.strip().splitlines()
    (folder,) = (tmp_path / "outputs" / "compare").iterdir()
    assert {f.name for f in folder.iterdir()} == {"report.html", "model_card.md"}
    assert last == f"{folder}: report.html, model_card.md"
    test = json.loads(next(tmp_path.glob("outputs/c0/*/test.json")).read_text())
    assert f"test dice {test['metrics']['dice']['value']:.4f}" in first


def test_a_single_run_that_failed_has_a_report_too_and_stays_as_it_was(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "run.json").write_text('{"status": "failed", "error": "the loss is nan"}')
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "a").rglob("*")}
    report = run(f"runs={tmp_path}/a", f"output={tmp_path}/out")
    assert report.headline is None
    assert "failed (the loss is nan)" in (tmp_path / "out" / "report.html").read_text()
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "a").rglob("*")} == before


def test_a_figure_that_a_single_run_lacks_is_refused_and_nothing_is_written(tmp_path):
    _write(tmp_path / "a", seeds=1, shifts=[0.0])
    for key in ("metric=dicee", "source=evaluate/none"):
        with pytest.raises((ValueError, FileNotFoundError), match=key):
            run(f"runs={tmp_path}/a", f"output={tmp_path}/out", key)
    assert not (tmp_path / "out").exists()


def test_refusals_are_short_and_leave_nothing(tmp_path):
    _write(tmp_path / "a", seeds=1, shifts=[0.0])
    _write(tmp_path / "b", seeds=1, shifts=[0.1, 0.2], cases=50, first=5)
    done = _command("runs=[a,b]", "output=out", cwd=tmp_path)
    assert done.returncode == 1
    assert "10 cases extra" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) < 20
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "runs: required"),
        (["runs=[]"], "runs="),
        (["runs=a", "test=t"], "test=t: .*permutation or wilcoxon"),
        (["runs=a", "source=../x"], "source=../x: .*evaluate/NAME"),
        (["runs=a", "common=3"], "common=3: "),
        (["runs=a", "metric=7"], "metric=7: "),
        (["runs=a", "output=null"], "output=null: "),
        (["runs=a", "+lr=7"], "lr: "),
    ],
)
def test_what_is_wrong_on_the_command_line_is_refused_before_anything_is_read(overrides, message):
    with pytest.raises(ConfigError, match=message):
        check(compose(overrides, config_name="compare"), command="compare")


def test_common_cases_by_option(tmp_path):
    _write(tmp_path / "a", seeds=1, shifts=[0.0])
    _write(tmp_path / "b", seeds=1, shifts=[0.1, 0.2], cases=50, first=5)
    comparison = run(f"runs=[{tmp_path}/a,{tmp_path}/b]", f"output={tmp_path}/out", "common=true")
    assert comparison.cases == 50
    assert "on the 50 cases that all have" in (tmp_path / "out" / "leaderboard.md").read_text()


def test_nothing_is_written_into_the_runs(tmp_path):
    _write(tmp_path / "a", seeds=1, shifts=[0.0, 0.1])
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "a").rglob("*")}
    run(f"runs={tmp_path}/a", f"output={tmp_path}/out")
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "a").rglob("*")} == before


def test_three_hundred_runs_are_compared_in_seconds(tmp_path, record_property):
    rng = np.random.default_rng(1)
    easy = rng.beta(7, 2.5, 60)
    for k in range(300):
        quality = easy - 0.001 * k + rng.normal(0, 0.05, 60)
        config = config_of(name=f"c{k}", **{"optimizer.lr": (k + 1) / 1000})
        write_run(tmp_path / "s" / f"{k:03}", counts=counts_of(SIZES, quality), config=config)
    (tmp_path / "s" / "007" / "run.json").write_text(json.dumps({"status": "failed"}))
    start = time.perf_counter()
    comparison = run(f"runs={tmp_path}/s", f"output={tmp_path}/out")
    seconds = time.perf_counter() - start
    record_property("seconds", seconds)
    assert len(comparison.entries) == 299
    assert len(comparison.unranked) == 1
    assert comparison.entries[0].rank == 1
    assert comparison.entries[-1].rank > 100
    assert seconds < 20  # two to four on a free core
    pooled = run(f"runs={tmp_path}/s/00*", f"output={tmp_path}/out", "metric=dice_pooled")
    assert not any("too many" in note for note in pooled.notes)
    pooled = run(f"runs={tmp_path}/s/0*", f"output={tmp_path}/out", "metric=dice_pooled")
    assert any("99 configurations are too many" in note for note in pooled.notes)
