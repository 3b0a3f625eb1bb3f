"""What the test shows of the choice: against independent references, on the same cases."""

import csv
import itertools
import math

import numpy as np
import pytest

from seg.comparison.sweep_jobs import read_jobs
from seg.comparison.sweep_test import (
    by_validation,
    compare_with_first,
    result_of,
    validation_cautions,
)
from tests.comparison.sweep_written import CASES, write_job

FEW = slice(0, 10)


def _configurations(folder):
    return by_validation(read_jobs(folder))


def _tested(folder):
    configurations = _configurations(folder)
    return configurations, compare_with_first(configurations)


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
    configurations, tested = _tested(tmp_path)
    dice = [c.runs[0].table.values["dice"][:, 0] for c in configurations]
    expected = _reference_holm({i: _reference_sign_flips(dice[0] - dice[i]) for i in (1, 2, 3)})
    assert {i: pair.p_holm for i, pair in tested.pairs.items()} == pytest.approx(expected)
    for i, pair in tested.pairs.items():
        assert pair.difference == pytest.approx(np.mean(dice[0] - dice[i]))


def test_validation_chooses_and_the_test_may_show_the_choice_to_be_worse(tmp_path):
    write_job(tmp_path, 0, ["k=0"], val=0.9, shift=-0.15)
    write_job(tmp_path, 1, ["k=1"], val=0.8, shift=0.0)
    write_job(tmp_path, 2, ["k=2"], val=0.7, shift=-0.3)
    configurations, tested = _tested(tmp_path)
    assert configurations[0].label == "k=0"
    assert [result_of(tested.pairs[i]) for i in (1, 2)] == ["worse", "better"]


def test_equals_are_not_told_apart(tmp_path):
    for i in range(3):
        write_job(tmp_path, i, [f"k={i}"], val=0.9 - i / 10)
    _, tested = _tested(tmp_path)
    assert {result_of(pair) for pair in tested.pairs.values()} == {"not shown"}


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
    configurations, tested = _tested(tmp_path)
    assert tested.problem == ""
    assert set(tested.entries) == {0, 1}
    assert configurations[2].label == "k=1"
    assert any("lack some of their runs" in note for note in tested.notes)


def test_differing_cases_are_not_compared_and_the_reason_names_the_configuration(tmp_path):
    write_job(tmp_path, 0, ["k=0"], val=0.9)
    write_job(tmp_path, 1, ["k=1"], val=0.8, cases=slice(0, 30))
    write_job(tmp_path, 2, ["k=2"], val=0.7)
    _, tested = _tested(tmp_path)
    assert tested.pairs == {}
    assert "k=1" in tested.problem
    assert "10 cases missing" in tested.problem


def test_too_few_cases_to_show_anything_are_noted(tmp_path):
    for i in range(3):
        write_job(tmp_path, i, [f"k={i}"], val=0.9, cases=slice(0, 4))
    _, tested = _tested(tmp_path)
    assert any("too few" in note for note in tested.notes)


def test_one_run_and_none_are_compared_with_nothing(tmp_path):
    assert compare_with_first([]).problem == ""
    write_job(tmp_path, 0, ["k=0"], val=0.9)
    _, tested = _tested(tmp_path)
    assert (tested.pairs, tested.problem, set(tested.entries)) == ({}, "", {0})


def _split(folder, images):
    with (folder / "split.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["image", "mask", "group", "split", "image_sha256", "mask_sha256"])
        for image in images:
            writer.writerow([image, image, image, "val", f"sha-{image}", "m"])
        writer.writerow(["t", "t", "t", "train", f"sha-{folder.name}", "m"])


def _cautions(folder):
    return validation_cautions(by_validation(read_jobs(folder)))


def test_the_same_images_are_no_caution(tmp_path):
    for k in range(2):
        _split(write_job(tmp_path, k, [f"k={k}"], val=0.5), "abc")
    assert _cautions(tmp_path) == []


def test_other_images_are_one(tmp_path):
    for k in range(2):
        _split(write_job(tmp_path, k, [f"k={k}"], val=0.5), ["abc", "abd"][k])
    assert "different images" in _cautions(tmp_path)[0]


def test_folds_validate_on_different_images_and_choices_on_the_same(tmp_path):
    i = 0
    for k in range(2):
        for fold, images in enumerate(("abc", "def")):
            lines = [f"k={k}", f"dataset.split.fold={fold}"]
            _split(write_job(tmp_path, i, lines, val=0.5), images)
            i += 1
    assert _cautions(tmp_path) == []


def test_a_size_that_differs_is_one(tmp_path):
    for k in range(2):
        write_job(tmp_path, k, [f"k={k}"], val=0.5, **{"dataset.image_size": 64 * (k + 1)})
    (caution,) = _cautions(tmp_path)
    assert caution.startswith("dataset.image_size differs")


def test_a_split_that_cannot_be_read_is_no_caution(tmp_path):
    _split(write_job(tmp_path, 0, ["k=0"], val=0.5), "abc")
    write_job(tmp_path, 1, ["k=1"], val=0.5)
    (tmp_path / "1_k=1" / "split.csv").write_text('image,"')
    assert _cautions(tmp_path) == []


def test_the_order_is_of_validation_whatever_the_test_says(tmp_path):
    for i, (val, shift) in enumerate([(0.6, 0.2), (0.8, -0.3), (0.7, 0.0)]):
        write_job(tmp_path, i, [f"model.width={i}"], val=val, shift=shift)
    assert [c.label for c in _configurations(tmp_path)] == [f"model.width={i}" for i in (1, 2, 0)]


def test_seeds_and_folds_are_one_choice_with_their_mean_and_spread(tmp_path):
    i = 0
    for loss, scores in (("bce", [0.5, 0.6, 0.7, 0.8]), ("dice", [0.9, 0.4, 0.5, 0.6])):
        for (seed, fold), val in zip([(0, 0), (0, 1), (1, 0), (1, 1)], scores, strict=True):
            lines = [f"loss={loss}", f"seed={seed}", f"dataset.split.fold={fold}"]
            write_job(tmp_path, i, lines, val=val)
            i += 1
    bce, dice = _configurations(tmp_path)
    assert (bce.label, dice.label) == ("loss=bce", "loss=dice")
    assert bce.made_of == "2 seeds x 2 folds"
    assert bce.validation.mean == pytest.approx(0.65)
    assert bce.validation.deviation == pytest.approx(math.sqrt(0.05 / 3))
    assert dice.validation.mean == pytest.approx(0.6)


def test_a_choice_that_lacks_a_fold_comes_after_those_that_are_whole(tmp_path):
    for i, (loss, fold, val) in enumerate(
        [("bce", 0, 0.5), ("bce", 1, 0.5), ("dice", 0, 0.99), ("dice", 1, None)]
    ):
        status = "finished" if val else "failed"
        lines = [f"loss={loss}", f"dataset.split.fold={fold}"]
        write_job(tmp_path, i, lines, val=val, status=status)
    first, second = _configurations(tmp_path)
    assert (first.label, first.is_complete) == ("loss=bce", True)
    assert (second.label, second.is_complete, second.validation.mean) == ("loss=dice", False, 0.99)


def test_pruned_jobs_come_after_the_finished_and_before_the_failed(tmp_path):
    write_job(tmp_path, 0, ["lr=1"], status="failed", error="no", val=0.99)
    write_job(tmp_path, 1, ["lr=2"], status="pruned", val=0.8)
    write_job(tmp_path, 2, ["lr=3"], status="pruned", val=0.9)
    write_job(tmp_path, 3, ["lr=4"], val=0.1)
    assert [c.runs[0].number for c in _configurations(tmp_path)] == [3, 2, 1, 0]


def test_one_value_in_two_spellings_is_one_choice(tmp_path):
    write_job(tmp_path, 0, ["optimizer.lr=1e-3", "seed=0"], val=0.5)
    write_job(tmp_path, 1, ["optimizer.lr=0.001", "seed=1"], val=0.6)
    (configuration,) = _configurations(tmp_path)
    assert len(configuration.runs) == 2


def test_a_sweep_over_seeds_alone_is_one_choice(tmp_path):
    for i in range(3):
        write_job(tmp_path, i, [f"seed={i}"], val=0.5)
    (configuration,) = _configurations(tmp_path)
    assert configuration.made_of == "3 seeds"
    assert configuration.label == "all runs"


def test_folders_of_unknown_overrides_stand_alone(tmp_path):
    for name in ("0", "1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text('{"status": "finished", "val/dice": 0.5}')
    assert [c.label for c in _configurations(tmp_path)] == ["0", "1"]
