"""The figures of a test and of an evaluation, and their intervals against the loop."""

import csv
import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from seg.evaluation.bootstrap import bootstrap
from seg.evaluation.score import CaseScores, score_case, stack
from seg.evaluation.summary import (
    summarize_evaluation,
    summarize_test,
    worst_median_best,
    write_scores,
)
from seg.metrics.cases import summarize, summarize_class
from seg.metrics.overlap import METRICS
from seg.runs.case_table import write_cases
from tests.evaluation.random_scores import random_scores


def evaluated(scores: CaseScores, names: list[str]) -> dict:
    return summarize_evaluation(scores, names, split="test", protocols={"other": {"dice": 0.5}})


def _counts(cases=12, classes=1, seed=0):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 50, (cases, classes, 4))
    counts[0] = [0, 0, 0, 99]
    return counts


def _summary(counts, groups, class_names):
    return summarize_test(
        split="test", groups=groups, class_names=class_names, counts=counts, size=(48, 64)
    )


@pytest.fixture(scope="module")
def binary():
    return _summary(_counts(), [str(i) for i in range(12)], ["polyp"])


@pytest.fixture(scope="module")
def multi():
    groups = [str(i // 3) for i in range(12)]
    return _summary(_counts(classes=2), groups, ["cytoplasm", "nucleus"])


def test_the_layout_is_the_one_that_other_commands_read(binary):
    assert list(binary) == ["split", "cases", "groups", "size", "metrics", "classes"]
    assert binary["split"] == "test"
    assert binary["cases"] == binary["groups"] == 12
    assert binary["size"] == [48, 64]
    for figure in binary["metrics"].values():
        assert list(figure) == ["value", "low", "high"]
    assert json.loads(json.dumps(binary)) == binary


def test_the_figures_are_those_of_the_table(binary, multi):
    counts, groups = _counts(classes=2), [str(i // 3) for i in range(12)]
    values = {name: f["value"] for name, f in multi["metrics"].items()}
    assert values == pytest.approx(summarize(counts, groups))
    for j, name in enumerate(["cytoplasm", "nucleus"]):
        values = {key: f["value"] for key, f in multi["classes"][name].items()}
        assert values == pytest.approx(summarize_class(counts[:, j], groups))
    values = {name: f["value"] for name, f in binary["metrics"].items()}
    assert values == pytest.approx(summarize_class(_counts()[:, 0]))


def test_every_figure_of_the_contract_is_there(binary, multi):
    expected = {"dice_positive", "iou_positive", *METRICS, *(f"{name}_pooled" for name in METRICS)}
    assert binary["metrics"].keys() == expected
    assert multi["metrics"].keys() == expected | {"dice_group", "iou_group"}


def test_one_class_is_the_whole_and_several_have_their_mean(binary, multi):
    assert binary["metrics"] == binary["classes"]["polyp"]
    assert list(multi["classes"]) == ["cytoplasm", "nucleus"]
    a, b = (multi["classes"][name]["dice"]["value"] for name in multi["classes"])
    assert multi["metrics"]["dice"]["value"] == pytest.approx((a + b) / 2)


def test_every_value_lies_in_its_interval(binary, multi):
    for figures in (binary["metrics"], multi["metrics"], *multi["classes"].values()):
        for name, figure in figures.items():
            assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1, name
        assert figures["dice"]["low"] < figures["dice"]["high"]


def test_groups_are_counted_and_widen_the_interval():
    alike = np.repeat(_counts(cases=8), 6, axis=0)
    grouped = _summary(alike, [str(i // 6) for i in range(48)], ["a"])
    apart = _summary(alike, [str(i) for i in range(48)], ["a"])
    assert (grouped["groups"], apart["groups"]) == (8, 48)
    widths = [s["metrics"]["dice"]["high"] - s["metrics"]["dice"]["low"] for s in (grouped, apart)]
    assert widths[0] > 1.7 * widths[1]


def test_volumes_of_one_slice_are_volumes_in_a_resample_too():
    """One patient has two slices and is bad, one has one slice and is good: a quarter of the
    resamples holds the good one alone, so the interval must reach from 0 to 1."""
    counts = np.array([[[0, 5, 5, 90]], [[0, 5, 5, 90]], [[10, 0, 0, 90]]])
    figure = _summary(counts, ["bad", "bad", "good"], ["a"])["metrics"]["dice_group"]
    assert figure == {"value": 0.5, "low": 0.0, "high": 1.0}


def test_a_split_without_foreground_has_no_positive_figures():
    empty = np.tile([0, 0, 0, 50], (5, 1, 1))
    content = _summary(empty, list("abcde"), ["a"])
    assert "dice_positive" not in content["metrics"]
    assert content["metrics"]["dice"] == {"value": 1.0, "low": 1.0, "high": 1.0}


def test_a_single_case_can_be_summed_up():
    content = _summary(np.array([[[8, 2, 2, 88]]]), ["a"], ["a"])
    assert content["metrics"]["dice"] == {"value": pytest.approx(0.8), "low": None, "high": None}


@pytest.mark.parametrize("groups", [["a"] * 3, ["a", "b", "c"]])
def test_a_figure_of_a_single_group_has_no_interval(groups: list[str]) -> None:
    counts = np.array([[[8, 2, 2, 88]], [[0, 0, 0, 99]], [[0, 1, 0, 99]]])
    figures = _summary(counts, groups, ["x"])["metrics"]
    for name, figure in figures.items():
        alone = len(set(groups)) == 1 or name.endswith("_positive")  # one case has foreground
        assert (figure["low"] is None, figure["high"] is None) == (alone, alone), name


def test_a_class_without_reference_pixels_is_in_no_mean_also_not_in_a_resample() -> None:
    """Class b is in the first group alone, c nowhere but in a prediction."""
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 50, (6, 3, 4))
    counts[1:, 1, [0, 2]] = 0
    counts[:, 2, [0, 2]] = 0
    groups = list("uvwxyz")
    content = _summary(counts, groups, ["a", "b", "c"])
    tp, fp, fn = np.moveaxis(counts[:, :2, :3], -1, 0)
    dice = 2 * tp / (2 * tp + fp + fn)  # (cases, classes); no denominator is 0
    assert content["metrics"]["dice"]["value"] == pytest.approx(dice.mean())
    assert content["classes"]["b"]["dice"]["value"] == pytest.approx(dice[:, 1].mean())
    assert set(content["classes"]["c"]["dice"].values()) == {None}
    assert content["absent"]["c"] == {
        "false_positive_cases": 6, "false_positives": int(counts[:, 2, 1].sum()),
    }  # fmt: skip
    # a resample without the first group still counts class b, as the mean of the whole does
    generator = np.random.default_rng(0)
    drawn = [dice[generator.integers(0, 6, 6)].mean() for _ in range(1000)]
    bounds = np.percentile(drawn, [2.5, 97.5])
    got = content["metrics"]["dice"]
    assert (got["low"], got["high"]) == pytest.approx(bounds, abs=1e-12)


def test_the_worst_case_is_by_the_classes_that_any_case_has() -> None:
    counts = np.zeros((3, 2, 4), int)
    counts[:, 0] = [[9, 1, 1, 0], [5, 5, 5, 0], [1, 9, 9, 0]]
    counts[0, 1, 1] = 50  # of a class that no mask has
    assert worst_median_best(counts, 1) == {"worst": [2], "median": [1], "best": [0]}


def test_the_figures_can_be_made_again_from_the_table(tmp_path, binary):
    names = [f"{i}.png" for i in range(12)]
    path = tmp_path / "test_cases.csv"
    write_cases(path, cases=names, groups=names, class_names=["polyp"], counts=_counts())
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    for name in METRICS:
        mean = np.mean([float(r[name]) for r in rows])
        assert mean == pytest.approx(binary["metrics"][name]["value"], abs=1e-6)


def test_worst_median_and_best_are_by_dice():
    dice = [50, 10, 90, 30, 70, 20, 80]
    counts = np.array([[[d, 100 - d, 100 - d, 0]] for d in dice])
    chosen = worst_median_best(counts, 3)
    assert {name: [dice[i] for i in rows] for name, rows in chosen.items()} == {
        "worst": [10, 20, 30],
        "median": [30, 50, 70],
        "best": [90, 80, 70],
    }


def test_with_fewer_cases_than_rows_every_case_is_shown():
    counts = np.array([[[1, 2, 3, 4]], [[5, 0, 0, 5]], [[0, 3, 0, 7]]])
    chosen = worst_median_best(counts, 5)
    assert chosen == {"worst": [2, 0, 1], "median": [2, 0, 1], "best": [1, 0, 2]}


def test_cases_with_nothing_to_see_are_shown_only_if_there_are_no_others():
    empty, seen = [[0, 0, 0, 10]], [[1, 2, 3, 4]]
    chosen = worst_median_best(np.array([empty, seen, empty]), 2)
    assert chosen == {"worst": [1], "median": [1], "best": [1]}
    assert worst_median_best(np.array([empty, empty]), 2)["worst"] == [0, 1]


def test_worst_and_best_of_several_classes_are_by_their_mean():
    counts = np.array([[[9, 0, 0, 1], [0, 5, 5, 0]], [[5, 2, 2, 1], [5, 2, 2, 1]]])
    assert worst_median_best(counts, 1)["worst"] == [0]


@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("groups", [6, 10**6])
def test_figures_and_intervals_are_those_of_the_loop(classes: int, groups: int) -> None:
    scores = random_scores(classes=classes, groups=groups)
    names = ["a", "b"][:classes]
    content = evaluated(scores, names)
    volumes = len(set(scores.groups)) < len(scores.cases)
    assert volumes == (groups == 6)

    def check(figures: dict, counts: np.ndarray, loop) -> None:
        expected = loop(counts, scores.groups if volumes else None)
        bounds = bootstrap(counts, scores.groups, lambda c, g: loop(c, g if volumes else None))
        assert set(expected) <= set(figures)
        for name, value in expected.items():
            got = figures[name]
            assert got["value"] == pytest.approx(value, abs=1e-12), name
            assert (got["low"], got["high"]) == pytest.approx(bounds[name], abs=1e-9), name

    everywhere = np.ones(classes, dtype=bool)  # also in a resample that lacks a class
    check(content["metrics"], scores.counts, partial(summarize, classes=everywhere))
    for j, name in enumerate(names):
        check(content["classes"][name], scores.counts[:, j], summarize_class)


def test_every_other_figure_is_the_mean_of_its_column() -> None:
    scores = random_scores(classes=1)
    figures = evaluated(scores, ["a"])["metrics"]
    for i, name in enumerate(("hd95", "assd", "nsd")):
        assert figures[name]["value"] == pytest.approx(scores.surface[:, 0, i].mean())
    assert figures["brier"]["value"] == pytest.approx(scores.brier.mean())
    tp, fp, fn = scores.lesions[:, 0].sum(0)
    assert figures["lesion_f1_pooled"]["value"] == pytest.approx(2 * tp / (2 * tp + fp + fn))
    for figure in figures.values():
        assert figure["low"] <= figure["value"] <= figure["high"]


def test_a_class_that_is_nowhere_leaves_out_what_it_has_no_case_for() -> None:
    scores = random_scores(classes=1)
    nothing = np.zeros((4, 4), np.uint8)
    empty = [
        score_case(np.zeros((1, 4, 4)), nothing, nothing, case=name, group=name) for name in "ef"
    ]
    figures = evaluated(stack(empty), ["a"])["metrics"]
    assert "dice_positive" not in figures
    assert "ap" not in figures
    assert figures["dice"] == {"value": 1, "low": 1, "high": 1}
    assert all(math.isfinite(v) for f in figures.values() for v in f.values())
    assert "ap" in evaluated(scores, ["a"])["metrics"]


def test_the_json_and_the_table_hold_the_same_cases(tmp_path: Path) -> None:
    scores = random_scores()
    content = evaluated(scores, ["a", "b"])
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert (content["cases"], content["failed"], content["size"]) == (20, 1, "original")
    write_scores(tmp_path / "cases.csv", scores, ["a", "b"])
    with (tmp_path / "cases.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert ",".join(rows[0]) == (
        "case,group,class,tp,fp,fn,tn,dice,iou,precision,recall,specificity,accuracy,hd95,assd,nsd,"
        "lesion_tp,lesion_fp,lesion_fn,lesion_f1,brier,ece,foreground_confidence,failed"
    )
    assert len(rows) == 40
    for j, name in enumerate("ab"):
        of_class = [row for row in rows if row["class"] == name]
        assert [row["case"] for row in of_class] == scores.cases
        for i in (0, 7, 19):
            assert [int(of_class[i][k]) for k in ("tp", "fp", "fn", "tn")] == list(
                scores.counts[i, j]
            )
        for key in ("dice", "hd95", "nsd", "brier", "ece", "lesion_f1"):
            mean = np.mean([float(row[key]) for row in of_class])
            assert mean == pytest.approx(content["classes"][name][key]["value"], abs=1e-8)
    assert [row["failed"] for row in rows if row["case"] == "c7"] == ["1", "1"]
