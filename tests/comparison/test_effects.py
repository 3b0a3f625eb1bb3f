"""Means of a key's values over the same settings of the others."""

import itertools
import statistics

import pytest

from seg.comparison.effects import effects, lead
from seg.report.sweep import text


def _rows(table):
    """Rows from ({key: value}, val/dice or None) pairs."""
    rows = []
    for i, (overrides, score) in enumerate(table):
        row = {"run": str(i), "number": i, "overrides": dict(overrides)}
        row |= {"status": "failed"} if score is None else {"status": "finished", "val/dice": score}
        rows.append(row)
    return rows


def _reference_means(table, key):
    """Means over those settings of the other keys in which every value that ever finished has a
    score; by plain loops.
    """
    values = {o[key] for o, score in table if score is not None}
    settings = {tuple(sorted((k, v) for k, v in o.items() if k != key)) for o, _ in table}
    kept = {value: [] for value in values}
    for setting in settings:
        found = {}
        for overrides, score in table:
            rest = tuple(sorted((k, v) for k, v in overrides.items() if k != key))
            if rest == setting and score is not None:
                found[overrides[key]] = score
        if set(found) == values:
            for value, score in found.items():
                kept[value].append(score)
    return {value: statistics.fmean(scores) for value, scores in kept.items()}


def _grid(lost=()):
    table = []
    keys = (("bce", "dice", "bce_dice"), ("sgd", "adam"), ("0.1", "0.01"), ("0", "1"))
    for i, (loss, optimizer, lr, seed) in enumerate(itertools.product(*keys)):
        score = None if i in lost else (hash((i * 7919) % 101) % 97) / 100
        overrides = {"loss": loss, "optimizer": optimizer, "optimizer.lr": lr, "seed": seed}
        table.append((overrides, score))
    return table


@pytest.mark.parametrize("lost", [(), (3,), (0, 5, 9, 14)])
def test_means_are_those_of_plain_loops_also_where_jobs_failed(lost):
    table = _grid(lost)
    found = effects(_rows(table))
    assert {e.key for e in found} == {"loss", "optimizer", "optimizer.lr"}  # no effect of the seed
    for effect in found:
        expected = _reference_means(table, effect.key)
        assert {v.text: v.mean for v in effect.values} == pytest.approx(expected)


def test_a_job_that_failed_does_not_favour_the_value_that_lacks_it():
    # dice fails where all is hard; a plain mean would put it first
    table = [
        ({"loss": "bce", "lr": "1"}, 0.9), ({"loss": "bce", "lr": "2"}, 0.1),
        ({"loss": "dice", "lr": "1"}, 0.8), ({"loss": "dice", "lr": "2"}, None),
    ]  # fmt: skip
    effect = next(e for e in effects(_rows(table)) if e.key == "loss")
    assert effect.best.text == "bce"
    assert (effect.complete, effect.settings) == (1, 2)
    assert [v.jobs - len(v.scores) for v in effect.values] == [0, 1]


def test_differences_are_of_the_same_settings():
    scores = {"x": (0.5, 0.7, 0.9), "y": (0.4, 0.8, 0.6)}
    table = [({"a": a, "b": str(b)}, scores[a][b]) for a in scores for b in range(3)]
    effect = next(e for e in effects(_rows(table)) if e.key == "a")
    best, second = effect.ranked
    assert lead(best, second) == pytest.approx((0.1, -0.1, 0.3, 2))
    assert text.effect(effect) == (
        "a: x 0.7000, y 0.6000; x ahead of y by 0.1000 (-0.1000 to 0.3000), in 2 of 3 settings"
    )


def test_a_value_with_which_nothing_finished_is_named_and_hides_no_other():
    table = [({"lr": lr, "b": b}, None if lr == "9" else float(lr) + int(b) / 10)
             for lr in ("0.1", "0.2", "9") for b in ("0", "1")]  # fmt: skip
    effect = next(e for e in effects(_rows(table)) if e.key == "lr")
    assert effect.complete == 2
    assert effect.best.text == "0.2"
    assert "nothing finished with 9" in text.effect(effect)


def test_numbers_stand_in_their_order_and_names_by_their_mean():
    table = [({"lr": lr}, score) for lr, score in (("1e-1", 0.3), ("0.001", 0.1), ("0.01", 0.9))]
    assert [v.text for v in effects(_rows(table))[0].values] == ["0.001", "0.01", "1e-1"]
    table = [({"loss": loss}, score) for loss, score in (("a", 0.3), ("b", 0.1), ("c", 0.9))]
    assert [v.text for v in effects(_rows(table))[0].values] == ["c", "a", "b"]


def test_a_searched_range_has_no_pairs():
    table = [({"lr": f"{10 ** -(1 + i / 7):.6g}", "loss": "ab"[i % 2]}, 0.5 + i % 5 / 10)
             for i in range(30)]  # fmt: skip
    effect = next(e for e in effects(_rows(table)) if e.key == "lr")
    assert effect.is_range
    sentence = text.effect(effect)
    assert sentence == "lr: 7.197e-06 to 0.1 were tried, the best at 7.197e-06 (0.9000)"


@pytest.mark.parametrize("table", [[], [({"a": "1"}, None), ({"a": "2"}, None)], [({"a": "1"}, 1)]])
def test_without_two_values_or_any_score_there_is_no_effect(table):
    assert effects(_rows(table)) == []


def test_the_largest_effect_comes_first():
    table = [({"a": a, "b": b}, 0.5 * int(a) + 0.1 * int(b)) for a in "01" for b in "01"]
    assert [e.key for e in effects(_rows(table))] == ["a", "b"]
