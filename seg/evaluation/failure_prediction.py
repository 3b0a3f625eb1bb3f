"""How well the confidence of a mask tells which cases went wrong."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from seg.evaluation.bootstrap import bootstrap
from seg.evaluation.entries import Json, with_intervals
from seg.evaluation.score import CaseScores
from seg.metrics.overlap import METRICS, existing_in
from seg.metrics.risk_coverage import aurc

FIRST = 5  # cases that are named


def confidence_and_dice(scores: CaseScores) -> NDArray[np.float64]:
    """(M, 2): confidence and Dice of each case, means over the classes that any reference has."""
    dice = METRICS["dice"](*np.moveaxis(scores.counts, -1, 0))
    exists = existing_in(scores.counts)
    return np.column_stack([v[:, exists].mean(1) for v in (scores.foreground_confidence, dice)])


def summarize_failure_prediction(scores: CaseScores) -> Json:
    """What the JSON of an evaluation says of it.

    Returns:
        `spearman`: rank correlation of foreground confidence and Dice, left out where one of them
        is the same in all cases. `aurc`: area under the risk-coverage curve, the risk is 1 - Dice;
        `aurc_optimal` and `aurc_random` are those of the true order and of any order. Each with its
        interval. `review_first`: the cases of lowest confidence, the lowest first.
    """
    table = confidence_and_dice(scores)
    bounds = bootstrap(table, scores.groups, lambda rows, _: _figures(rows))
    order = np.argsort(table[:, 0], kind="stable")[:FIRST].tolist()
    first: list[dict[str, Any]] = [
        {"case": scores.cases[i], "foreground_confidence": float(table[i, 0])} for i in order
    ]
    figures = with_intervals(_figures(table), bounds, scores.counts, scores.groups)
    return {**figures, "review_first": first}


def _figures(table: NDArray[np.float64]) -> dict[str, float]:
    confidence, dice = table.T
    figures = {
        "aurc": aurc(confidence, 1 - dice),
        "aurc_optimal": aurc(dice, 1 - dice),
        "aurc_random": float(1 - dice.mean()),
    }
    if len(np.unique(confidence)) > 1 and len(np.unique(dice)) > 1:
        ranks = rankdata(table, axis=0)
        figures = {"spearman": float(np.corrcoef(ranks.T)[0, 1])} | figures
    return figures
