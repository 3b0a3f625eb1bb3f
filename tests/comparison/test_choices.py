"""Jobs of one configuration together, in the order of validation."""

import math

import pytest

from seg.comparison.choices import by_validation
from seg.comparison.sweep_jobs import read_jobs
from tests.comparison.sweep_written import write_job


def _choices(folder):
    return by_validation(read_jobs(folder))


def test_the_order_is_of_validation_whatever_the_test_says(tmp_path):
    for i, (val, shift) in enumerate([(0.6, 0.2), (0.8, -0.3), (0.7, 0.0)]):
        write_job(tmp_path, i, [f"model.width={i}"], val=val, shift=shift)
    assert [c.label for c in _choices(tmp_path)] == [f"model.width={i}" for i in (1, 2, 0)]


def test_seeds_and_folds_are_one_choice_with_their_mean_and_spread(tmp_path):
    i = 0
    for loss, scores in (("bce", [0.5, 0.6, 0.7, 0.8]), ("dice", [0.9, 0.4, 0.5, 0.6])):
        for (seed, fold), val in zip([(0, 0), (0, 1), (1, 0), (1, 1)], scores, strict=True):
            lines = [f"loss={loss}", f"seed={seed}", f"dataset.split.fold={fold}"]
            write_job(tmp_path, i, lines, val=val)
            i += 1
    bce, dice = _choices(tmp_path)
    assert (bce.label, dice.label) == ("loss=bce", "loss=dice")
    assert bce.made_of == "2 seeds x 2 folds"
    assert bce.score == pytest.approx((0.65, math.sqrt(0.05 / 3)))
    assert dice.score[0] == pytest.approx(0.6)


def test_a_choice_that_lacks_a_fold_comes_after_those_that_are_whole(tmp_path):
    for i, (loss, fold, val) in enumerate(
        [("bce", 0, 0.5), ("bce", 1, 0.5), ("dice", 0, 0.99), ("dice", 1, None)]
    ):
        status = "finished" if val else "failed"
        lines = [f"loss={loss}", f"dataset.split.fold={fold}"]
        write_job(tmp_path, i, lines, val=val, status=status)
    first, second = _choices(tmp_path)
    assert (first.label, first.is_whole) == ("loss=bce", True)
    assert (second.label, second.is_whole, second.score[0]) == ("loss=dice", False, 0.99)


def test_pruned_jobs_come_after_the_finished_and_before_the_failed(tmp_path):
    write_job(tmp_path, 0, ["lr=1"], status="failed", error="no", val=0.99)
    write_job(tmp_path, 1, ["lr=2"], status="pruned", val=0.8)
    write_job(tmp_path, 2, ["lr=3"], status="pruned", val=0.9)
    write_job(tmp_path, 3, ["lr=4"], val=0.1)
    assert [c.jobs[0].number for c in _choices(tmp_path)] == [3, 2, 1, 0]


def test_one_value_in_two_spellings_is_one_choice(tmp_path):
    write_job(tmp_path, 0, ["optimizer.lr=1e-3", "seed=0"], val=0.5)
    write_job(tmp_path, 1, ["optimizer.lr=0.001", "seed=1"], val=0.6)
    (choice,) = _choices(tmp_path)
    assert len(choice.jobs) == 2


def test_a_sweep_over_seeds_alone_is_one_choice(tmp_path):
    for i in range(3):
        write_job(tmp_path, i, [f"seed={i}"], val=0.5)
    (choice,) = _choices(tmp_path)
    assert choice.made_of == "3 seeds"
    assert choice.label == "all runs"


def test_folders_of_unknown_overrides_stand_alone(tmp_path):
    for name in ("0", "1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text('{"status": "finished", "val/dice": 0.5}')
    assert [c.label for c in _choices(tmp_path)] == ["0", "1"]
