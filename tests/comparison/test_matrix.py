"""Configurations by data sets: figures, marks, and what is missing."""

import json

import numpy as np
import pytest

from seg.comparison.configurations import read_runs
from seg.comparison.matrix import make_matrix
from seg.runs.find import find
from tests.comparison.written import config_of, counts_of, reference, write_evaluation, write_run

SIZES = reference(40)


def _quality(level, seed=0):
    return np.random.default_rng(seed).beta(7, 3, len(SIZES)) + level


def _run(root, name, *, seed=0, lr=0.1, data="kvasir"):
    keys = {"dataset.name": data, "optimizer.lr": lr, "dataset.split.seed": 0}
    config = config_of(name=name, seed=seed, **keys)
    return write_run(root / f"{name}-{seed}", counts=counts_of(SIZES, _quality(0)), config=config)


def _evaluated(run, name, level, *, seed=0, **more):
    return write_evaluation(run, name, counts=counts_of(SIZES, _quality(level, seed)), **more)


def _matrix(root, *names, **options):
    return make_matrix(read_runs(find(str(root))), dict.fromkeys(names), **options)


def _stated(run, name, metric="dice"):
    path = run / "evaluate" / name / f"{name}.json"
    return json.loads(path.read_text())["metrics"][metric]


@pytest.mark.parametrize("metric", ["dice", "iou", "dice_pooled"])
def test_figures_and_intervals_are_those_of_each_json(tmp_path, metric):
    for k, level in enumerate((0, -0.2)):
        run = _run(tmp_path, f"c{k}", lr=k + 1)
        groups = [f"patient{i // 2}" for i in range(len(SIZES))]
        _evaluated(run, "test", level, groups=groups)
        _evaluated(run, "other", level - 0.3, groups=groups)
    matrix = _matrix(tmp_path, "test", "other", metric=metric)
    assert [column.name for column in matrix.columns] == ["test", "other"]
    for column in matrix.columns:
        for row, cell in zip(matrix.rows, column.cells, strict=True):
            stated = _stated(row.runs[0].folder.path, column.name, metric)
            assert cell.figure == pytest.approx(tuple(stated.values()), abs=2e-6)
            assert (cell.cases, cell.groups) == (40, 20)


def test_seeds_are_one_row_of_their_mean(tmp_path):
    for seed in (0, 1):
        _evaluated(_run(tmp_path, "c", seed=seed), "test", 0, seed=seed)
    matrix = _matrix(tmp_path, "test")
    (cell,) = matrix.columns[0].cells
    values = [_stated(tmp_path / f"c-{seed}", "test")["value"] for seed in (0, 1)]
    assert cell.figure.value == pytest.approx(np.mean(values), abs=2e-6)
    assert cell.runs == 2


def test_folds_on_another_data_set_are_averaged(tmp_path):
    for fold in (0, 1):
        config = config_of(name="c", **{"dataset.split.fold": fold, "dataset.split.folds": 2})
        cases = [f"images/{fold}_{i}.png" for i in range(40)]
        counts = counts_of(SIZES, _quality(0))
        run = write_run(tmp_path / f"{fold}", counts=counts, cases=cases, config=config)
        _evaluated(run, "test", 0, prefix=f"{fold}/")
        _evaluated(run, "other", 0, seed=fold)
    test, other = (column.cells[0] for column in _matrix(tmp_path, "test", "other").columns)
    assert (test.cases, other.cases) == (80, 40)
    values = [_stated(tmp_path / f"{fold}", "other")["value"] for fold in (0, 1)]
    assert other.figure.value == pytest.approx(np.mean(values), abs=2e-6)


def test_the_best_of_a_column_is_marked_only_where_a_test_shows_it(tmp_path):
    for k, (clear, equal) in enumerate([(0.0, 0), (-0.3, 0)]):
        run = _run(tmp_path, f"c{k}", lr=k + 1)
        _evaluated(run, "clear", clear)
        _evaluated(run, "equal", equal, seed=k)
    clear, equal = _matrix(tmp_path, "clear", "equal").columns
    assert [cell.is_best for cell in clear.cells] == [True, False]
    assert [cell.is_best for cell in equal.cells] == [False, False]


def test_the_best_of_one_alone_is_no_best(tmp_path):
    _evaluated(_run(tmp_path, "c"), "other", 0)
    assert not _matrix(tmp_path, "other").columns[0].cells[0].is_best


def test_a_networks_own_data_set_is_its_held_out_cases_in_a_cross_table(tmp_path):
    for k, (own, other) in enumerate([("kvasir", "wbc"), ("wbc", "kvasir")]):
        run = _run(tmp_path, f"c{k}", lr=k + 1, data=own)
        _evaluated(run, "test", 0, classes=(own,))
        _evaluated(run, other, -0.6, classes=(own,))
        all_cases = counts_of(SIZES, _quality(0.2))
        seen = {} if k else {"seen": {"train": 30, "val": 2}}  # an earlier version says nothing
        write_evaluation(run, own, counts=all_cases, classes=(own,), **seen)
    matrix = _matrix(tmp_path, "kvasir", "wbc")
    assert [matrix.trained_on(i) for i in (0, 1)] == ["kvasir", "wbc"]
    for k, column in enumerate(matrix.columns):
        assert [cell.is_own for cell in column.cells] == [k == 0, k == 1]
        own = _stated(matrix.rows[k].runs[0].folder.path, "test")["value"]
        assert column.cells[k].figure.value == pytest.approx(own, abs=2e-6)
        # each network calls the one class as it likes
        assert [cell.is_best for cell in column.cells] == [k == 0, k == 1]


def test_other_images_of_the_own_name_count_where_none_was_trained_on(tmp_path):
    run = _run(tmp_path, "c")
    _evaluated(run, "test", 0)
    _evaluated(run, "kvasir", -0.3, seen={})
    (cell,) = _matrix(tmp_path, "kvasir").columns[0].cells
    assert cell.figure.value == pytest.approx(_stated(run, "kvasir")["value"], abs=2e-6)


def test_a_network_that_was_trained_on_the_cases_is_told_and_never_the_best(tmp_path):
    for k, level in enumerate((0.2, -0.1, -0.4)):
        seen = {"train": 7} if k == 0 else {}
        _evaluated(_run(tmp_path, f"c{k}", lr=k + 1), "other", level, seen=seen)
    (column,) = _matrix(tmp_path, "other").columns
    assert [cell.seen for cell in column.cells] == [7, 0, 0]
    assert [cell.is_best for cell in column.cells] == [False, True, False]
    assert column.cells[0].figure is not None


def test_missing_and_broken_cells_leave_the_others(tmp_path):
    runs = [_run(tmp_path, f"c{k}", lr=k + 1) for k in range(3)]
    for k, run in enumerate(runs):
        _evaluated(run, "test", -0.1 * k)
    given = ["dataset=folder", "dataset.root=/data/other"]
    _evaluated(runs[0], "other", -0.3, given=given)
    (_evaluated(runs[1], "other", -0.4) / "other.json").write_text("{")
    test, other = _matrix(tmp_path, "test", "other").columns
    assert all(cell.figure for cell in test.cells)
    assert [cell.figure is None for cell in other.cells] == [False, True, True]
    assert "cannot be read" in other.cells[1].problem
    assert other.cells[2].missing == [runs[2]]
    assert other.given == given


def test_a_seed_without_the_result_is_counted_as_missing(tmp_path):
    runs = [_run(tmp_path, "c", seed=seed) for seed in (0, 1)]
    _evaluated(runs[1], "other", 0)
    (cell,) = _matrix(tmp_path, "other").columns[0].cells
    assert (cell.runs, cell.missing) == (1, [runs[0]])


def test_different_cases_have_figures_but_no_best(tmp_path):
    for k, prefix in enumerate(("a/", "b/")):
        _evaluated(_run(tmp_path, f"c{k}", lr=k + 1), "test", -0.4 * k, prefix=prefix)
    (column,) = _matrix(tmp_path, "test").columns
    assert all(cell.figure and not cell.is_best for cell in column.cells)
    assert any("common=true" in note for note in column.notes)


def test_common_cases_by_option(tmp_path):
    run = _run(tmp_path, "c0", lr=1)
    _evaluated(run, "other", 0)
    run = _run(tmp_path, "c1", lr=2)
    write_evaluation(run, "other", counts=counts_of(SIZES, _quality(-0.4))[:30])
    (column,) = _matrix(tmp_path, "other", common=True).columns
    assert [cell.cases for cell in column.cells] == [30, 30]
    assert [cell.is_best for cell in column.cells] == [True, False]


def test_unfinished_runs_are_left_out(tmp_path):
    _evaluated(_run(tmp_path, "c"), "test", 0)
    counts = counts_of(SIZES, _quality(0))
    write_run(tmp_path / "late", counts=counts, status="running", config=config_of(name="l"))
    matrix = _matrix(tmp_path, "test")
    assert len(matrix.rows) == 1
    assert [run.status for run in matrix.left_out] == ["running"]


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (["tset"], {}, r"datasets=tset: .*nearest: test"),
        (["test"], {"metric": "dicee"}, r"metric=dicee.*nearest: dice"),
        (["val"], {}, r"datasets=val: no figure"),
    ],
)
def test_what_cannot_be_shown_at_all_is_refused(tmp_path, names, options, message):
    _evaluated(_run(tmp_path, "c"), "test", 0)
    with pytest.raises(ValueError, match=message):
        _matrix(tmp_path, *names, **options)


def test_no_finished_run_is_refused(tmp_path):
    counts = counts_of(SIZES, _quality(0))
    write_run(tmp_path / "late", counts=counts, status="failed")
    with pytest.raises(ValueError, match="none of 1 runs has finished"):
        _matrix(tmp_path, "test")
