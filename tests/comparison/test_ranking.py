"""A winner is named only where it was shown; ties share a rank."""

import json

import numpy as np
import pytest

from seg.comparison.configurations import read_run, read_runs
from seg.comparison.ranking import bands, compare
from seg.report.comparison import text
from seg.report.text import limits, number
from seg.runs.find import find
from seg.runs.folder import RunFolder
from tests.comparison.written import config_of, counts_of, reference, write_run

CASES, EACH = 90, 3
SIZES = reference(CASES)
GROUPS = [f"p{i // EACH}" for i in range(CASES)]


def _study(root, shifts, *, seed=0, seeds=1):
    """Configurations c0, c1, ... that are as much better as `shifts` says, on the same cases."""
    rng = np.random.default_rng(seed)
    easy = rng.beta(7, 2.5, CASES)
    for k, shift in enumerate(shifts):
        suits = np.repeat(rng.normal(0, 0.02, CASES // EACH), EACH)
        for s in range(seeds):
            quality = easy + shift + suits + rng.normal(0, 0.04, CASES)
            config = config_of(name=f"c{k}", seed=s, **{"optimizer.lr": (k + 1) / 100})
            counts = counts_of(SIZES, quality)
            write_run(root / f"c{k}_{s}", counts=counts, groups=GROUPS, config=config)
    return read_runs(find(str(root)))


def test_a_planted_tie_is_not_declared_a_winner(tmp_path):
    comparison = compare(_study(tmp_path, [0, 0]))
    assert [text.rank(e) for e in comparison.entries] == ["1=", "1="]
    assert "not shown to be better" in text.verdict(comparison)
    assert "is better" not in text.verdict(comparison)
    assert text.sentence(comparison.pairs[0], comparison).startswith("no difference")


def test_a_planted_difference_is_declared_with_its_size_interval_and_p(tmp_path):
    comparison = compare(_study(tmp_path, [0, 0.06]))
    assert [(e.label, text.rank(e)) for e in comparison.entries] == [("c1", "1"), ("c0", "2")]
    (pair,) = comparison.pairs
    assert 0.03 < pair.low < pair.difference < pair.high < 0.09
    amount = f"{number(pair.difference)} ({limits(pair.low, pair.high)}), p < 0.001"
    assert text.verdict(comparison) == f"c1 is better in dice than c0, by {amount}."


def test_of_three_the_equal_two_share_the_rank_and_none_is_the_winner(tmp_path):
    comparison = compare(_study(tmp_path, [0.0, 0.08, 0.08]))
    assert [text.rank(e) for e in comparison.entries] == ["1=", "1=", "3"]
    assert comparison.entries[2].label == "c0"
    assert len(comparison.leaders) == 2
    assert len(comparison.pairs) == 3
    assert text.family(comparison) == "Holm over all 3 pairs"
    assert [p.p_holm >= p.p for p in comparison.pairs] == [True] * 3
    assert "after Holm" in text.verdict(comparison)


def test_a_tie_below_the_winner_shares_a_rank_too(tmp_path):
    comparison = compare(_study(tmp_path, [0.1, 0.0, 0.0]))
    assert [text.rank(e) for e in comparison.entries] == ["1", "2=", "2="]
    assert "the runner-up of 2" in text.verdict(comparison)


def test_many_are_tested_against_the_leader_only_and_bands_still_form(tmp_path):
    comparison = compare(_study(tmp_path, [0.15, *[0.0] * 11], seed=1))
    assert [text.rank(e) for e in comparison.entries] == ["1", *["2="] * 11]
    assert len(comparison.pairs) == 11
    assert {p.a for p in comparison.pairs} == {0}
    least = min(comparison.pairs, key=lambda p: p.p)
    assert least.p_holm == pytest.approx(66 * least.p)  # all pairs, tested or not
    assert text.family(comparison) == "each with the leader, Holm over all 66 pairs"
    assert any("tested against the leader" in note for note in comparison.notes)


@pytest.mark.parametrize("test", ["permutation", "wilcoxon"])
def test_under_the_null_a_winner_is_named_at_the_stated_rate_or_less(tmp_path, test):
    """Eight studies of four equal configurations: at 5 %, three winners are next to impossible."""
    winners = 0
    for i in range(8):
        comparison = compare(_study(tmp_path / f"{i}", [0] * 4, seed=i), test=test)
        winners += len(comparison.leaders) == 1
    assert winners <= 2


def test_bands_begin_with_the_best_that_is_left():
    beaten = {0: {2, 3}, 2: {3}, 3: set()}
    assert bands(4, lambda head, others: beaten[head] & set(others)) == [[0, 1], [2], [3]]
    # a wide one stays in the first band, though a narrow one above it does not
    assert bands(3, lambda head, others: {1} & set(others) - {head}) == [[0, 2], [1]]
    assert bands(1, lambda head, others: set()) == [[0]]


def test_exact_copies_never_get_different_ranks(tmp_path):
    rng = np.random.default_rng(1)
    good, poor = rng.beta(9, 2, CASES), rng.beta(2, 3, CASES)
    for k, quality in enumerate([poor, good, poor, good]):
        config = config_of(name=f"c{k}", **{"optimizer.lr": (k + 1) / 100})
        write_run(tmp_path / f"{k}", counts=counts_of(SIZES, quality), config=config)
    comparison = compare(read_runs(find(str(tmp_path))))
    assert [text.rank(e) for e in comparison.entries] == ["1=", "1=", "3=", "3="]


def test_too_few_groups_are_noted(tmp_path):
    for k, value in enumerate([0.9, 0.2]):
        config = config_of(name=f"c{k}", **{"optimizer.lr": (k + 1) / 100})
        counts = counts_of(SIZES[:8], np.full(8, value))
        groups = [f"p{i // 2}" for i in range(8)]
        write_run(tmp_path / f"{k}", counts=counts, groups=groups, config=config)
    comparison = compare(read_runs(find(str(tmp_path))))
    assert comparison.pairs[0].p == pytest.approx(2 / 2**4)
    assert len(comparison.leaders) == 2
    assert any("4 groups are too few" in note for note in comparison.notes)


def test_figures_that_only_the_json_has_are_kept_beside(tmp_path):
    for run, value in zip(_study(tmp_path, [0.1, 0]), [0.02, 0.04], strict=True):
        content = json.loads(run.folder.test_path.read_text())
        content["metrics"]["ece"] = {"value": value}
        run.folder.test_path.write_text(json.dumps(content))
    runs = read_runs(find(str(tmp_path)))
    assert [e.untabled["ece"] for e in compare(runs).entries] == [0.02, 0.04]


def test_what_cannot_be_ranked_is_listed_and_if_nothing_can_it_is_an_error(tmp_path):
    runs = _study(tmp_path, [0])
    write_run(tmp_path / "x", counts=counts_of(SIZES, np.full(CASES, 0.5)), status="running")
    broken = read_run(RunFolder(tmp_path / "x", label="x"))
    comparison = compare([*runs, broken])
    assert comparison.unranked == [broken]
    assert text.verdict(comparison).startswith("One configuration, nothing to compare it with: c0")
    with pytest.raises(ValueError, match="none of 1 runs can be ranked.*\n  x: running"):
        compare([broken])
