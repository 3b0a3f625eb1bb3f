"""`seg.evaluate` of many runs and data sets, and `seg.compare` of what it wrote, in one table."""

import csv
import json
import shlex
import shutil
from pathlib import Path

import cv2
import pytest
import yaml

from seg.cli import build
from seg.cli.check import check
from seg.cli.compose import ConfigError, compose
from tests.commands import forked, seg
from tests.test_evaluate import score, untrained

pytestmark = pytest.mark.usefixtures("without_pictures")

FEW = ["dataset.split.val=4", "dataset.split.test=4"]


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch):
    monkeypatch.setattr(build, "PANEL_ROWS", 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory, write_folder):
    """Two finished runs on `set`, and two other data sets; datasets.yaml names them."""
    tmp_path = tmp_path_factory.mktemp("matrix") / "place"
    folder = tmp_path / "set"
    write_folder(folder, count=12)
    for k in (0, 1):
        out = tmp_path / f"out{k}"
        run = untrained(folder, out, *FEW, f"seed={k}", f"optimizer.lr=0.00{k + 1}")
        run = run.rename(tmp_path / "runs" / f"{k}_lr=0.00{k + 1}") if k else _first(run, tmp_path)
        (run / "run.json").write_text('{"status": "finished"}')
    write_folder(tmp_path / "other images", count=5, size=(30, 50))
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "datasets.yaml").write_text(
        yaml.safe_dump(
            {
                "test": None,
                "other": {"dataset": "folder", "root": "other images"},
                "copy": {"dataset": "folder", "root": "copy"},
            },
            sort_keys=False,
        )
    )
    shutil.copytree(tmp_path, tmp_path.parent / "kept")
    return tmp_path


@pytest.fixture
def place(made):
    """It, as it was made, at the place that its runs know."""
    shutil.rmtree(made)
    return Path(shutil.copytree(made.parent / "kept", made))


def _first(run, root):
    (root / "runs").mkdir()
    return run.rename(root / "runs" / "0")


def _stated(run, name):
    return json.loads((run / "evaluate" / name / f"{name}.json").read_text())


def _written(root):
    return {p: p.stat().st_mtime_ns for p in (root / "runs").glob("*/evaluate/*/*.json")}


def _table(root, *more):
    seg("compare", "runs=runs", "datasets=datasets.yaml", "output=table", *more, cwd=root)
    with (root / "table" / "matrix.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_every_run_is_scored_on_every_data_set_once(place):
    printed = seg("evaluate", "runs=runs", "datasets=datasets.yaml", cwd=place)
    first = _written(place)
    assert len(first) == 6
    runs = sorted((place / "runs").iterdir())
    alone = score(f"'{runs[1]}'", "dataset=folder", f"dataset.root='{place / 'other images'}'",
                  f"output={place / 'alone'}")  # fmt: skip
    assert _stated(runs[1], "other")["metrics"] == alone["metrics"]
    assert _stated(runs[1], "copy")["seen"] == {"train": 4, "val": 4}
    assert printed.count("figures are too high") == 2

    seg("evaluate", "runs=runs", "datasets=datasets.yaml", cwd=place)
    assert _written(place) == first
    image = place / "other images" / "images" / "case_1.png"
    cv2.imwrite(str(image), cv2.imread(str(image)) // 2)
    seg("evaluate", "runs=runs", "datasets=datasets.yaml", cwd=place)
    changed = {path for path, when in _written(place).items() if when != first[path]}
    assert {path.stem for path in changed} == {"other"}
    for more in ("tolerance=3", "again=true"):
        before = _written(place)
        seg("evaluate", "run=runs/0", "datasets=[test]", "tolerance=3", more, cwd=place)
        assert len({p for p, when in _written(place).items() if when != before[p]}) == 1


def test_the_table_has_the_figures_of_each_json_and_its_commands_fill_it(place):
    seg("evaluate", "run=runs/0", "datasets=[test]", cwd=place)
    rows = _table(place)
    assert [row["value"] != "" for row in rows] == [True, False, False, False, False, False]
    for command in "\n".join(row["commands"] for row in rows if row["commands"]).splitlines():
        python, flag, module, *lines = shlex.split(command)
        assert (python, flag, module) == ("python", "-m", "seg.evaluate")
        seg("evaluate", *lines, cwd=place.parent)  # from wherever it is given
    rows = _table(place)
    assert len(rows) == 6
    for row in rows:
        stated = _stated(Path(row["folders"]), row["dataset"])["metrics"]["dice"]
        shown = [float(row[key]) for key in ("value", "low", "high")]
        assert shown == pytest.approx([stated[k] for k in ("value", "low", "high")], abs=2e-6)
        assert row["own"] == str(row["dataset"] == "test")
        assert int(row["trained_cases"]) == 8 * (row["dataset"] == "copy")


def test_a_cell_that_fails_leaves_the_others(place):
    datasets = yaml.safe_load((place / "datasets.yaml").read_text())
    datasets["copy"]["classes"] = {"a": 255, "b": 7}
    (place / "datasets.yaml").write_text(yaml.safe_dump(datasets, sort_keys=False))
    (place / "other images" / "masks" / "case_2.png").unlink()
    done = forked("evaluate", "runs=runs", "datasets=datasets.yaml", cwd=place)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "the network knows 1 classes (foreground), the data set has 2 (a, b)" in done.stderr
    assert "case_2.png" in done.stderr
    assert "4 of 6 could not be scored" in done.stderr
    assert {path.stem for path in _written(place)} == {"test"}
    assert [row["problem"] != "" for row in _table(place)] == [False, True, True] * 2


def test_a_runs_own_data_set_is_scored_on_its_held_out_cases(place):
    seg("evaluate", "runs=runs", "datasets={set: {dataset: folder, root: set}}", cwd=place)
    assert {path.stem for path in _written(place)} == {"test"}
    seg("evaluate", "run=runs/0", "datasets=[test,{set: {dataset: folder, root: copy}}]", cwd=place)
    assert _stated(place / "runs" / "0", "set")["seen"] == {"train": 4, "val": 4}


def test_runs_that_did_not_finish_are_left_out(place):
    (place / "runs" / "0" / "run.json").write_text('{"status": "failed"}')
    seg("evaluate", "runs=runs", "datasets=[test]", cwd=place)
    assert [path.parents[2].name for path in _written(place)] == ["1_lr=0.002"]


def test_a_users_own_choice_of_data_set_is_named_in_the_list(place):
    (place / "conf" / "dataset").mkdir(parents=True)
    text = f"defaults: [folder, _self_]\nroot: {place / 'other images'}\n"
    (place / "conf" / "dataset" / "mine.yaml").write_text(text)
    seg("evaluate", "runs=runs", "datasets=[test,mine]", "--config-dir", "conf", cwd=place)
    assert {path.stem for path in _written(place)} == {"test", "mine"}
    printed = seg("compare", "runs=runs", "datasets=[test,mine]", "output=table", cwd=place)
    assert "missing" not in printed


def test_all_that_is_wrong_with_the_data_sets_is_said_before_anything_is_scored(place):
    wrong = "datasets={a: {dataset: foldr}, b: {dataset: folder, root: copy, image_siz: 3}}"
    done = forked("evaluate", "runs=runs", wrong, cwd=place)
    assert done.returncode == 1
    assert "datasets.a: dataset=foldr: no such choice (nearest: folder)" in done.stderr
    assert "datasets.b: dataset.image_siz: no such key or group" in done.stderr
    assert not _written(place)


@pytest.mark.parametrize(
    ("command", "overrides", "problem"),
    [
        ("evaluate", ["run=.", "runs=."], "runs: give run=RUN_DIR or runs=GLOB"),
        ("evaluate", ["run=.", "again=true"], "again: "),
        ("evaluate", ["runs=.", "output=x"], "output: "),
        ("evaluate", ["runs=.", "tune=true"], "tune: "),
        ("evaluate", ["runs=.", "checkpoint=a.ckpt"], "checkpoint: "),
        ("evaluate", ["runs=.", "datasets=[test]", "split=val"], "split=val: "),
        ("evaluate", ["runs=.", "datasets=[a]", "dataset=folder", "dataset.root=x"], "dataset: "),
        ("evaluate", ["runs=.", "datasets=no.yaml"], "datasets=no.yaml: cannot be read"),
        ("evaluate", ["runs=.", "datasets=[]"], "datasets: must be"),
        ("evaluate", ["runs=.", "datasets={a/b: {root: x}}"], "datasets.a/b: "),
        ("evaluate", ["runs=.", "datasets={a: 3}"], "datasets.a=3: "),
        ("evaluate", ["runs=.", "datasets={val: {classes: {a: 1}}}"], "datasets.val: "),
        ("compare", ["runs=.", "datasets=3"], "datasets=3: must be"),
        ("compare", ["runs=.", "datasets=[a]", "source=evaluate/a"], "source=evaluate/a: "),
    ],
)
def test_what_cannot_go_together_is_refused(command, overrides, problem):
    with pytest.raises(ConfigError) as caught:
        check(compose(overrides, config_name=command), command=command)
    assert problem in str(caught.value)
