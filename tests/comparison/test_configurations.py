"""Seeds and folds of one configuration are brought together."""

import math

import numpy as np
import pytest

from seg.comparison.configurations import differing, gather
from seg.comparison.ranking import compare
from seg.comparison.runs import find, read_runs
from tests.comparison.written import config_of, counts_of, reference, write_run

SIZES = reference(12)
NAMES = [f"{i:02}" for i in range(12)]
RNG = np.random.default_rng(3)


def _write(root, folder, rows=range(12), quality=None, **changes):
    rows = list(rows)
    quality = RNG.beta(6, 2, 12) if quality is None else quality
    counts = counts_of(SIZES, quality)[rows]
    config = config_of(**{k.replace("__", "."): v for k, v in changes.items()})
    write_run(root / folder, counts=counts, cases=[NAMES[i] for i in rows], config=config)
    return counts


def _runs(root):
    return read_runs(find(str(root)), source="test", metric="dice")


def _dice(counts):
    tp, fp, fn, _ = np.moveaxis(counts, -1, 0)
    return np.where(tp + fp + fn > 0, 2 * tp / np.maximum(2 * tp + fp + fn, 1), 1.0)[:, 0]


FOLD = "dataset__split__fold"


def test_runs_that_differ_in_seed_name_and_place_are_one_and_in_anything_else_are_not(tmp_path):
    _write(tmp_path, "a", seed=0)
    _write(tmp_path, "b", seed=1, name="other", output_dir="x", dataset__split__seed=3)
    _write(tmp_path, "c", seed=2, resume="auto", init_from="w.ckpt", dataset__cache_dir="x")
    _write(tmp_path, "d", optimizer__lr=0.01)
    found = gather(_runs(tmp_path))
    assert [[run.name.rpartition("/")[2] for run in c.runs] for c in found] == [
        ["a", "b", "c"],
        ["d"],
    ]
    assert differing(c.runs[0] for c in found) == ["optimizer.lr"]


def test_seeds_give_mean_deviation_t_interval_and_case_means(tmp_path):
    counts = [_write(tmp_path, f"{s}", seed=s) for s in range(3)]
    entry = compare(_runs(tmp_path)).entries[0]
    means = [_dice(c).mean() for c in counts]
    assert entry.figures["dice"][0] == pytest.approx(np.mean(means), abs=1e-6)
    assert entry.seeds.n == 3
    assert entry.seeds.mean == pytest.approx(np.mean(means), abs=1e-6)
    assert entry.seeds.deviation == pytest.approx(np.std(means, ddof=1), abs=1e-6)
    half = 4.302653 * np.std(means, ddof=1) / math.sqrt(3)  # t with 2 degrees of freedom, 97.5 %
    assert entry.seeds.high - entry.seeds.mean == pytest.approx(half, rel=1e-4)
    assert entry.seeds.mean - entry.seeds.low == pytest.approx(half, rel=1e-4)
    assert entry.folds is None


def test_folds_are_pooled_to_what_one_table_of_all_cases_gives(tmp_path):
    quality = RNG.beta(6, 2, 12)
    parts = [range(0, 5), range(5, 9), range(9, 12)]
    folds = [
        _write(tmp_path / "folds", f"{k}", rows, quality, **{FOLD: k})
        for k, rows in enumerate(parts)
    ]
    _write(tmp_path / "whole", "0", range(12), quality)
    one = compare(_runs(tmp_path / "folds"))
    whole = compare(_runs(tmp_path / "whole"))
    assert one.cases == 12
    assert one.entries[0].figures == whole.entries[0].figures
    means = [_dice(c).mean() for c in folds]
    assert one.entries[0].folds.mean == pytest.approx(np.mean(means), abs=1e-6)
    assert one.entries[0].folds.deviation == pytest.approx(np.std(means, ddof=1), abs=1e-6)
    assert one.entries[0].seeds is None


def test_seeds_of_folds_are_pooled_by_seed_and_spread_over_both(tmp_path):
    parts = [range(0, 6), range(6, 12)]
    pooled = []
    for seed in range(2):
        quality = RNG.beta(6, 2, 12)
        both = [
            _write(tmp_path, f"s{seed}f{k}", rows, quality, seed=seed, **{FOLD: k})
            for k, rows in enumerate(parts)
        ]
        pooled.append(_dice(np.concatenate(both)).mean())
    entry = compare(_runs(tmp_path)).entries[0]
    assert (entry.seeds.n, entry.folds.n) == (2, 2)
    assert entry.seeds.deviation == pytest.approx(np.std(pooled, ddof=1), abs=1e-6)
    assert entry.figures["dice"][0] == pytest.approx(np.mean(pooled), abs=1e-6)


def test_folds_with_a_seed_each_are_folds(tmp_path):
    for k, rows in enumerate([range(0, 6), range(6, 12)]):
        _write(tmp_path, f"{k}", rows, seed=k, **{FOLD: k})
    entry = compare(_runs(tmp_path)).entries[0]
    assert entry.folds.n == 2
    assert entry.seeds is None


def test_a_seed_that_lacks_a_fold_is_left_out_and_that_is_said(tmp_path):
    for seed in range(3):
        for k, rows in enumerate([range(0, 6), range(6, 12)]):
            if (seed, k) != (1, 1):
                _write(tmp_path, f"s{seed}f{k}", rows, seed=seed, **{FOLD: k})
    found = compare(_runs(tmp_path))
    assert found.entries[0].seeds.n == 2
    assert any("seed 1 left out of all figures: no finished fold 1" in n for n in found.notes)


def test_missing_folds_are_said(tmp_path):
    for k in range(2):
        _write(tmp_path, f"{k}", range(4 * k, 4 * k + 4), **{FOLD: k, "dataset__split__folds": 3})
    assert any("2 of 3 folds" in note for note in compare(_runs(tmp_path)).notes)


def test_overlapping_test_sets_of_one_configuration_are_an_error_that_names_the_runs(tmp_path):
    _write(tmp_path, "a", range(0, 8), dataset__split__seed=0)
    _write(tmp_path, "b", range(5, 12), dataset__split__seed=1)
    with pytest.raises(
        ValueError, match=r"a and .*b have one configuration and share 3 of their 8"
    ):
        gather(_runs(tmp_path))
    (cut,) = gather(_runs(tmp_path), common=True)
    assert cut.tables[0].cases == cut.tables[1].cases == ("05", "06", "07")
    assert any("cut to the 3" in note for note in cut.notes)


def test_overlapping_folds_are_an_error(tmp_path):
    _write(tmp_path, "a", range(0, 8), **{FOLD: 0})
    _write(tmp_path, "b", range(5, 12), **{FOLD: 1})
    with pytest.raises(ValueError, match="neither seeds"):
        gather(_runs(tmp_path))


def test_repeats_of_one_seed_are_said(tmp_path):
    _write(tmp_path, "a", seed=4)
    _write(tmp_path, "b", seed=4)
    (found,) = gather(_runs(tmp_path))
    assert len(found.tables) == 2
    assert any("same seed" in note for note in found.notes)


def test_labels_are_names_and_where_these_are_equal_what_sets_them_apart(tmp_path):
    for seed in range(2):
        _write(tmp_path, f"a{seed}", seed=seed, name="one")
        _write(tmp_path, f"b{seed}", seed=seed, name="two", optimizer__lr=0.1)
        _write(tmp_path, f"c{seed}", seed=seed, name="two", optimizer__lr=0.2)
    assert [c.label for c in gather(_runs(tmp_path))] == ["one", "two lr=0.1", "two lr=0.2"]
