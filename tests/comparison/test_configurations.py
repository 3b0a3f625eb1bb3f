"""Runs are read whatever is broken; those that differ in seed and fold are one configuration."""

import json
import re
import shutil
import time

import numpy as np

from seg.comparison.configurations import by_config, differing, read_runs
from seg.runs.find import find
from tests.comparison.written import config_of, counts_of, reference, write_run

COUNTS = counts_of(reference(6), np.full(6, 0.8))


def _read(folders, source="test"):
    return {run.folder.path.name: run for run in read_runs(folders, source=source)}


def test_broken_and_unfinished_runs_are_told_apart_and_never_ranked(tmp_path):
    def run(name, **about):
        return write_run(tmp_path / name, counts=COUNTS, **about)

    run("good")
    run("running", status="running")
    failed = run("failed", status="failed")
    facts = json.loads((failed / "run.json").read_text()) | {"error": "loss is nan,\nsee log"}
    (failed / "run.json").write_text(json.dumps(facts))
    (run("no_table") / "test_cases.csv").unlink()
    (run("no_json") / "test.json").unlink()
    (run("half_json") / "test.json").write_text('{"split": "te')
    (run("half_run") / "run.json").write_text("")
    (run("list_run") / "run.json").write_text("[1]")
    (run("no_config") / "config.yaml").unlink()
    (run("bad_config") / "config.yaml").write_text("a: [1\n: {")
    (run("binary") / "test_cases.csv").write_bytes(b"\xff\xfe\x00\x80" * 9)
    cut = run("cut") / "test_cases.csv"
    cut.write_text("\n".join(cut.read_text().splitlines()[:-2]) + "\n")
    other = run("other") / "test.json"
    other.write_text(other.read_text().replace('"value": 0', '"value": 1'))
    (run("odd_metrics") / "test.json").write_text('{"cases": 6, "metrics": {"dice": 3}}')
    runs = _read(find(str(tmp_path)))
    assert {name for name, r in runs.items() if r.problem is None} == {"good"}
    assert {name for name, r in runs.items() if r.table is not None} == {"good"}
    assert {n: r.status for n, r in runs.items()} == {
        "good": "finished", "running": "running", "failed": "failed", "no_table": "incomplete",
        "no_json": "incomplete", "half_json": "broken", "half_run": "broken", "list_run": "broken",
        "no_config": "incomplete", "bad_config": "broken", "binary": "broken", "cut": "broken",
        "other": "broken", "odd_metrics": "broken",
    }  # fmt: skip
    assert runs["failed"].problem == "loss is nan, see log"
    assert runs["no_table"].problem.startswith("test_cases.csv")
    assert re.search("test_cases.csv.* 6 .* 4", runs["cut"].problem)
    assert "dice 1." in runs["other"].problem


def test_an_evaluation_is_read_from_its_own_folder(tmp_path):
    folder = write_run(tmp_path / "run", counts=COUNTS)
    place = folder / "evaluate" / "cvc"
    place.mkdir(parents=True)
    lines = (folder / "test_cases.csv").read_text().splitlines()
    rows = [f"{lines[0]},hd95", *(f"{line},{i}.5" for i, line in enumerate(lines[1:]))]
    (place / "cvc_cases.csv").write_text("\n".join(rows))
    content = {"split": "test", "cases": 6, "metrics": {"ece": {"value": 0.1}}}
    (place / "cvc.json").write_text(json.dumps(content))
    run = _read([folder], source="evaluate/cvc")["run"]
    assert run.problem is None
    assert run.table.values["hd95"][:, 0].tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    assert run.result.metrics["ece"].value == 0.1
    assert "evaluate/lgg" in _read([folder], source="evaluate/lgg")["run"].problem
    (place / "val_cases.csv").write_text("")
    assert _read([folder], source="evaluate/cvc")["run"].problem is None


def test_an_evaluation_in_a_folder_of_another_name_is_read_while_it_is_alone(tmp_path):
    folder = write_run(tmp_path / "run", counts=COUNTS)
    place = folder / "evaluate" / "again"
    place.mkdir(parents=True)
    for end in (".json", "_cases.csv"):
        shutil.copy(folder / f"test{end}", place / f"test{end}")
    assert _read([folder], source="evaluate/again")["run"].table.cases[0] == "images/000.png"
    for end in (".json", "_cases.csv"):
        shutil.copy(folder / f"test{end}", place / f"val{end}")
    assert "again.json" in _read([folder], source="evaluate/again")["run"].problem


def test_the_curve_is_of_the_metric_and_of_dice_where_it_was_not_validated(tmp_path):
    run = _read([write_run(tmp_path / "run", counts=COUNTS, epochs=2)])["run"]
    assert run.curve("iou") == [(1, 0.4), (2, 0.4)]
    assert run.curve("hd95") == run.curve("dice") == run.folder.curve("val/dice") != []


def test_a_curve_that_was_cut_short_or_diverged_loses_only_those_points(tmp_path):
    folder = write_run(tmp_path / "run", counts=COUNTS)
    (folder / "metrics.csv").write_text("epoch,val/dice\n1,0.5\n2,nan\n3,0.7\n4,0.")
    assert _read([folder])["run"].curve("dice") == [(1, 0.5), (3, 0.7), (4, 0.0)]
    (folder / "metrics.csv").unlink()
    assert _read([folder])["run"].curve("dice") == []


def test_reading_two_hundred_runs_takes_seconds(tmp_path):
    for i in range(200):
        write_run(tmp_path / f"{i}", counts=COUNTS)
    start = time.perf_counter()
    assert len(_read(find(str(tmp_path)))) == 200
    assert time.perf_counter() - start < 8


def _write(root, folder, **changes):
    config = config_of(**{key.replace("__", "."): value for key, value in changes.items()})
    write_run(root / folder, counts=COUNTS, config=config)


def _runs(root):
    return read_runs(find(str(root)))


def test_runs_that_differ_in_seed_name_and_place_are_one_and_in_anything_else_are_not(tmp_path):
    _write(tmp_path, "a", seed=0)
    _write(tmp_path, "b", seed=1, name="other", output_dir="x", dataset__split__seed=3)
    _write(tmp_path, "c", seed=2, resume="auto", init_from="w.ckpt", dataset__cache_dir="x")
    # a later version's run has keys that the others do not have
    _write(tmp_path, "c2", seed=3, dataset__overlap=False, model__up="nearest", ema__decay=None)
    _write(tmp_path, "d", optimizer__lr=0.01)
    configurations = by_config(_runs(tmp_path))
    assert [[run.name.rpartition("/")[2] for run in c.runs] for c in configurations] == [
        ["a", "b", "c", "c2"],
        ["d"],
    ]
    assert differing(c.runs[0] for c in configurations) == ["optimizer.lr"]


def test_labels_are_names_and_where_these_are_equal_what_sets_them_apart(tmp_path):
    for seed in range(2):
        _write(tmp_path, f"a{seed}", seed=seed, name="one")
        _write(tmp_path, f"b{seed}", seed=seed, name="two", optimizer__lr=0.1)
        _write(tmp_path, f"c{seed}", seed=seed, name="two", optimizer__lr=0.2)
    assert [c.label for c in by_config(_runs(tmp_path))] == ["one", "two lr=0.1", "two lr=0.2"]
