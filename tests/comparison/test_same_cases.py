"""Seeds are averaged and folds pooled; runs that were tested on other cases are not ranked."""

import math

import numpy as np
import pytest

from seg.comparison.configurations import by_config, read_runs
from seg.comparison.ranking import compare
from seg.comparison.same_cases import pool_runs
from seg.runs.find import find
from tests.comparison.written import config_of, counts_of, reference, write_run

SIZES = reference(10, empty=0)
NAMES = [f"im/{i}.png" for i in range(10)]
BASE = counts_of(SIZES, np.full(10, 0.8))


def _write(root, name, counts=BASE, cases=NAMES, **about):
    write_run(root / name, counts=counts, cases=cases, config=config_of(name=name, **{
        "optimizer.lr": len(list(root.iterdir())) / 100}), **about)  # fmt: skip


def _compare(root, **options):
    return compare(read_runs(find(str(root))), **options)


@pytest.fixture
def root(tmp_path):
    for name in ("a", "b"):
        _write(tmp_path, name)
    return tmp_path


def test_missing_and_extra_cases_are_counted_and_named(root):
    _write(root, "odd", cases=["x.png", "y.png", *NAMES[2:]])
    with pytest.raises(ValueError) as caught:
        _compare(root)
    text = str(caught.value)
    assert "odd: 2 cases missing (im/0.png, im/1.png), 2 cases extra (x.png, y.png)" in text
    assert "common=true" in text
    assert "  a:" not in text


def test_the_odd_one_is_named_also_when_it_comes_first(tmp_path):
    _write(tmp_path, "a", counts=BASE[:9], cases=NAMES[:9])
    _write(tmp_path, "b")
    _write(tmp_path, "c")
    with pytest.raises(ValueError, match=r"  a: 1 cases missing \(im/9.png\)"):
        _compare(tmp_path)


def test_other_masks_are_recognized_by_their_pixels(root):
    counts = BASE.copy()
    counts[3, 0] += [-5, 0, 0, 5]  # five pixels fewer in the reference, the image as large
    _write(root, "odd", counts=counts)
    with pytest.raises(ValueError, match=r"odd: 1 cases with other masks \(im/3.png: polyp has"):
        _compare(root)
    with pytest.raises(ValueError, match="other masks"):
        _compare(root, common=True)


def test_another_image_size_is_named_as_the_reason(root):
    _write(root, "odd", counts=4 * BASE)
    with pytest.raises(ValueError, match=r"odd: 10 cases at another image size.*16384 .* 4096"):
        _compare(root)


def test_other_classes_are_named(root):
    _write(root, "odd", classes=["tumour"])
    with pytest.raises(ValueError, match="odd: classes tumour instead of polyp"):
        _compare(root)


def test_common_cases_are_compared_with_a_note(root):
    counts = counts_of(SIZES, np.linspace(0.5, 0.9, 10))
    _write(root, "odd", counts=counts[4:], cases=NAMES[4:])
    comparison = _compare(root, common=True)
    assert comparison.cases == 6
    values = {e.label: e.figures["dice"][0] for e in comparison.entries}
    tp, fp, fn, _ = counts[4:, 0].T
    assert values["odd"] == pytest.approx((2 * tp / (2 * tp + fp + fn)).mean(), abs=1e-6)
    assert any("on the 6 cases that all have, of 6 to 10" in note for note in comparison.notes)


def test_no_common_case_is_an_error(root):
    _write(root, "odd", cases=[f"x{i}" for i in range(10)])
    with pytest.raises(ValueError, match="share no test case"):
        _compare(root, common=True)


def test_a_figure_that_is_missing_for_some_cases_of_one_run_is_not_compared(root):
    for name in ("a", "b"):
        file = root / name / "test_cases.csv"
        head, *lines = file.read_text().splitlines()
        file.write_text("\n".join([f"{head},hd95", *(f"{line},3.5" for line in lines)]))
    assert _compare(root, metric="hd95").entries[0].figures["hd95"][0] == 3.5
    file = root / "b" / "test_cases.csv"
    file.write_text(file.read_text()[:-3])  # a missed lesion that would drop out of the mean
    with pytest.raises(ValueError, match=r"hd95 is there for other cases \(im/9.png\)"):
        _compare(root, metric="hd95")


def test_the_coarsest_groups_count(root):
    _write(root, "c", groups=[f"p{i // 5}" for i in range(10)])
    comparison = _compare(root)
    assert comparison.groups == 2
    assert any("group the cases differently" in note for note in comparison.notes)


PARTS = [f"{i:02}" for i in range(12)]
PART_SIZES = reference(12)
RNG = np.random.default_rng(3)
FOLD = "dataset__split__fold"


def _write_part(root, folder, rows=range(12), quality=None, **changes):
    rows = list(rows)
    quality = RNG.beta(6, 2, 12) if quality is None else quality
    counts = counts_of(PART_SIZES, quality)[rows]
    config = config_of(**{k.replace("__", "."): v for k, v in changes.items()})
    write_run(root / folder, counts=counts, cases=[PARTS[i] for i in rows], config=config)
    return counts


def _pooled(root, **options):
    (one,) = by_config(read_runs(find(str(root))))
    return pool_runs(one.label, one.runs, **options)


def _dice(counts):
    tp, fp, fn, _ = np.moveaxis(counts, -1, 0)
    return np.where(tp + fp + fn > 0, 2 * tp / np.maximum(2 * tp + fp + fn, 1), 1.0)[:, 0]


def test_seeds_give_mean_deviation_t_interval_and_case_means(tmp_path):
    counts = [_write_part(tmp_path, f"{s}", seed=s) for s in range(3)]
    entry = _compare(tmp_path).entries[0]
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
        _write_part(tmp_path / "folds", f"{k}", rows, quality, **{FOLD: k})
        for k, rows in enumerate(parts)
    ]
    _write_part(tmp_path / "whole", "0", range(12), quality)
    one = _compare(tmp_path / "folds")
    whole = _compare(tmp_path / "whole")
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
            _write_part(tmp_path, f"s{seed}f{k}", rows, quality, seed=seed, **{FOLD: k})
            for k, rows in enumerate(parts)
        ]
        pooled.append(_dice(np.concatenate(both)).mean())
    entry = _compare(tmp_path).entries[0]
    assert (entry.seeds.n, entry.folds.n) == (2, 2)
    assert entry.seeds.deviation == pytest.approx(np.std(pooled, ddof=1), abs=1e-6)
    assert entry.figures["dice"][0] == pytest.approx(np.mean(pooled), abs=1e-6)


def test_folds_with_a_seed_each_are_folds(tmp_path):
    for k, rows in enumerate([range(0, 6), range(6, 12)]):
        _write_part(tmp_path, f"{k}", rows, seed=k, **{FOLD: k})
    entry = _compare(tmp_path).entries[0]
    assert entry.folds.n == 2
    assert entry.seeds is None


def test_a_seed_that_lacks_a_fold_is_left_out_with_a_note(tmp_path):
    for seed in range(3):
        for k, rows in enumerate([range(0, 6), range(6, 12)]):
            if (seed, k) != (1, 1):
                _write_part(tmp_path, f"s{seed}f{k}", rows, seed=seed, **{FOLD: k})
    comparison = _compare(tmp_path)
    assert comparison.entries[0].seeds.n == 2
    assert any("seed 1 left out of all figures: no finished fold 1" in n for n in comparison.notes)


def test_missing_folds_are_noted(tmp_path):
    for k in range(2):
        _write_part(
            tmp_path, f"{k}", range(4 * k, 4 * k + 4), **{FOLD: k, "dataset__split__folds": 3}
        )
    assert any("2 of 3 folds" in note for note in _compare(tmp_path).notes)


def test_overlapping_test_sets_of_one_configuration_are_an_error_that_names_the_runs(tmp_path):
    _write_part(tmp_path, "a", range(0, 8), dataset__split__seed=0)
    _write_part(tmp_path, "b", range(5, 12), dataset__split__seed=1)
    with pytest.raises(
        ValueError, match=r"a and .*b have one configuration and share 3 of their 8"
    ):
        _pooled(tmp_path)
    cut = _pooled(tmp_path, common=True)
    assert cut.tables[0].cases == cut.tables[1].cases == ("05", "06", "07")
    assert any("cut to the 3" in note for note in cut.notes)


def test_overlapping_folds_are_an_error(tmp_path):
    _write_part(tmp_path, "a", range(0, 8), **{FOLD: 0})
    _write_part(tmp_path, "b", range(5, 12), **{FOLD: 1})
    with pytest.raises(ValueError, match="neither seeds"):
        _pooled(tmp_path)


def test_repeats_of_one_seed_are_noted(tmp_path):
    _write_part(tmp_path, "a", seed=4)
    _write_part(tmp_path, "b", seed=4)
    configuration = _pooled(tmp_path)
    assert len(configuration.tables) == 2
    assert any("same seed" in note for note in configuration.notes)
