"""The bootstrap: does its interval hold the truth as often as it says?"""

import numpy as np
import pytest

from seg.evaluation.bootstrap import bootstrap
from seg.metrics.cases import summarize_class


def _mean(table, groups):
    return {"mean": float(table.mean())}


def _coverage(*, level, groups, members, between, by_group, simulations=200):
    """Share of simulated tables, true mean 0, whose interval holds 0."""
    rng = np.random.default_rng(5)
    names = [str(g) for g in np.repeat(np.arange(groups), members)]
    if not by_group:
        names = [str(i) for i in range(len(names))]
    hits = 0
    for _ in range(simulations):
        noise = rng.normal(size=groups * members) * np.sqrt(1 - between)
        table = noise + np.repeat(rng.normal(size=groups), members) * np.sqrt(between)
        low, high = bootstrap(table, names, _mean, resamples=150, level=level)["mean"]
        hits += low <= 0 <= high
    return hits / simulations


@pytest.mark.parametrize(("level", "lowest", "highest"), [(0.95, 0.90, 0.985), (0.8, 0.72, 0.86)])
def test_the_interval_of_independent_cases_holds_the_truth_at_its_rate(level, lowest, highest):
    share = _coverage(level=level, groups=40, members=1, between=0, by_group=True)
    assert lowest < share < highest


def test_the_interval_of_grouped_cases_holds_the_truth_only_if_groups_are_drawn():
    alike = {"level": 0.95, "groups": 30, "members": 4, "between": 0.9}
    assert 0.89 < _coverage(by_group=True, **alike) < 0.985
    assert _coverage(by_group=False, **alike, simulations=150) < 0.8


def test_copies_of_a_case_in_one_group_tell_nothing_new_and_as_cases_of_their_own_seem_to():
    values = np.random.default_rng(0).random(20)
    names = [str(i) for i in range(20)]
    copies = [str(i) for i in np.repeat(np.arange(20), 9)]

    def width(table, groups):
        low, high = bootstrap(table, groups, _mean)["mean"]
        return high - low

    alone = width(values, names)
    assert width(np.repeat(values, 9), copies) == pytest.approx(alone, rel=0.1)
    as_own = width(np.repeat(values, 9), [str(i) for i in range(180)])
    assert as_own == pytest.approx(alone / 3, rel=0.15)


def test_every_resample_is_made_of_whole_groups_that_keep_apart():
    names = ["b", "a", "b", "c", "c", "c"]
    sizes = {"a": 1, "b": 2, "c": 3}
    table = np.arange(6)
    seen = []

    def figures(rows, groups):
        assert len(rows) == len(groups)
        for copy in set(groups):
            members = [names[r] for r, g in zip(rows, groups, strict=True) if g == copy]
            assert len(set(members)) == 1
            assert len(members) == sizes[members[0]]
        assert len(set(groups)) == 3  # a group that was drawn twice is two
        seen.append(tuple(rows))
        return {"mean": 0.0}

    bootstrap(table, names, figures, resamples=200)
    assert len(set(seen)) > 15  # of 27 ordered draws


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_a_draw_that_comes_again_counts_each_time(count):
    table = np.random.default_rng(0).random(2 * count)
    generator, means = np.random.default_rng(0), []
    for _ in range(200):
        chosen = generator.integers(0, count, count)
        means.append(np.concatenate([table[[g, g + count]] for g in chosen]).mean())
    expected = np.percentile(means, [2.5, 97.5])
    names = [str(i) for i in [*range(count), *range(count)]]
    assert bootstrap(table, names, _mean, resamples=200)["mean"] == pytest.approx(expected)


def test_the_same_seed_gives_the_same_interval_and_another_another():
    table, names = np.random.default_rng(0).random(30), [str(i) for i in range(30)]
    first = bootstrap(table, names, _mean, resamples=100)
    assert bootstrap(table, names, _mean, resamples=100) == first
    assert bootstrap(table, names, _mean, resamples=100, seed=1) != first


def test_a_wider_level_is_a_wider_interval():
    table, names = np.random.default_rng(0).random(30), [str(i) for i in range(30)]
    low, high = bootstrap(table, names, _mean, level=0.99)["mean"]
    inner_low, inner_high = bootstrap(table, names, _mean, level=0.5)["mean"]
    assert low < inner_low < table.mean() < inner_high < high


def test_one_case_or_cases_all_alike_have_an_interval_of_no_width():
    assert bootstrap(np.array([0.7]), ["a"], _mean)["mean"] == (0.7, 0.7)
    low, high = bootstrap(np.full(9, 0.5), list("abcdefghi"), _mean)["mean"]
    assert low == high == 0.5


def test_the_order_of_the_rows_does_not_matter_to_what_the_groups_hold():
    table, names = np.random.default_rng(0).random(12), list("aabbccddeeff")
    order = np.random.default_rng(1).permutation(12)
    shuffled = bootstrap(table[order], [names[i] for i in order], _mean)["mean"]
    assert shuffled == pytest.approx(bootstrap(table, names, _mean)["mean"])


def test_the_interval_of_the_mean_dice_agrees_with_the_normal_one():
    rng = np.random.default_rng(2)
    tp = rng.integers(20, 100, 200)
    counts = np.stack([tp, *rng.integers(0, 60, (2, 200)), np.full(200, 500)], axis=1)
    names = [str(i) for i in range(200)]
    low, high = bootstrap(counts, names, summarize_class, resamples=400)["dice"]
    scores = 2 * tp / (2 * tp + counts[:, 1] + counts[:, 2])
    error = 1.96 * scores.std() / np.sqrt(200)
    assert (low, high) == pytest.approx((scores.mean() - error, scores.mean() + error), abs=0.004)
