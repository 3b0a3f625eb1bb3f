"""Run folders are found wherever they lie, and a broken one never stops the others."""

import json
import time

import numpy as np
import pytest

from seg.comparison.runs import find, flatten, read_runs
from tests.comparison.written import counts_of, reference, write_run

COUNTS = counts_of(reference(6), np.full(6, 0.8))


def _read(folders, source="test"):
    return {run.folder.name: run for run in read_runs(folders, source=source, metric="dice")}


def test_runs_are_found_by_folder_glob_list_and_with_brackets_in_the_name(tmp_path):
    for name in ("a/x/1", "a/x/2", "b/0_loss=[bce,dice]", "a/.hidden/3"):
        write_run(tmp_path / name, counts=COUNTS)
    (tmp_path / "a" / "prepare").mkdir()
    a, b = tmp_path / "a", tmp_path / "b"
    assert [f.name for f in find(str(a))] == ["1", "2"]
    assert [f.name for f in find(str(a / "x" / "1"))] == ["1"]
    assert [f.name for f in find(f"{tmp_path}/*/*/2")] == ["2"]
    assert [f.name for f in find(f"{tmp_path}/**/2")] == ["2"]
    assert [f.name for f in find([str(b / "0_loss=[bce,dice]"), str(a), str(a / "x")])] == [
        "1", "2", "0_loss=[bce,dice]",
    ]  # fmt: skip


@pytest.mark.parametrize("where", ["nothing*", "empty"])
def test_nothing_found_is_an_error_that_names_the_pattern(tmp_path, monkeypatch, where):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"runs={where[:5]}"):
        find(where)


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
    assert runs["no_table"].problem.startswith("test_cases.csv: No such file")
    assert "6 cases, the table beside it has 4" in runs["cut"].problem
    assert "says dice 1." in runs["other"].problem


def test_an_evaluation_is_read_from_its_own_folder(tmp_path):
    folder = write_run(tmp_path / "run", counts=COUNTS)
    place = folder / "evaluate" / "cvc"
    place.mkdir(parents=True)
    lines = (folder / "test_cases.csv").read_text().splitlines()
    rows = [f"{lines[0]},hd95", *(f"{line},{i}.5" for i, line in enumerate(lines[1:]))]
    (place / "test_cases.csv").write_text("\n".join(rows))
    (place / "test.json").write_text('{"cases": 6, "metrics": {"ece": {"value": 0.1}}}')
    run = _read([folder], source="evaluate/cvc")["run"]
    assert run.problem is None
    assert run.table.values["hd95"][:, 0].tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    assert run.figures == {"ece": 0.1}
    assert "no results" in _read([folder], source="evaluate/lgg")["run"].problem
    (place / "val_cases.csv").write_text("")
    assert "several tables" in _read([folder], source="evaluate/cvc")["run"].problem


def test_a_curve_that_was_cut_short_or_diverged_loses_only_those_points(tmp_path):
    folder = write_run(tmp_path / "run", counts=COUNTS)
    (folder / "metrics.csv").write_text("epoch,val/dice\n1,0.5\n2,nan\n3,0.7\n4,0.")
    assert _read([folder])["run"].curve == [(1, 0.5), (3, 0.7), (4, 0.0)]
    (folder / "metrics.csv").unlink()
    assert _read([folder])["run"].curve == []


def test_lists_of_plain_values_stay_whole_and_nested_ones_get_numbers():
    assert flatten({"a": {"b": [1, 2], "c": [{"d": 1}, 3]}, "e": {}, "f": None}) == {
        "a.b": [1, 2], "a.c.0.d": 1, "a.c.1": 3, "e": {}, "f": None,
    }  # fmt: skip


def test_reading_two_hundred_runs_takes_seconds(tmp_path):
    for i in range(200):
        write_run(tmp_path / f"{i}", counts=COUNTS)
    start = time.perf_counter()
    assert len(_read(find(str(tmp_path)))) == 200
    assert time.perf_counter() - start < 8
