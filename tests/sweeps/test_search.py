"""A search with jobs that are not trained: asking, telling, ending early, going on."""

import json
import sqlite3
import threading

import pytest

from seg.sweeps.search import record, study
from seg.training import pruning
from seg.training.pruning import Pruned, pruning_callback
from tests.sweeps.trained import (
    DEFAULTS,
    EPOCHS,
    LINES,
    Killed,
    dice,
    ended,
    finished,
    lightning,
    make,
    network,
    train,
    trained,
)

pytest.importorskip("optuna")


def _params(search):
    return [trial.params for trial in study.proposed(search.study)]


def _found(search):
    return record.content(search)


def test_the_first_trial_is_the_default_and_the_best_is_no_worse(tmp_path):
    search = make(tmp_path / "s")
    search.run_trials()
    found = _found(search)
    assert found["trials"][0]["params"] == DEFAULTS
    assert found["counts"] == {"finished": 6, "pruned": 0, "failed": 0, "unfinished": 0}
    values = [trial["values"][0] for trial in found["trials"]]
    assert values == pytest.approx([dice(t["params"], EPOCHS) for t in found["trials"]])
    assert values[found["best"][0]] == max(values) >= values[0]


def test_no_trial_begins_once_the_cpu_minutes_are_spent(tmp_path):
    def run(jobs):
        return [
            ended(j, **{"status": "finished", "val/dice": 0.5, "cpu_seconds": 40}) for j in jobs
        ]

    def count(minutes):  # the second command counts what the first has spent
        search = make(tmp_path / "s", run=run, n_trials=10, cpu_minutes=minutes)
        search.run_trials()
        return _found(search)["counts"]["finished"]

    assert [count(2), count(2), count(2.1)] == [3, 3, 4]


def test_trials_are_spread_over_the_space_although_each_has_a_seed_of_its_own(tmp_path):
    search = make(tmp_path / "s", n_trials=40, lines=LINES[:2])
    search.run_trials()
    lr = sorted(params["lr"] for params in _params(search)[1:])
    assert len(set(lr)) == 39
    assert lr[0] < 3e-4
    assert lr[-1] > 3e-2
    assert 1e-3 < lr[19] < 1e-2
    assert 10 < sum(params["loss"] == "dice" for params in _params(search)) < 30


@pytest.mark.parametrize("sampler", ["random", "tpe", "nsgaii", "qmc"])
def test_a_search_gone_on_with_proposes_what_it_would_have_proposed(tmp_path, sampler):
    whole = make(tmp_path / "whole", sampler=sampler, n_trials=8)
    whole.run_trials()
    make(tmp_path / "parts", sampler=sampler, n_trials=5).run_trials()
    parts = make(tmp_path / "parts", sampler=sampler, n_trials=8)
    parts.run_trials()
    assert _params(parts) == _params(whole)
    if sampler != "nsgaii":  # whose children may be like their parents
        assert len({str(params) for params in _params(parts)}) == 8


@pytest.mark.filterwarnings("error::UserWarning")  # Optuna's, of an epoch that is told twice
def test_a_trial_that_was_killed_is_run_again_in_its_folder_and_not_asked_anew(tmp_path):
    def killed(jobs):
        if jobs[0].number == 2:
            train(jobs[0], stop=2)
            (jobs[0].folder / "run.json").unlink()  # a SIGKILL leaves no last word
            raise Killed
        return trained(jobs)

    search = make(tmp_path / "s", run=killed, storage=None, n_trials=4)
    with pytest.raises(Killed):
        search.run_trials()
    before = _found(search)
    assert [t["status"] for t in before["trials"]] == ["finished", "finished", "unfinished"]

    seen = []

    def again(jobs):
        seen.extend(jobs)
        # the last epoch before the kill is trained once more
        return [train(job, begin=1 if job.number == 2 else 0) for job in jobs]

    search = make(tmp_path / "s", run=again, storage=None, n_trials=4)
    search.run_trials()
    assert [job.number for job in seen] == [2, 3]
    assert seen[0].folder.name == before["trials"][2]["folder"]
    after = _found(search)
    assert after["trials"][2]["params"] == before["trials"][2]["params"]
    assert after["counts"]["finished"] == 4
    assert after["trials"][2]["epochs"] == EPOCHS


def test_a_kill_between_asking_and_running_loses_nothing(tmp_path):
    whole = make(tmp_path / "whole")
    whole.run_trials()
    make(tmp_path / "s", n_trials=3).run_trials()
    search = make(tmp_path / "s")
    search._seed(3)
    search.study.ask()  # killed here: no parameters are chosen yet
    search = make(tmp_path / "s")
    search.run_trials()
    assert _params(search) == _params(whole)
    assert _found(search)["counts"]["finished"] == 6


def test_failed_trials_are_told_and_the_search_goes_on(tmp_path):
    def run(jobs):
        found = []
        for job in jobs:
            facts = train(job).facts
            if job.number == 1:
                facts = {"status": "failed", "error": "the loss is nan"}
            if job.number == 2:
                facts["val/dice"] = float("nan")
            if job.number == 3:
                facts = {"status": "finished", "seconds": 1.0}
            if job.number == 4:
                facts = {"status": "interrupted"}
            found.append(ended(job, **facts))
        return found

    search = make(tmp_path / "s", run=run)
    search.run_trials()
    found = _found(search)
    states = [t["status"] for t in found["trials"]]
    assert states == ["finished", "failed", "failed", "failed", "unfinished", "finished"]
    errors = [t["error"] for t in found["trials"]]
    assert errors[1:4] == ["the loss is nan", "its val/dice is nan", "it has no val/dice"]
    assert found["best"][0] in (0, 5)


def test_n_trials_counts_those_of_earlier_commands_and_more_may_be_asked_for(tmp_path):
    ran = []

    def run(jobs):
        ran.extend(job.number for job in jobs)
        return finished(jobs)

    for count in (3, 3, 5):
        make(tmp_path / "s", run=run, n_trials=count).run_trials()
    assert ran == [0, 1, 2, 3, 4]


def test_several_trials_are_asked_for_at_once_and_no_more_than_are_left(tmp_path):
    rounds = []

    def run(jobs):
        rounds.append([job.number for job in jobs])
        return finished(jobs)

    make(tmp_path / "s", run=run, n_trials=5, n_jobs=2).run_trials()
    assert rounds == [[0, 1], [2, 3], [4]]


def test_values_that_were_tried_before_are_not_trained_again(tmp_path):
    ran, lines = [], ["lr=choice(0.001,0.01)", LINES[1], "width=8,32"]

    def run(jobs):
        ran.extend(jobs)
        return [
            ended(job, status="failed", error="no") if job.number == 0 else train(job)
            for job in jobs
        ]

    search = make(tmp_path / "s", run=run, lines=lines, n_trials=8)
    search.run_trials()
    trials = _found(search)["trials"]
    again = [t for t in trials if t["same_as"] is not None]
    assert again  # eight draws of eight combinations
    assert len(ran) == 8 - len(again)
    for trial in again:
        first = trials[trial["same_as"]]
        assert first["same_as"] is None
        assert [trial[k] for k in ("params", "values", "status")] == [
            first[k] for k in ("params", "values", "status")
        ]


def test_median_pruning_ends_exactly_the_trials_below_the_median_after_the_warm_up(tmp_path):
    search = make(
        tmp_path / "s", n_trials=16, run=trained, pruner="median", pruner_startup=4, warmup_epochs=2
    )
    search.run_trials()
    expected = _reference_median(_params(search), startup=4, warmup=2)
    found = {t["number"]: t["epochs"] for t in _found(search)["trials"] if t["status"] == "pruned"}
    assert found == expected
    assert found
    assert set(found.values()) >= {2}  # in this case all fall behind as early as they may


def _reference_median(all_params, *, startup, warmup):
    """Ended trials and their last epoch: below the median of those before that ran whole."""
    whole, ended = [], {}
    for number, params in enumerate(all_params):
        curve = [dice(params, epoch) for epoch in range(1, EPOCHS + 1)]
        for epoch in range(warmup, EPOCHS):  # after the last nothing is left to save
            others = sorted(c[epoch - 1] for c in whole)
            half = len(others) // 2
            if len(others) < startup:
                continue
            median = others[half] if len(others) % 2 else (others[half - 1] + others[half]) / 2
            if max(curve[:epoch]) < median:
                ended[number] = epoch
                break
        else:
            whole.append(curve)
    return ended


def test_hyperband_ends_some_trials_and_none_before_the_warm_up(tmp_path):
    search = make(tmp_path / "s", n_trials=20, run=trained, pruner="hyperband", warmup_epochs=1)
    search.run_trials()
    pruned = [t for t in _found(search)["trials"] if t["status"] == "pruned"]
    assert 0 < len(pruned) < 20
    assert min(t["epochs"] for t in pruned) >= 1


def test_several_objectives_give_a_front_and_no_trial_is_ended(tmp_path):
    def run(jobs):
        found = []
        for job in jobs:
            facts = train(job).facts
            width = int(next(o for o in job.overrides if o.startswith("width")).split("=")[1])
            found.append(ended(job, **(facts | {"seconds": float(width)})))
        return found

    search = make(
        tmp_path / "s", run=run, n_trials=12, pruner="median", objectives=["val/dice", "seconds"]
    )
    search.run_trials()
    found = _found(search)
    assert found["counts"]["finished"] == 12
    points = {t["number"]: t["values"] for t in found["trials"]}
    assert found["best"] == _reference_front(points)
    assert found["objectives"] == [
        {"name": "val/dice", "direction": "maximize"},
        {"name": "seconds", "direction": "minimize"},
    ]
    assert set(found["importance"]) == {"val/dice", "seconds"}
    # width alone makes the seconds, and rate and loss alone the figure
    assert max(found["importance"]["seconds"], key=found["importance"]["seconds"].get) == "width"
    assert min(found["importance"]["val/dice"], key=found["importance"]["val/dice"].get) == "width"


def _reference_front(points):
    def beaten(a, b):
        return b[0] >= a[0] and b[1] <= a[1] and b != a

    return sorted(n for n, p in points.items() if not any(beaten(p, q) for q in points.values()))


def test_the_size_of_the_network_can_be_an_objective(tmp_path):
    search = make(tmp_path / "s", objectives=["val/dice", "parameters"], n_trials=2, run=trained)
    search.run_trials()
    assert [t["values"][1] for t in _found(search)["trials"]] == [7.0, 7.0]


def test_importance_is_left_out_with_a_reason_where_trials_are_few(tmp_path):
    search = make(tmp_path / "s", n_trials=3)
    search.run_trials()
    found = _found(search)
    assert found["importance"] is None
    assert "3 finished trials are too few" in found["importance_note"]


def test_another_search_in_the_same_folder_is_refused_with_the_difference(tmp_path):
    make(tmp_path / "s", n_trials=1).run_trials()
    with pytest.raises(ValueError, match=r"space was .*range|space was .*32"):
        make(tmp_path / "s", lines=[*LINES[:2], "width=range(8,17,8)"])
    with pytest.raises(ValueError, match="constant was"):
        make(tmp_path / "s", lines=[*LINES, "epochs=9"])
    with pytest.raises(ValueError, match="objectives was"):
        make(tmp_path / "s", objectives=["val/dice", "seconds"])


def test_a_journal_is_a_storage_like_any_other(tmp_path):
    make(tmp_path / "s", storage=str(tmp_path / "all.log"), n_trials=2).run_trials()
    make(tmp_path / "other", storage=str(tmp_path / "all.log"), n_trials=1).run_trials()
    search = make(tmp_path / "s", storage=str(tmp_path / "all.log"), n_trials=3, run=trained)
    search.run_trials()
    assert _found(search)["counts"]["finished"] == 3
    facts = json.loads((search.folder / _found(search)["trials"][2]["folder"] / "trial.json")
                       .read_text())  # fmt: skip
    assert facts["storage"] == str(tmp_path / "all.log")


def test_a_folder_with_odd_letters_holds_a_study(tmp_path):
    search = make(tmp_path / "a {b} %20? ü'", n_trials=2, run=trained, storage=None)
    search.run_trials()
    assert (tmp_path / "a {b} %20? ü'" / "study.db").is_file()
    assert _found(search)["counts"]["finished"] == 2


def test_a_storage_that_cannot_be_opened_is_one_message_without_the_password():
    with pytest.raises(ValueError, match=r"hydra.sweeper.storage=nosuch://user:\*\*\*@host/db"):
        pruning.open_storage("nosuch://user:secret@host/db")
    with pytest.raises(ValueError, match="cannot be opened"):
        pruning.open_storage("/no/such/folder/study.db")


def test_the_trials_file_is_for_its_owner_alone(tmp_path):
    search = make(tmp_path / "s", n_trials=1)
    search.run_trials()
    path = search.folder / _found(search)["trials"][0]["folder"] / "trial.json"
    assert path.stat().st_mode & 0o077 == 0


@pytest.fixture
def job(tmp_path):
    """A job that was asked for and is not trained yet."""
    kept = []
    search = make(
        tmp_path / "s",
        storage=None,
        run=lambda jobs: kept.extend(jobs) or [ended(jobs[0], status="lost")],
    )
    search._run_round([search._propose()])
    return kept[0], search


@pytest.mark.slow
def test_a_locked_database_is_waited_for(job):
    job, search = job
    callback = pruning_callback(job.folder)
    connection = sqlite3.connect(search.folder / "study.db", check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    # SQLite's own patience is 5 seconds
    threading.Timer(7.0, connection.rollback).start()
    callback.on_train_epoch_end(lightning(0, **{"val/dice": 0.25}), None)
    assert study.proposed(search.study)[0].intermediate_values == {1: 0.25}


def test_a_storage_that_fails_costs_the_pruning_and_not_the_training(job, caplog, monkeypatch):
    job, search = job
    monkeypatch.setattr(pruning, "LOCK_TIMEOUT", 0.1)
    callback = pruning_callback(job.folder)
    connection = sqlite3.connect(search.folder / "study.db")
    connection.execute("BEGIN EXCLUSIVE")
    callback.on_train_epoch_end(lightning(0, **{"val/dice": 0.25}), None)
    callback.on_train_epoch_start(lightning(1), None)
    callback.on_train_epoch_end(lightning(1, **{"val/dice": 0.25}), None)
    connection.rollback()
    told = [r.message for r in caplog.records if "goes on to its end" in r.message]
    assert len(told) == 1


def test_a_run_of_a_trial_that_is_over_is_a_run_like_any_other(job, caplog):
    job, search = job
    search.study.tell(0, 0.5)
    callback = pruning_callback(job.folder)
    callback.on_fit_start(lightning(0), network())
    callback.on_train_epoch_end(lightning(0, **{"val/dice": 0.25}), None)
    callback.on_train_epoch_start(lightning(1), None)
    assert study.proposed(search.study)[0].intermediate_values == {}
    assert not [r for r in caplog.records if "goes on to its end" in r.message]


def test_a_trials_file_that_cannot_be_read_or_leads_nowhere_is_named(job):
    job, search = job
    path = job.folder / "trial.json"
    whole = path.read_text()
    path.write_text(json.dumps(json.loads(whole) | {"number": 99}))
    with pytest.raises(ValueError, match=r"trial.json: trial 99 .* is not in"):
        pruning_callback(job.folder)
    path.write_text(whole[:20])
    with pytest.raises(ValueError, match=r"trial.json: cannot be read"):
        pruning_callback(job.folder)


def test_ended_trials_say_where_they_stood():
    assert Pruned.status == "pruned"


def test_a_front_names_no_trial_twice(tmp_path):
    def equal(jobs):
        facts = {"status": "finished", "val/dice": 0.5, "seconds": 1.0}
        return [ended(job, **facts) for job in jobs]

    search = make(
        tmp_path / "s", run=equal, n_trials=8, objectives=["val/dice", "seconds"],
        lines=["lr=choice(0.001,0.01)", LINES[1], "width=8,32"],
    )  # fmt: skip
    search.run_trials()
    found = _found(search)
    assert any(trial["same_as"] is not None for trial in found["trials"])
    assert found["best"] == [t["number"] for t in found["trials"] if t["same_as"] is None]
