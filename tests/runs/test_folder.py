"""A run folder as its readers see it, however much of it is there."""

import math
from pathlib import Path

import pytest

from seg.runs.folder import MONITOR, RunFolder, flatten


def written(folder: Path, **files: str) -> RunFolder:
    """A run folder with these files, `run_json="{}"` for run.json."""
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return RunFolder(folder)


def test_an_empty_folder_is_a_run_that_never_started(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert run.status == "never started"
    assert (run.facts, run.config, run.flat_config, run.epochs) == ({}, {}, {}, [])
    assert (run.split, run.test, run.results, run.best_epoch) == (None, None, [], None)
    assert math.isnan(run.best_score)
    assert not run.is_finished


@pytest.mark.parametrize("text", ["", "{", "[]", '{"status": 3}', '{"seed": 1}'])
def test_a_run_json_without_a_status_is_unknown(tmp_path: Path, text: str) -> None:
    assert written(tmp_path, run_json=text).status == "unknown"


def test_what_cannot_be_read_is_named_once_each(tmp_path: Path) -> None:
    run = written(tmp_path, run_json="{", config_yaml="- a", split_csv="a,b\n1,2\n")
    for _ in range(2):
        names = [line.split()[0] for line in run.problems]
        assert sorted(names) == ["config.yaml", "run.json", "split.csv"]


def test_a_line_of_metrics_that_a_kill_cut_short_is_left_out(tmp_path: Path) -> None:
    text = "epoch,stage,val/dice,val/loss\n1,first,0.25,nan\n2,first,0.75,0.5\n3,fir"
    run = written(tmp_path, metrics_csv=text + "\nx,y\n")
    assert run.epochs[0] == {"epoch": 1.0, "stage": "first", MONITOR: 0.25, "val/loss": None}
    assert run.curve(MONITOR) == [(1, 0.25), (2, 0.75)]
    assert run.curve("val/loss") == [(2, 0.5)]
    assert (run.best_score, run.best_epoch) == (0.75, 2)


def test_the_recorded_best_counts_more_than_the_table(tmp_path: Path) -> None:
    text = "epoch,val/dice\n1,0.25\n2,0.75\n"
    run = written(tmp_path, run_json='{"val/dice": 0.5, "best_epoch": 7}', metrics_csv=text)
    assert (run.best_score, run.best_epoch) == (0.5, 7)


def test_a_key_is_found_by_its_dotted_name(tmp_path: Path) -> None:
    run = written(tmp_path, config_yaml="name: a\ndataset: {split: {by: group}}\n")
    assert run.get("dataset.split.by") == "group"
    assert run.get("dataset.split.by.x", "none") == "none"
    assert run.flat_config == {"name": "a", "dataset.split.by": "group"}
    assert (run.name, RunFolder(tmp_path, label="b").name) == ("a", "b")


def test_nested_mappings_and_lists_of_mappings_become_dotted_keys() -> None:
    assert flatten({"a": {"b": [1, 2], "c": [{"d": 1}, 3]}, "e": {}, "f": None}) == {
        "a.b": [1, 2], "a.c.0.d": 1, "a.c.1": 3, "e": {}, "f": None,
    }  # fmt: skip
