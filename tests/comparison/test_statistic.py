"""Figures from totals are those of test.json, intervals included."""

import numpy as np
import pytest

from seg.comparison.paired_tests import bounds, resampled
from seg.comparison.statistic import Spread, Statistic, available
from seg.evaluation.bootstrap import bootstrap, group_weights
from seg.metrics.cases import summarize
from seg.metrics.overlap import METRICS
from seg.runs.case_table import CaseTable


def _table(counts, groups):
    values = {name: metric(*np.moveaxis(counts, -1, 0)) for name, metric in METRICS.items()}
    cases = tuple(f"{i:03}" for i in range(len(counts)))
    classes = tuple("xyz"[: counts.shape[1]])
    return CaseTable(cases, tuple(groups), classes, counts.astype(float), values)


@pytest.fixture(params=[1, 3])
def table(request):
    rng = np.random.default_rng(5)
    counts = rng.integers(0, 60, (40, request.param, 4))
    counts[rng.random(counts.shape[:2]) < 0.2] = [0, 0, 0, 200]  # empty, predicted empty
    return _table(counts, [f"p{i}" for i in rng.integers(0, 9, 40)])


def _index(table):
    return np.unique(np.asarray(table.groups), return_inverse=True)[1]


def test_every_figure_is_that_of_the_summary(table):
    expected = summarize(table.counts.astype(int), table.groups)
    assert set(expected) == set(available([table], volumes=True))
    for name, value in expected.items():
        each = Statistic.named(name, [table])
        assert each.of(each.totals([table], _index(table)).sum(0)) == pytest.approx(
            value, abs=1e-12
        )


def test_intervals_are_those_of_the_bootstrap_that_draws_rows(table):
    expected = bootstrap(table.counts.astype(int), table.groups, summarize)
    weights = group_weights(len(set(table.groups)))
    for name, interval in expected.items():
        each = Statistic.named(name, [table])
        totals = each.totals([table], _index(table))
        assert (
            pytest.approx(np.array([interval]), abs=1e-9)
            == bounds(resampled(totals[None], each, weights)).T
        ), name


def test_a_class_can_be_named(table):
    each = Statistic.named("iou_pooled/x", [table])
    tp, fp, fn, _ = table.counts[:, 0].sum(0)
    value = each.of(each.totals([table], _index(table)).sum(0))
    assert value == pytest.approx(tp / (tp + fp + fn))


def test_seeds_are_averaged_by_case(table):
    other = _table(table.counts[::-1].astype(int), table.groups)
    each = Statistic.named("dice", [table])
    both = each.of(each.totals([table, other], _index(table)).sum(0))
    assert both == pytest.approx((table.values["dice"].mean() + other.values["dice"].mean()) / 2)


@pytest.mark.parametrize(
    ("name", "message"),
    [("dize", "nearest: dice"), ("dice/tumour", "no such class"), ("hd95_pooled", "do not have"),
     ("_pooled", "do not have"), ("dice_", "do not have")],
)  # fmt: skip
def test_an_unknown_figure_is_refused_with_what_there_is(table, name, message):
    with pytest.raises(ValueError, match=message):
        Statistic.named(name, [table])


def test_distances_are_better_where_they_are_lower(table):
    table.values["hd95"] = table.values["dice"]
    assert (
        Statistic.named("hd95", [table]).sign
        == Statistic.named("hd95_positive", [table]).sign
        == -1
    )
    assert Statistic.named("dice_pooled", [table]).sign == 1


def test_a_spread_has_an_interval_only_where_it_is_wanted_and_there_are_three_values():
    values = [0.5, 0.7, 0.6]
    three = Spread.over(values, within=(0, 1))
    assert (three.n, three.mean) == (3, pytest.approx(0.6))
    assert three.deviation == pytest.approx(np.std(values, ddof=1))
    half = 4.30265273 * three.deviation / np.sqrt(3)  # t with two degrees of freedom, 97.5 %
    assert (three.low, three.high) == pytest.approx((0.6 - half, 0.6 + half))
    assert np.isnan(Spread.over(values).low)
    for few in ([0.5, 0.7], [0.5]):
        spread = Spread.over(few, within=(0, 1))
        assert spread.mean == pytest.approx(np.mean(few))
        assert np.isnan([spread.low, spread.high]).all()


def test_an_interval_over_seeds_stays_in_the_range_of_the_figure(table):
    table.values["hd95"] = table.values["dice"]

    def ends(name: str, values: list[float]) -> tuple[float, float]:
        spread = Spread.over(values, within=Statistic.named(name, [table]).range)
        return spread.low, spread.high

    low, high = ends("dice", [0.02, 0.3, 0.1])
    assert low == 0 < high < 1
    low, high = ends("dice_pooled", [0.98, 0.7, 0.9])
    assert 0 < low < high == 1
    low, high = ends("hd95", [2.0, 30.0, 9.0])  # pixels
    assert low == 0
    assert high > 30


def _with_absent(table: CaseTable) -> CaseTable:
    """The table with a further class that no reference has and some predictions have."""
    absent = np.zeros((len(table.cases), 1, 4))
    absent[::3, 0, 1] = 7
    absent[..., 3] = table.counts[:, :1].sum(-1) - absent[..., 1]
    convention = (absent[..., 1] == 0).astype(float)
    return CaseTable(
        table.cases,
        table.groups,
        (*table.classes, "nowhere"),
        np.concatenate([table.counts, absent], axis=1),
        {name: np.hstack([values, convention]) for name, values in table.values.items()},
    )


@pytest.mark.parametrize("name", ["dice", "iou_pooled", "dice_group", "dice_positive"])
def test_a_class_that_no_reference_has_is_in_no_mean(table, name):
    wide = _with_absent(table)
    _, groups = np.unique(table.groups, return_inverse=True)

    def value(name: str, table: CaseTable) -> float:
        statistic = Statistic.named(name, [table])
        return float(statistic.of(statistic.totals([table], groups).sum(0)))

    assert value(name, wide) == pytest.approx(value(name, table), abs=1e-12)
    assert np.isnan(value(f"{name}/nowhere", wide))


def test_a_single_group_has_no_interval(table):
    for name in ("dice", "dice_pooled"):
        statistic = Statistic.named(name, [table])
        _, groups = np.unique(table.groups, return_inverse=True)
        assert statistic.has_interval(statistic.totals([table], groups))
        assert not statistic.has_interval(statistic.totals([table], np.zeros_like(groups)))


def test_runs_are_not_ranked_by_how_sure_they_are(table):
    table.values["foreground_confidence"] = table.values["dice"]
    assert "foreground_confidence" not in available([table], volumes=True)
    with pytest.raises(ValueError, match="foreground_confidence"):
        Statistic.named("foreground_confidence", [table])
