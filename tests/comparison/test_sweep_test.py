"""What the test shows of the choice: against independent references, on the same cases."""

import itertools

import numpy as np
import pytest

from seg.comparison.choices import by_validation
from seg.comparison.sweep_jobs import read_jobs
from seg.comparison.sweep_test import compare_with_first, says
from tests.comparison.sweep_written import CASES, write_job

FEW = slice(0, 10)


def _tested(folder):
    choices = by_validation(read_jobs(folder))
    return choices, compare_with_first(choices)


def _reference_sign_flips(differences):
    """Two-sided p-value by all sign flips, in a loop."""
    observed, hits = abs(sum(differences)), 0
    for signs in itertools.product((1, -1), repeat=len(differences)):
        hits += abs(sum(s * d for s, d in zip(signs, differences, strict=True))) >= observed - 1e-9
    return hits / 2 ** len(differences)


def _reference_holm(p):
    adjusted, highest = {}, 0.0
    for rank, name in enumerate(sorted(p, key=p.get)):
        highest = max(highest, min(1.0, p[name] * (len(p) - rank)))
        adjusted[name] = highest
    return adjusted


def test_p_values_are_of_sign_flips_after_holm_over_the_others_alone(tmp_path):
    for i, shift in enumerate([0.0, -0.05, -0.15, 0.03]):
        write_job(tmp_path, i, [f"k={i}"], val=0.9 - i / 10, shift=shift, cases=FEW)
    choices, tested = _tested(tmp_path)
    dice = [c.jobs[0].run.table.values["dice"][:, 0] for c in choices]
    expected = _reference_holm({i: _reference_sign_flips(dice[0] - dice[i]) for i in (1, 2, 3)})
    assert {i: pair.p_holm for i, pair in tested.pairs.items()} == pytest.approx(expected)
    for i, pair in tested.pairs.items():
        assert pair.difference == pytest.approx(np.mean(dice[0] - dice[i]))


def test_the_choice_is_of_validation_and_one_that_the_test_shows_worse_is_said_so(tmp_path):
    write_job(tmp_path, 0, ["k=0"], val=0.9, shift=-0.15)
    write_job(tmp_path, 1, ["k=1"], val=0.8, shift=0.0)
    write_job(tmp_path, 2, ["k=2"], val=0.7, shift=-0.3)
    choices, tested = _tested(tmp_path)
    assert choices[0].label == "k=0"
    assert [says(tested.pairs[i]) for i in (1, 2)] == ["worse", "better"]


def test_equals_are_not_told_apart(tmp_path):
    for i in range(3):
        write_job(tmp_path, i, [f"k={i}"], val=0.9 - i / 10)
    _, tested = _tested(tmp_path)
    assert {says(pair) for pair in tested.pairs.values()} == {"not shown"}


def test_folds_are_pooled_and_corrected_for_all_pairs(tmp_path):
    i = 0
    for k in range(3):
        for fold, cases in enumerate((slice(0, 20), slice(20, CASES))):
            lines = [f"k={k}", f"dataset.split.fold={fold}"]
            write_job(tmp_path, i, lines, val=0.9 - k / 10, shift=-k / 50, cases=cases)
            i += 1
    _, tested = _tested(tmp_path)
    assert tested.is_pooled
    assert tested.cases == CASES
    p = {i: pair.p for i, pair in tested.pairs.items()}
    first = min(p, key=p.get)
    assert tested.pairs[first].p_holm == pytest.approx(min(1.0, 3 * p[first]))


def test_a_choice_that_lacks_a_fold_is_left_out_and_the_others_are_tested(tmp_path):
    for i, (k, fold) in enumerate(itertools.product("012", "01")):
        cases = slice(0, 20) if fold == "0" else slice(20, CASES)
        status = "failed" if (k, fold) == ("1", "1") else "finished"
        lines = [f"k={k}", f"dataset.split.fold={fold}"]
        write_job(tmp_path, i, lines, val=0.9, status=status, cases=cases)
    choices, tested = _tested(tmp_path)
    assert tested.problem == ""
    assert set(tested.entries) == {0, 1}
    assert choices[2].label == "k=1"
    assert any("lack some of their runs" in note for note in tested.notes)


def test_differing_cases_are_not_compared_and_the_reason_names_the_configuration(tmp_path):
    write_job(tmp_path, 0, ["k=0"], val=0.9)
    write_job(tmp_path, 1, ["k=1"], val=0.8, cases=slice(0, 30))
    write_job(tmp_path, 2, ["k=2"], val=0.7)
    _, tested = _tested(tmp_path)
    assert tested.pairs == {}
    assert "k=1" in tested.problem
    assert "10 cases missing" in tested.problem


def test_too_few_cases_to_show_anything_are_said(tmp_path):
    for i in range(3):
        write_job(tmp_path, i, [f"k={i}"], val=0.9, cases=slice(0, 4))
    _, tested = _tested(tmp_path)
    assert any("too few" in note for note in tested.notes)


def test_one_run_and_none_are_compared_with_nothing(tmp_path):
    assert compare_with_first([]).problem == ""
    write_job(tmp_path, 0, ["k=0"], val=0.9)
    _, tested = _tested(tmp_path)
    assert (tested.pairs, tested.problem, set(tested.entries)) == ({}, "", {0})
