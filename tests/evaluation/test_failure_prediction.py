"""What an evaluation says of the confidence in its masks."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from seg.evaluation.bootstrap import bootstrap
from seg.evaluation.failure_prediction import summarize_failure_prediction
from seg.evaluation.score import CaseScores
from seg.metrics.overlap import METRICS
from tests.evaluation.random_scores import random_scores


def dice_of(scores: CaseScores) -> np.ndarray:
    return METRICS["dice"](*np.moveaxis(scores.counts, -1, 0)).mean(1)


def test_the_rank_correlation_is_that_of_scipy() -> None:
    scores = random_scores()
    found = summarize_failure_prediction(scores)
    sure, dice = scores.foreground_confidence.mean(1), dice_of(scores)
    assert found["spearman"]["value"] == pytest.approx(stats.spearmanr(sure, dice)[0])

    def figures(rows: np.ndarray, _: object) -> dict[str, float]:
        return {"rank": float(stats.spearmanr(*rows.T)[0])}

    bounds = bootstrap(np.column_stack([sure, dice]), scores.groups, figures)["rank"]
    assert (found["spearman"]["low"], found["spearman"]["high"]) == pytest.approx(bounds)


def test_the_failed_case_is_reviewed_first() -> None:
    found = summarize_failure_prediction(random_scores())
    first = [one["case"] for one in found["review_first"]]
    assert first[0] == "c7"
    assert found["review_first"][0]["foreground_confidence"] == 0
    values = [one["foreground_confidence"] for one in found["review_first"]]
    assert values == sorted(values)
    assert len(first) == 5


def test_the_order_of_the_cases_says_how_good_the_confidence_is() -> None:
    scores = random_scores(classes=1)
    dice = dice_of(scores)
    best = summarize_failure_prediction(replace(scores, foreground_confidence=dice[:, None]))
    worst = summarize_failure_prediction(replace(scores, foreground_confidence=-dice[:, None]))
    assert best["spearman"]["value"] == pytest.approx(1)
    assert worst["spearman"]["value"] == pytest.approx(-1)
    assert best["aurc"] == best["aurc_optimal"]
    assert best["aurc"]["value"] < best["aurc_random"]["value"] < worst["aurc"]["value"]
    assert best["aurc_random"]["value"] == pytest.approx(1 - dice.mean())


def test_one_confidence_for_all_has_no_rank_and_one_group_no_interval() -> None:
    scores = random_scores()
    same = replace(scores, foreground_confidence=np.full_like(scores.foreground_confidence, 0.5))
    assert "spearman" not in summarize_failure_prediction(same)
    alone = summarize_failure_prediction(replace(scores, groups=["g"] * len(scores.cases)))
    assert alone["spearman"]["low"] is None


def test_classes_that_no_reference_has_do_not_count() -> None:
    scores = random_scores()
    scores.counts[:, 1, 3] += scores.counts[:, 1, 0] + scores.counts[:, 1, 2]
    scores.counts[:, 1, [0, 2]] = 0
    found = summarize_failure_prediction(scores)
    expected = stats.spearmanr(
        scores.foreground_confidence[:, 0], METRICS["dice"](*scores.counts[:, 0].T)
    )
    assert found["spearman"]["value"] == pytest.approx(expected[0])
