"""Paired tests against SciPy, Holm by hand, and how often they cry wolf."""

import numpy as np
import pytest
from scipy import stats

from seg.comparison.paired_tests import (
    against,
    effect_sizes,
    holm,
    permutation,
    unit_differences,
    wilcoxon,
)
from seg.comparison.statistic import Statistic

DICE = Statistic("dice", "dice")
POOLED = Statistic("dice_pooled", "dice", "pooled")


def _totals(values, groups):
    """(M,) figures of cases to (G, 1, 2) sums and counts."""
    number = int(max(groups)) + 1
    return np.stack(
        [np.bincount(groups, values, number), np.bincount(groups, minlength=number)], axis=-1
    )[:, None]


def _alone(values):
    return _totals(values, np.arange(len(values)))


def _reference_p(a, b, groups, n_resamples):
    """By SciPy: the mean over cases, whole groups changing sides."""
    sums = np.bincount(groups, a - b)

    def statistic(x, axis):
        return np.sum(x, axis=axis)

    return stats.permutation_test(
        (sums, np.zeros_like(sums)), lambda x, y, axis: statistic(x - y, axis),
        permutation_type="samples", n_resamples=n_resamples, rng=np.random.default_rng(1),
    ).pvalue  # fmt: skip


@pytest.mark.parametrize("groups", [np.arange(10), np.arange(24) % 8])
def test_the_exact_permutation_test_is_scipys(groups):
    rng = np.random.default_rng(2)
    a = rng.normal(0.8, 0.1, len(groups))
    others = a + rng.normal([[-0.05], [0.0], [0.02]], 0.08, (3, len(groups)))
    p = permutation(_totals(a, groups), np.stack([_totals(b, groups) for b in others]), DICE)
    expected = [_reference_p(a, b, groups, n_resamples=np.inf) for b in others]
    assert p == pytest.approx(expected, abs=1e-12)


def test_the_sampled_permutation_test_is_near_scipys():
    rng = np.random.default_rng(4)
    groups = np.arange(120) % 30
    a = rng.normal(0.8, 0.1, 120)
    b = a + rng.normal(-0.016, 0.08, 120)
    p = permutation(_totals(a, groups), _totals(b, groups)[None], DICE)[0]
    assert 0.005 < p < 0.5
    assert p == pytest.approx(_reference_p(a, b, groups, 20000), abs=0.015)


def test_a_pooled_figure_is_tested_by_swapping_the_counts_of_groups():
    rng = np.random.default_rng(6)
    a, b = rng.integers(5, 90, (2, 9, 1, 4)).astype(float)
    b[..., 0] *= 0.9

    def dice(counts):
        tp, fp, fn, _ = counts[:, 0].sum(0)
        return 2 * tp / (2 * tp + fp + fn)

    found = []
    for number in range(2**9):  # every swap, one by one
        swap = np.array([number >> g & 1 for g in range(9)], bool)[:, None, None]
        found.append(abs(dice(np.where(swap, b, a)) - dice(np.where(swap, a, b))))
    expected = np.mean(np.array(found) >= abs(dice(a) - dice(b)) - 1e-12)
    assert permutation(a, b[None], POOLED)[0] == pytest.approx(expected)
    several = permutation(a, np.stack([b, a, b]), POOLED)
    assert several == pytest.approx([expected, 1.0, expected])


def test_equal_results_have_a_p_value_of_one():
    a = _alone(np.linspace(0.1, 0.9, 30))
    pair = against(0, [1], np.stack([a, a]), DICE, test="permutation")[0]
    assert (pair.p, pair.difference, pair.low, pair.high) == (1, 0, 0, 0)
    assert not pair.shown
    assert against(0, [1], np.stack([a, a]), DICE, test="wilcoxon")[0].p == 1


@pytest.mark.parametrize("size", [12, 80])
def test_wilcoxon_is_scipys_on_the_differences_of_groups(size):
    rng = np.random.default_rng(7)
    groups = np.arange(3 * size) % size
    a = rng.normal(0.8, 0.1, 3 * size)
    b = a + rng.normal(-0.02, 0.08, 3 * size)
    totals = np.stack([_totals(a, groups), _totals(b, groups)])
    means = [np.mean((a - b)[groups == g]) for g in range(size)]
    pair = against(0, [1], totals, DICE, test="wilcoxon")[0]
    assert pair.p == pytest.approx(stats.wilcoxon(means).pvalue, rel=1e-9)


def test_wilcoxon_of_a_small_sample_by_hand():
    # ranks 1 to 5, all positive but the smallest: W- = 1; two of 32 sign patterns have W- <= 1
    assert wilcoxon(np.array([-0.1, 0.2, 0.3, 0.4, 0.5])) == pytest.approx(2 * 2 / 32)


def test_holm_by_hand():
    # sorted .01 .02 .03 .04, times 4 3 2 1: .04 .06 .06 .04, and never falling
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.02]) == pytest.approx([0.02])
    assert holm([0.02, 0.001], family=10) == pytest.approx([0.18, 0.01])
    assert len(holm([])) == 0


def test_effect_sizes_by_hand():
    differences = np.array([[0.3, -0.1, 0.0, 0.2, np.nan], [0.1, 0.1, 0.1, 0.1, 0.1]])
    d_z, biserial, share = effect_sizes(differences)
    values = [0.3, -0.1, 0.0, 0.2]
    assert d_z[0] == pytest.approx(np.mean(values) / np.std(values, ddof=1))
    assert np.isnan(d_z[1])  # no spread, no size in units of it
    assert biserial.tolist() == pytest.approx([(3 - 1 + 2) / 6, 1.0])
    assert share.tolist() == pytest.approx([2.5 / 4, 1.0])


def test_where_lower_is_better_the_lower_one_wins():
    rng = np.random.default_rng(8)
    near = rng.normal(5, 1, 40)
    totals = np.stack([_alone(near), _alone(near + 2 + rng.normal(0, 0.5, 40))])
    pair = against(0, [1], totals, Statistic("hd95", "hd95"), test="permutation")[0]
    assert pair.difference == pytest.approx(2, abs=0.3)
    assert pair.low > 0
    assert pair.shown


def test_a_mean_carried_by_one_case_against_all_others_is_not_shown_by_ranks():
    """The mean favours a, nearly every case favours b: neither may be called better."""
    differences = np.full(30, -0.01) - np.linspace(0, 0.001, 30)
    differences[0] = 0.9
    totals = np.stack([_alone(0.5 + differences), _alone(np.full(30, 0.5))])
    pair = against(0, [1], totals, DICE, test="wilcoxon")[0]
    assert pair.difference > 0
    assert pair.p < 0.001
    assert not pair.shown


def _null(rng, *, groups, each, shift=0.0):
    """Two segmentations' Dice of the same cases: hard and easy cases, patients that suit the one
    or the other, ceiling at 1. No difference on average, but for the shift.
    """
    number = np.repeat(np.arange(groups), each)
    hard = np.repeat(rng.beta(5, 1.5, groups), each) * rng.beta(12, 1.5, groups * each)
    suits = np.repeat(rng.normal(0, 0.05, (2, groups)), each, axis=1)
    own = rng.normal(0, 0.04, (2, groups * each))
    quality = np.clip(hard + suits + own, 0, 1)
    return quality[0] + shift, quality[1], number


@pytest.mark.parametrize("test", ["permutation", "wilcoxon"])
def test_false_positives_come_at_the_stated_rate_where_cases_are_grouped(test):
    rng = np.random.default_rng(10)
    trials, wrong, by_case = 600, 0, 0
    for _ in range(trials):
        a, b, groups = _null(rng, groups=18, each=6)
        x, y = _totals(a, groups), _totals(b, groups)
        if test == "permutation":
            wrong += permutation(x, y[None], DICE, resamples=999)[0] < 0.05
            by_case += permutation(_alone(a), _alone(b)[None], DICE, resamples=499)[0] < 0.05
        else:
            wrong += wilcoxon(unit_differences(x, y[None], DICE)[0]) < 0.05
    low, high = stats.binom.ppf([0.001, 0.999], trials, 0.05)
    assert low <= wrong <= high
    if (
        test == "permutation"
    ):  # cases of one patient are not independent: wolf is cried far too often
        assert by_case > 2 * high


def test_among_many_equals_none_is_shown_to_be_worse_than_the_one_that_happens_to_lead():
    """Of twelve the leader is chosen by the same cases; Holm over its eleven tests would not do."""
    rng = np.random.default_rng(13)
    trials, wrong, naive = 150, 0, 0
    for _ in range(trials):
        drawn = [_null(rng, groups=24, each=3)[0] for _ in range(12)]
        mean = np.mean(drawn, axis=0)
        groups = np.arange(72) // 3
        totals = np.stack([_totals(mean + 0.5 * (x - mean), groups) for x in drawn])
        lead, *others = np.argsort(-DICE.of(totals.sum(1)))
        p = permutation(totals[lead], totals[others], DICE)
        wrong += (holm(p, family=66) < 0.05).any()
        naive += (holm(p) < 0.05).any()
    assert wrong <= stats.binom.ppf(0.999, trials, 0.05)
    assert naive > wrong


def test_a_tail_beyond_the_samples_is_bounded_from_above():
    rng = np.random.default_rng(14)
    a = rng.normal(0.9, 0.01, 16)
    b = a - np.abs(rng.normal(0.1, 0.02, 16))
    exact = 2 / 2**16  # all differences have one sign
    bounded = permutation(_alone(a), _alone(b)[None], DICE, resamples=199)[0]
    assert exact <= bounded < 1 / 200
    assert permutation(_alone(b), _alone(a)[None], DICE, resamples=199)[0] == pytest.approx(bounded)


def test_a_planted_difference_is_found():
    rng = np.random.default_rng(11)
    found = 0
    for _ in range(50):
        a, b, groups = _null(rng, groups=40, each=4, shift=0.05)
        totals = np.stack([_totals(a, groups), _totals(b, groups)])
        found += against(0, [1], totals, DICE, test="permutation")[0].shown
    assert found >= 45


def test_the_interval_of_the_difference_holds_the_truth_at_its_rate():
    rng = np.random.default_rng(12)
    covered = 0
    for _ in range(200):
        a, b, groups = _null(rng, groups=40, each=3, shift=0.03)
        totals = np.stack([_totals(a, groups), _totals(b, groups)])
        pair = against(0, [1], totals, DICE, test="wilcoxon")[0]
        covered += pair.low <= 0.03 <= pair.high
    assert 176 <= covered <= 198  # 95 %, a little less for a percentile interval of 40 groups
