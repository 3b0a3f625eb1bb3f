"""Splits are by group, of the configured size, alike in foreground, and reproducible."""

import itertools
import random
import warnings
from collections import Counter

import numpy as np
import pytest

from seg.data.split.draw import check_sizes, draw, fingerprint

SIZES = {"val": 0.2, "test": 0.2, "seed": 0}


def cohort(patients: int, frames: int, empty: int = 0) -> tuple[list[str], list[bool]]:
    """The last `empty` patients have no foreground."""
    groups = [f"p{i:02d}" for i in range(patients) for _ in range(frames)]
    positive = [i < patients - empty for i in range(patients) for _ in range(frames)]
    return groups, positive


def uneven(seed: int, patients: int) -> tuple[list[str], list[float]]:
    """Patients of 1 to 20 cases, a fifth of which have no foreground; cases in any order."""
    rng = random.Random(seed)
    cases = []
    for patient in range(patients):
        size = rng.randint(1, 20)
        typical = 0.0 if rng.random() < 0.2 else rng.lognormvariate(-3, 1)
        cases += [(f"p{patient}", typical * rng.uniform(0.5, 1.5)) for _ in range(size)]
    rng.shuffle(cases)
    return [g for g, _ in cases], [share for _, share in cases]


def divided(groups: list[str], labels: list[str]) -> list[str]:
    """Groups that lie in more than one split."""
    splits_of = Counter(group for group, _ in set(zip(groups, labels, strict=True)))
    return [group for group, count in splits_of.items() if count > 1]


# Groups and sizes.


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_divided(seed: int) -> None:
    groups, positive = cohort(20, 7)
    labels = draw(groups, positive, val=0.2, test=0.2, seed=seed)
    assert divided(groups, labels) == []
    assert Counter(labels) == {"train": 84, "val": 28, "test": 28}


@pytest.mark.parametrize("folds", [None, 4])
@pytest.mark.parametrize("seed", range(25))
def test_no_group_is_divided_whatever_their_sizes(seed: int, folds: int | None) -> None:
    groups, share = uneven(seed, patients=4 + 3 * seed)
    fold = None if folds is None else seed % folds
    labels = draw(groups, share, val=0.15, test=0.15, seed=seed, folds=folds, fold=fold)
    assert divided(groups, labels) == []
    assert set(labels) == {"train", "val", "test"}
    if len(set(groups)) > 20:
        assert labels.count("val") == pytest.approx(0.15 * len(labels), rel=0.06, abs=2)


def _reference_nearest(sizes: list[int], count: int) -> int:
    """How near the best set of groups comes to `count` cases, by trying every set."""
    sums = {
        sum(some) for k in range(1, len(sizes) - 1) for some in itertools.combinations(sizes, k)
    }
    return min(abs(cases - count) for cases in sums)


def test_sizes_are_met_nearly_as_well_as_the_best_choice_of_groups_would() -> None:
    """The draw is at random and along the order of foreground, and so not the best in size: it
    may miss by a twentieth of the split as it likes, and by an eighth of all cases where a few
    groups hold nearly all.
    """
    excess = []
    for seed in range(120):
        rng = random.Random(seed)
        largest = rng.choice([3, 12, 40])
        sizes = [rng.randint(1, largest) for _ in range(rng.randint(5, 10))]
        groups = [f"g{i}" for i, size in enumerate(sizes) for _ in range(size)]
        labels = draw(groups, [rng.random() for _ in groups], val=0.1, test=0.2, seed=seed)
        count = max(1, round(0.2 * len(groups)))
        missed = abs(labels.count("test") - count)
        excess.append((missed - _reference_nearest(sizes, count)) / len(groups))
    assert np.mean(excess) < 0.025
    assert max(excess) < 0.125


def test_beside_one_giant_as_many_small_groups_are_taken_as_are_needed() -> None:
    groups = ["giant"] * 60 + [f"p{i:02d}" for i in range(20) for _ in range(2)]
    for seed in range(5):
        labels = draw(groups, [1.0] * 100, val=0.1, test=0.2, seed=seed)
        assert labels.count("test") == pytest.approx(20, abs=1)
        assert labels.count("val") == pytest.approx(10, abs=1)


def test_the_group_that_brings_foreground_is_chosen_for_its_size() -> None:
    groups = [f"empty{i}" for i in range(20)] + ["a"] * 40 + ["b"] * 2 + ["c"] * 38
    share = [0.0] * 20 + [1.0] * 80
    for seed in range(10):
        labels = draw(groups, share, val=0.0, test=2, seed=seed)
        assert [g for g, label in zip(groups, labels, strict=True) if label == "test"] == ["b", "b"]


def test_counts_are_taken_as_counts() -> None:
    groups, positive = cohort(40, 1)
    labels = draw(groups, positive, val=5, test=7, seed=0)
    assert Counter(labels) == {"train": 28, "val": 5, "test": 7}


def test_a_size_of_zero_draws_nothing() -> None:
    groups, positive = cohort(10, 2)
    assert set(draw(groups, positive, val=0.0, test=0.0, seed=0)) == {"train"}
    assert set(draw(groups, positive, val=0.2, test=0.0, seed=0)) == {"train", "val"}


@pytest.mark.parametrize(("patients", "frames"), [(4, 50), (3, 9)])
def test_a_few_large_groups_still_fill_all_splits(patients: int, frames: int) -> None:
    groups, positive = cohort(patients, frames)
    for share in (0.1, 0.3):
        labels = draw(groups, positive, val=0.1, test=share, seed=0)
        assert set(labels) == {"train", "val", "test"}


def test_one_giant_among_small_groups_leaves_a_group_for_each_split() -> None:
    labels = draw(["a", "b"] + ["giant"] * 50, [1.0] * 52, val=0.1, test=0.1, seed=0)
    assert set(labels) == {"train", "val", "test"}


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(ValueError, match=r"dataset\.split\.test.*dataset\.group"):
        draw(["one"] * 20, [True] * 20, **SIZES)
    with pytest.raises(ValueError, match=r"dataset\.split\.folds=5"):
        draw(["a", "b"] * 5, [True] * 10, val=0.1, test=0, seed=0, folds=5, fold=0)
    with pytest.raises(ValueError, match=r"dataset\.split\.test.* 30 .* 20 "):
        draw(*cohort(20, 1), val=1, test=30, seed=0)


# Foreground.


def _deviations(share: np.ndarray, labels: list[str]) -> list[float]:
    """How far the mean foreground of val and of test lies from that of all, as a share of it."""
    at = np.array(labels)
    return [abs(share[at == name].mean() / share.mean() - 1) for name in ("val", "test")]


def test_splits_are_more_alike_in_foreground_than_random_ones() -> None:
    """200 cohorts of 100 patients. Random splits are off by a quarter, these by a tenth."""
    drawn, at_random = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        share = rng.lognormal(-3, 1, 100) * (rng.random(100) > 0.15)
        groups = [f"p{i}" for i in range(100)]
        sizes = {"val": 0.15, "test": 0.15, "seed": seed}
        drawn.append(_deviations(share, draw(groups, share.tolist(), **sizes)))
        labels = ["val"] * 15 + ["test"] * 15 + ["train"] * 70
        at_random.append(_deviations(share, rng.permutation(labels).tolist()))
    assert np.mean(at_random) > 0.2
    assert np.mean(drawn) < 0.55 * np.mean(at_random)
    assert np.quantile(drawn, 0.95) < 0.7 * np.quantile(at_random, 0.95)


def test_every_split_spans_the_whole_range_of_foreground() -> None:
    """Every run of five neighbours in the order of foreground gives one to test."""
    groups, share = [f"p{i:03d}" for i in range(100)], [i / 100 for i in range(100)]
    for seed in range(5):
        labels = draw(groups, share, val=0.0, test=0.2, seed=seed)
        tested = [i // 5 for i, label in enumerate(labels) if label == "test"]
        assert tested == list(range(20))


@pytest.mark.parametrize("distinct", [False, True])
def test_cases_are_drawn_with_equal_chances(distinct: bool) -> None:
    """Over many seeds, every case is tested sometimes and left out sometimes."""
    groups, share = cohort(40, 1, empty=8)
    share = [i * s for i, s in enumerate(share)] if distinct else share
    tested: Counter[str] = Counter()
    for seed in range(300):
        labels = draw(groups, share, val=0.0, test=0.2, seed=seed)
        tested.update(g for g, label in zip(groups, labels, strict=True) if label == "test")
    # 300 draws of probability 0.2 deviate by 7 from 60: five times that would be no accident
    assert set(tested) == set(groups)
    assert min(tested.values()) > 25
    assert max(tested.values()) < 95


def test_any_two_groups_of_equal_foreground_may_be_drawn_together() -> None:
    groups, share = cohort(8, 1)
    drawn = set()
    for seed in range(300):
        labels = draw(groups, share, val=0.0, test=2, seed=seed)
        drawn.add(tuple(g for g, label in zip(groups, labels, strict=True) if label == "test"))
    assert drawn == set(itertools.combinations(groups, 2))


def test_empty_groups_are_spread_over_the_splits() -> None:
    for seed in range(10):
        groups, positive = cohort(50, 1, empty=10)
        labels = draw(groups, positive, val=0.2, test=0.2, seed=seed)
        empty = Counter(label for label, p in zip(labels, positive, strict=True) if not p)
        assert empty == {"train": 6, "val": 2, "test": 2}


def test_no_split_is_left_without_foreground_where_there_is_some_for_all() -> None:
    for seed in range(20):
        groups, positive = cohort(30, 1, empty=26)
        labels = draw(groups, positive, val=1, test=1, seed=seed)
        with_foreground = Counter(label for label, p in zip(labels, positive, strict=True) if p)
        assert with_foreground == {"train": 2, "val": 1, "test": 1}


# Folds.


@pytest.mark.parametrize("seed", range(3))
def test_folds_cover_every_case_once(seed: int) -> None:
    groups, share = uneven(seed, patients=23)
    seen: Counter[int] = Counter()
    for fold in range(5):
        labels = draw(groups, share, val=0.1, test=0.0, seed=seed, folds=5, fold=fold)
        assert divided(groups, labels) == []
        assert "val" in labels
        seen.update(i for i, label in enumerate(labels) if label == "test")
    assert seen == dict.fromkeys(range(len(groups)), 1)


def test_folds_are_alike_in_foreground_and_in_empty_cases() -> None:
    """100 patients of one case; folds at random differ far more."""
    spreads, empties = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        share = rng.lognormal(-3, 1, 100) * (np.arange(100) >= 15)
        groups = [f"p{i:02d}" for i in range(100)]

        def means(parts: list[np.ndarray], share: np.ndarray = share) -> float:
            return float(np.std([share[part].mean() for part in parts]) / share.mean())

        parts = []
        for fold in range(5):
            sizes = {"val": 0.1, "test": 0.0, "seed": seed, "folds": 5, "fold": fold}
            labels = np.array(draw(groups, share.tolist(), **sizes))
            parts.append(labels == "test")
            empties.append(np.count_nonzero(share[parts[-1]] == 0))
        at_random = np.split(rng.permutation(100), 5)
        spreads.append((means(parts), means(at_random)))
    drawn, random_ones = np.mean(spreads, axis=0)
    assert drawn < 0.75 * random_ones
    assert set(empties) == {3}


def test_folds_of_few_empty_cases_bring_no_warning_of_a_library() -> None:
    groups, positive = cohort(20, 1, empty=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(groups, positive, val=0.1, test=0.0, seed=0, folds=5, fold=1)


# What the split depends on.


def test_the_same_seed_gives_the_same_split_and_another_another() -> None:
    groups, share = uneven(0, patients=30)
    first, again = (draw(groups, share, **SIZES) for _ in range(2))
    other = draw(groups, share, val=0.2, test=0.2, seed=1)
    assert first == again
    assert first != other


@pytest.mark.parametrize("folds", [None, 3])
def test_the_split_does_not_depend_on_the_order_of_the_cases(folds: int | None) -> None:
    rng = random.Random(1)
    for seed in range(10):
        groups, share = uneven(seed, patients=12)
        # sums of these shares depend on their order in the last digit
        share = [s and s + 0.1 for s in share]
        sizes = {"val": 0.2, "test": 0.2, "seed": seed, "folds": folds, "fold": folds and 1}
        labels = dict(zip(groups, draw(groups, share, **sizes), strict=True))
        for _ in range(3):
            order = rng.sample(range(len(groups)), len(groups))
            moved = [groups[i] for i in order]
            again = draw(moved, [share[i] for i in order], **sizes)
            assert dict(zip(moved, again, strict=True)) == labels


def test_groups_of_equal_mean_are_ordered_alike_in_whatever_order_their_cases_come() -> None:
    """0.1 + 0.2 + 0.3 is not 0.3 + 0.2 + 0.1 in floating point."""
    groups = [f"p{i:02d}" for i in range(20) for _ in range(3)]
    forward = [0.1, 0.2, 0.3] * 20
    backward = [*[0.3, 0.2, 0.1] * 10, *[0.1, 0.2, 0.3] * 10]
    assert sum(forward[:3]) != sum(backward[:3])
    assert draw(groups, forward, **SIZES) == draw(groups, backward, **SIZES)


def test_the_fingerprint_is_of_the_split_and_not_of_its_order() -> None:
    cases, labels = ["a", "b", "c"], ["train", "val", "test"]
    same = fingerprint(cases, labels)
    assert len(same) == 12
    assert fingerprint(cases[::-1], labels[::-1]) == same
    assert fingerprint(cases, labels[::-1]) != same
    assert fingerprint(["a", "b", "d"], labels) != same
    assert fingerprint(cases[:2], labels[:2]) != same


# Preset labels.


def test_preset_labels_stay_and_validation_is_drawn_from_training_alone() -> None:
    groups, share = uneven(3, patients=40)
    test = set(sorted(set(groups))[::4])
    preset = ["test" if g in test else "train" for g in groups]
    for seed in range(10):
        labels = draw(groups, share, val=0.15, test=0.3, seed=seed, preset=preset)
        pairs = set(zip(preset, labels, strict=True))
        assert pairs == {("test", "test"), ("train", "train"), ("train", "val")}
        assert divided(groups, labels) == []
        assert labels.count("val") == pytest.approx(0.15 * len(labels), rel=0.06)


def test_preset_labels_with_validation_are_all_kept() -> None:
    groups, positive = cohort(10, 1)
    preset = ["val"] * 3 + ["train"] * 7
    assert draw(groups, positive, val=0.5, test=0.5, seed=0, preset=preset) == preset


def test_cases_without_a_label_follow_their_group_or_are_drawn() -> None:
    groups = ["a", "a", *"bcdefghij"]
    preset = ["test", None, *[None] * 9]
    labels = draw(groups, [1.0] * 11, val=2, test=5, seed=0, preset=preset)
    assert labels[:2] == ["test", "test"]
    assert Counter(labels[2:]) == {"train": 7, "val": 2}


def test_preset_labels_and_folds_exclude_one_another() -> None:
    groups, positive = cohort(10, 1)
    with pytest.raises(ValueError, match=r"dataset\.split\.folds.*dataset\.split\.file"):
        draw(
            groups, positive, val=0.1, test=0, seed=0, folds=5, fold=0, preset=["test"] + [None] * 9
        )


def test_preset_labels_without_training_cases_are_refused() -> None:
    with pytest.raises(ValueError, match=r"3 groups, dataset\.split\.val"):
        draw(["a", "b", "c"], [1.0] * 3, val=0.1, test=0.1, seed=0, preset=["val", "test", "test"])


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"val": -0.1, "test": 0.2, "folds": None, "fold": None}, "dataset.split.val"),
        ({"val": float("nan"), "test": 0.2, "folds": None, "fold": None}, "dataset.split.val"),
        ({"val": 0.1, "test": float("inf"), "folds": None, "fold": None}, "dataset.split.test"),
        (
            {"val": 0.5, "test": 0.5, "folds": None, "fold": None},
            r"dataset\.split\.test = 1 ",
        ),
        ({"val": 0.1, "test": 0.2, "folds": 5, "fold": None}, "dataset.split.fold "),
        ({"val": 0.1, "test": 0.2, "folds": None, "fold": 1}, "dataset.split.fold "),
        ({"val": 0.1, "test": 0.2, "folds": 1, "fold": 0}, "dataset.split.fold=0"),
        ({"val": 0.1, "test": 0.2, "folds": 5, "fold": 5}, "dataset.split.fold=5"),
    ],
)
def test_impossible_sizes_are_refused(sizes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_sizes(**sizes)
