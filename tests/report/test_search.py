"""The pictures of a search, and its lines on the console."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from seg.report import search as report
from seg.runs.folder import RunFolder
from seg.sweeps.search import record
from tests.sweeps.trained import DEFAULTS, ended, finished, make, params_of, train

SPACE = {
    "optimizer.lr": {"kind": "float", "low": 1e-4, "high": 1e-2, "step": None, "log": True},
    "loss": {"kind": "choice", "values": ["bce", "dice", "bce_dice"]},
    "+model.width": {"kind": "int", "low": 8, "high": 32, "step": 8, "log": False},
}
UP, DOWN = {"name": "val/dice", "direction": "maximize"}, {
    "name": "seconds", "direction": "minimize",
}  # fmt: skip


def _trial(number, *values, status="finished", lr=1e-3, loss="dice", width=16):
    params = {"optimizer.lr": lr, "loss": loss, "+model.width": width}
    return {
        "number": number, "status": status, "values": list(values) or None, "params": params,
        "overrides": ["dataset=lgg", "name=it's"], "folder": str(number), "epochs": 3,
        "seconds": 1.0, "error": None, "same_as": None,
    }  # fmt: skip


def _content(*trials, best, objectives=(UP,), shares=None):
    names = ("finished", "pruned", "failed", "unfinished")
    return {
        "sampler": "tpe", "n_trials": len(trials), "objectives": list(objectives), "space": SPACE,
        "counts": {name: sum(t["status"] == name for t in trials) for name in names},
        "best": best, "importance": shares,
        "importance_note": None if shares else "too few", "trials": list(trials),
    }  # fmt: skip


TRIALS = (
    _trial(0, 0.5),
    _trial(1, 0.3, status="pruned", lr=1e-4),
    _trial(2, 0.4, loss="bce", width=8),
    _trial(3, status="failed", lr=1e-2),
    _trial(4, 0.7, loss="bce_dice", width=32),
    _trial(5, 0.2, status="pruned"),
)
SHARES = {"val/dice": {"optimizer.lr": 0.6, "loss": 0.3, "+model.width": 0.1}}
ONE = _content(*TRIALS, best=[4], shares=SHARES)
TWO = _content(
    _trial(0, 0.5, 9.0), _trial(1, 0.6, 5.0), _trial(2, 0.4, 2.0), best=[1, 2],
    objectives=(UP, DOWN),
)  # fmt: skip
NONE = _content(_trial(0, status="failed"), best=[])


def _with_seconds(jobs):
    """Trained jobs whose seconds are their width, so that two objectives pull apart."""
    runs = []
    for job in jobs:
        facts = train(job).facts | {"seconds": float(params_of(job)["width"])}
        runs.append(ended(job, **facts))
    return runs


def _drawn(search):
    files = report.draw(record.content(search), search.study, search.folder)
    return {file.stem.removeprefix("search_"): file for file in files}


def _is_a_picture(path):
    pixels = np.asarray(Image.open(path).convert("RGB"))
    return min(pixels.shape[:2]) > 200 and pixels.std() > 5


def test_one_objective_is_drawn_three_times(tmp_path):
    pytest.importorskip("optuna")
    search = make(tmp_path / "s", n_trials=8)
    search.run_trials()
    style = dict(mpl.rcParams)
    drawn = _drawn(search)
    assert set(drawn) == {"history", "parallel", "importance"}
    assert all(_is_a_picture(path) for path in drawn.values())
    assert dict(mpl.rcParams) == style  # Optuna sets a style for the whole process


def test_two_objectives_have_their_front_and_pictures_that_no_longer_apply_go(tmp_path):
    pytest.importorskip("optuna")
    search = make(tmp_path / "s", n_trials=3, run=_with_seconds, objectives=["val/dice", "seconds"])
    search.run_trials()
    (search.folder / "search_importance.png").touch()  # of a search that had more trials
    drawn = _drawn(search)
    assert {"history", "parallel", "pareto"} <= set(drawn)
    assert "importance" not in drawn
    assert set(search.folder.glob("search_*.png")) == set(drawn.values())
    assert all(_is_a_picture(path) for path in drawn.values())


def test_a_search_in_which_all_trials_fail_has_no_pictures(tmp_path):
    pytest.importorskip("optuna")
    search = make(
        tmp_path / "s",
        n_trials=2,
        run=lambda jobs: [ended(job, status="failed", error="no") for job in jobs],
    )
    search.run_trials()
    assert _drawn(search) == {}


def test_one_trial_is_enough_for_a_picture(tmp_path):
    pytest.importorskip("optuna")
    search = make(tmp_path / "s", n_trials=1, run=finished)
    search.run_trials()
    assert set(_drawn(search)) == {"history", "parallel"}
    (trial,) = record.content(search)["trials"]
    assert trial["params"] == DEFAULTS
    assert RunFolder(search.folder / trial["folder"]).is_finished


def test_an_interrupted_drawing_leaves_the_earlier_picture(tmp_path, monkeypatch):
    pytest.importorskip("optuna")
    search = make(tmp_path / "s", n_trials=2)
    search.run_trials()
    before = _drawn(search)["history"].read_bytes()

    def torn(self, file, **options):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Figure, "savefig", torn)
    with pytest.raises(KeyboardInterrupt):
        _drawn(search)
    assert (search.folder / "search_history.png").read_bytes() == before
    assert not list(search.folder.glob(".*.png*"))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("optimizer.lr", 1e-4, 0),
        ("optimizer.lr", 1e-3, 0.5),  # halfway by its logarithm
        ("optimizer.lr", 1e-2, 1),
        ("+model.width", 8, 0),
        ("+model.width", 16, 1 / 3),
    ],
)
def test_the_place_of_a_value_in_its_interval(key, value, expected):
    assert report._relative_place(value, SPACE[key]) == pytest.approx(expected)


def test_the_lines_name_the_best_beside_the_first_and_a_command_that_can_be_pasted():
    lines = report.summary(ONE)
    assert lines[0] == "search: 6 trials by tpe: 3 finished, 2 pruned, 1 failed"
    assert lines[1] == "best: trial 4, val/dice 0.7000, the first trial 0.5000"
    assert lines[2].strip() == """python -m seg.train dataset=lgg 'name=it'"'"'s'"""
    assert (
        lines[3].strip().startswith("model.width 32 is at the edge of what was searched (8 to 32)")
    )
    assert lines[4] == ("importance for val/dice: optimizer.lr 0.60, loss 0.30, model.width 0.10")


def test_the_command_of_the_best_has_the_flags_of_the_search():
    content = ONE | {"flags": ["--config-dir", "/my conf"]}
    assert "python -m seg.train --config-dir '/my conf' dataset=lgg" in report.summary(content)[2]


def test_the_lines_say_so_where_nothing_better_was_found():
    lines = report.summary(_content(_trial(0, 0.5), _trial(1, 0.4), best=[0]))
    assert "nothing better was found" in lines[1]
    assert lines[-1] == "importance: too few"


def test_the_lines_say_so_where_nothing_has_finished():
    assert report.summary(NONE)[1] == "no trial has finished: there is no best"


def test_the_lines_of_a_front_give_each_trials_figures():
    lines = report.summary(TWO)
    assert "the front, 2 trials" in lines[1]
    assert lines[2].strip() == "trial 1: val/dice 0.6, seconds 5"


@pytest.mark.parametrize(
    ("lr", "told"), [(1.1e-4, True), (2e-4, False), (7e-3, False), (9e-3, True)]
)
def test_a_best_at_the_edge_of_an_interval_is_told(lr, told):
    lines = report.summary(_content(_trial(0, 0.5, lr=lr), best=[0]))
    assert any("optimizer.lr" in line and "edge" in line for line in lines) is told
