"""The pictures of a search, and its few lines."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from seg.report import search as reporting
from seg.report.search import console, history, importance, parallel, pareto

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


def _texts(axis):
    return [text.get_text() for text in axis.texts]


def test_one_objective_is_drawn_three_times_and_two_have_their_front(tmp_path):
    files = reporting.draw(ONE, tmp_path)
    assert [f.name for f in files] == [
        "search_history.png", "search_parallel.png", "search_importance.png",
    ]  # fmt: skip
    for file in files:
        picture = np.asarray(Image.open(file).convert("RGB"))
        assert (picture < 200).any(-1).mean() > 0.005
    files = reporting.draw(TWO, tmp_path)
    assert [f.name for f in files] == [
        "search_history.png", "search_parallel.png", "search_pareto.png",
    ]  # fmt: skip
    # the importance of before is not of these trials
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f.name for f in files)


def test_a_search_in_which_all_fails_has_no_pictures(tmp_path):
    assert reporting.draw(NONE, tmp_path) == []


@pytest.mark.parametrize("maximize", [True, False])
def test_the_best_so_far_never_gets_worse(maximize):
    values = [0.4, 0.2, 0.6, 0.5, 0.1]
    expected = [(max if maximize else min)(values[: i + 1]) for i in range(len(values))]
    assert history.best_so_far(values, maximize=maximize) == expected


def test_the_history_shows_what_finished_was_pruned_and_failed():
    (axis,) = history.figure(ONE).axes
    lines = {line.get_label(): line for line in axis.lines}
    assert list(lines["finished"].get_xdata()) == [0, 2, 4]
    assert list(lines["finished"].get_ydata()) == [0.5, 0.4, 0.7]
    assert list(lines["pruned, last value"].get_xdata()) == [1, 5]
    assert list(lines["failed"].get_xdata()) == [3]
    assert list(lines["best so far"].get_ydata()) == [0.5, 0.5, 0.7, 0.7]
    assert list(lines["best so far"].get_xdata())[-1] == 5


def test_an_objective_that_shall_be_low_has_its_best_below():
    upper, lower = history.figure(TWO).axes
    assert list(upper.lines[0].get_ydata()) == [0.5, 0.6, 0.6, 0.6]
    assert list(lower.lines[0].get_ydata()) == [9.0, 5.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("optimizer.lr", 1e-4, 0),
        ("optimizer.lr", 1e-3, 0.5),  # halfway by its logarithm
        ("optimizer.lr", 1e-2, 1),
        ("loss", "dice", 0.5),
        ("loss", "bce_dice", 1),
        ("+model.width", 8, 0),
        ("+model.width", 16, 1 / 3),
    ],
)
def test_a_value_stands_at_its_height(key, value, expected):
    assert parallel.height(value, SPACE[key]) == pytest.approx(expected)


def test_a_line_goes_through_a_trials_values_and_the_best_stands_out():
    axis = parallel.figure(ONE).axes[0]
    best = [line for line in axis.lines if line.get_color() == parallel.BEST]
    assert len(best) == 1
    assert list(best[0].get_ydata()) == pytest.approx([0.5, 1, 1, 1])
    grey = [line for line in axis.lines if line.get_color() == parallel.PRUNED]
    assert [list(line.get_ydata()) for line in grey] == [
        pytest.approx([0, 0.5, 1 / 3]), pytest.approx([0.5, 0.5, 1 / 3]),
    ]  # fmt: skip
    names = [label.get_text() for label in axis.get_xticklabels()]
    assert names == ["optimizer.lr", "loss", "model.width", "val/dice"]
    assert {"bce_dice", "0.001", "32", "0.7"} <= set(_texts(axis))


def test_bars_are_the_shares_the_largest_on_top():
    (axis,) = importance.figure(ONE).axes
    names = [label.get_text() for label in axis.get_yticklabels()]
    widths = [bar.get_width() for bar in axis.patches]
    assert dict(zip(names, widths, strict=True)) == {
        "optimizer.lr": 0.6, "loss": 0.3, "model.width": 0.1,
    }  # fmt: skip
    assert names[-1] == "optimizer.lr"


def test_the_front_is_marked_and_numbered():
    (axis,) = pareto.figure(TWO).axes
    lines = {line.get_label(): line for line in axis.lines}
    assert list(zip(*lines["the front"].get_data(), strict=True)) == [(2.0, 0.4), (5.0, 0.6)]
    assert list(zip(*lines["finished"].get_data(), strict=True)) == [(9.0, 0.5)]
    assert sorted(_texts(axis)) == ["1", "2"]
    assert "less is better" in axis.get_xlabel()


def test_one_trial_is_enough_for_a_picture(tmp_path):
    content = _content(_trial(0, 0.5), best=[0])
    assert len(reporting.draw(content, tmp_path)) == 2
    assert math.isfinite(parallel.height(8, SPACE["+model.width"] | {"high": 8}))


def test_an_interrupted_drawing_leaves_the_picture_of_before(tmp_path, monkeypatch):
    reporting.draw(ONE, tmp_path)
    before = (tmp_path / "search_history.png").read_bytes()

    def torn(self, path, **options):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Figure, "savefig", torn)
    with pytest.raises(KeyboardInterrupt):
        reporting.draw(TWO, tmp_path)
    assert (tmp_path / "search_history.png").read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_the_lines_name_the_best_beside_the_first_and_a_command_that_can_be_pasted():
    lines = console.summary(ONE)
    assert lines[0] == "search: 6 trials by tpe: 3 finished, 2 pruned, 1 failed"
    assert lines[1] == "best: trial 4, val/dice 0.7000, the first trial 0.5000"
    assert lines[2].strip() == """python -m seg.train dataset=lgg 'name=it'"'"'s'"""
    assert (
        lines[3].strip().startswith("model.width 32 is at the edge of what was searched (8 to 32)")
    )
    assert lines[4] == ("importance for val/dice: optimizer.lr 0.60, loss 0.30, model.width 0.10")


def test_the_lines_say_so_where_nothing_better_was_found():
    lines = console.summary(_content(_trial(0, 0.5), _trial(1, 0.4), best=[0]))
    assert "nothing better was found" in lines[1]
    assert lines[-1] == "importance: too few"


def test_the_lines_say_so_where_nothing_has_finished():
    assert console.summary(NONE)[1] == "no trial has finished: there is no best"


def test_the_lines_of_a_front_give_each_trials_figures():
    lines = console.summary(TWO)
    assert "the front, 2 trials" in lines[1]
    assert lines[2].strip() == "trial 1: val/dice 0.6, seconds 5"


@pytest.mark.parametrize(
    ("lr", "told"), [(1.1e-4, True), (2e-4, False), (7e-3, False), (9e-3, True)]
)
def test_a_best_at_the_edge_of_an_interval_is_told(lr, told):
    lines = console.summary(_content(_trial(0, 0.5, lr=lr), best=[0]))
    assert any("optimizer.lr" in line and "edge" in line for line in lines) is told
