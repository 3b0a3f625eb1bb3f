"""The figures of a test or an evaluation from its table of cases, each with its 95 % interval.

The test that ends a training has counts of pixels alone and resamples them in a loop. An evaluation
also has histograms of probabilities, for which a loop would take minutes: every figure is made of
sums over groups (patients), so a resample is a row of weights, how often each group was drawn, and
a thousand of them are one matrix product. Both draw the same groups and agree but for rounding.
There are two, so that a training that is repeated gives its test.json to the last digit.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seg.evaluation.bootstrap import bootstrap, group_weights
from seg.evaluation.entries import Json, false_positives, with_absent, with_intervals
from seg.evaluation.failure_prediction import summarize_failure_prediction
from seg.evaluation.score import SURFACE, CaseScores
from seg.metrics.calibration import ece
from seg.metrics.cases import summarize, summarize_class
from seg.metrics.lesions import f1
from seg.metrics.overlap import METRICS, existing_in
from seg.metrics.threshold_curves import average_precision
from seg.runs.case_table import write_cases

TAILS = (2.5, 97.5)
Figures = dict[str, NDArray[np.float64]]  # name -> (R,) resamples; NaN where no case is left


def summarize_test(
    *,
    split: str,
    groups: Sequence[str],
    class_names: Sequence[str],
    counts: NDArray,
    size: Sequence[int] | None,
) -> dict[str, Any]:
    """What test.json holds.

    Args:
        split: the name of the split.
        groups: the group of each of M cases.
        class_names: C foreground classes.
        counts: (M, C, 4) tp, fp, fn, tn in pixels.
        size: height and width, in pixels, at which the masks were compared; None: their own.
    """
    # A group of one slice is a volume too, also in a resample that has no other.
    has_volumes = len(set(groups)) < len(groups)
    exists = existing_in(counts)
    of_all = partial(summarize, classes=exists)  # also those that a resample lacks

    def intervals(table: NDArray, measure: Any) -> Json:
        values = measure(table, groups if has_volumes else None)
        bounds = bootstrap(table, groups, lambda t, g: measure(t, g if has_volumes else None))
        return with_intervals(values, bounds, table, groups)

    classes = {
        name: intervals(counts[:, j], summarize_class)
        for j, name in enumerate(class_names)
        if exists[j]
    }
    metrics = intervals(counts, of_all) if len(class_names) > 1 else classes[class_names[0]]
    return {
        "split": split,
        "cases": len(counts),
        "groups": len(set(groups)),
        "size": "original" if size is None else list(size),
        "metrics": metrics,
        "classes": with_absent(classes, class_names, metrics),
        **false_positives(counts, class_names, exists),
    }


def summarize_evaluation(
    scores: CaseScores,
    class_names: Sequence[str],
    *,
    split: str,
    protocols: dict[str, dict[str, Any]],
    **facts: Any,
) -> dict[str, Any]:
    """What <split>.json of an evaluation holds.

    `metrics` are the means over the classes that the reference masks have. A figure that no case
    can have, such as that of positive images where there is none, is left out.

    Args:
        scores: the table of cases.
        class_names: the foreground classes.
        split: the name of the split or data set.
        protocols: the figures of each protocol.
        facts: further entries: how the masks were made.
    """
    groups = len(set(scores.groups))
    columns = _columns(scores)
    exists = existing_in(scores.counts)
    values, resampled = (
        {j: _class_figures(scores, columns, j, weights) for j in np.flatnonzero(exists)}
        for weights in (np.ones((1, groups)), group_weights(groups))
    )

    def intervals(values: Figures, resampled: Figures, counts: NDArray) -> Json:
        known = {name: float(value[0]) for name, value in values.items() if not np.isnan(value[0])}
        bounds = {name: np.nanpercentile(resampled[name], TAILS).tolist() for name in known}
        return with_intervals(known, bounds, counts, scores.groups)

    metrics = intervals(_mean([*values.values()]), _mean([*resampled.values()]), scores.counts)
    classes = {
        class_names[j]: intervals(values[j], resampled[j], scores.counts[:, j]) for j in values
    }
    return {
        "split": split,
        "cases": len(scores.cases),
        "groups": groups,
        "failed": int(scores.failed.sum()),
        "size": "original",
        **facts,
        "metrics": metrics,
        "classes": with_absent(classes, class_names, metrics),
        **false_positives(scores.counts, class_names, exists),
        "failure_prediction": summarize_failure_prediction(scores),
        "protocols": protocols,
    }


def write_scores(path: Path, scores: CaseScores, class_names: Sequence[str]) -> None:
    """Write the per-case table of an evaluation, from which its figures can be made again.

    `failed` is 1 where the prediction was not finite; its figures are the worst there are.
    """
    columns = {name: v for name, v in _columns(scores).items() if name not in METRICS}
    names = ("lesion_tp", "lesion_fp", "lesion_fn")
    lesions = dict(zip(names, np.moveaxis(scores.lesions, -1, 0), strict=True))
    figures = {name: columns.pop(name) for name in SURFACE} | lesions | columns
    figures["foreground_confidence"] = scores.foreground_confidence
    failed = np.broadcast_to(scores.failed[:, None], scores.brier.shape)
    write_cases(
        path,
        cases=scores.cases,
        groups=scores.groups,
        class_names=class_names,
        counts=scores.counts,
        figures=figures | {"failed": failed.astype(int)},
        digits=".12g",
    )


def worst_median_best(counts: NDArray, rows: int) -> dict[str, list[int]]:
    """Positions of the `rows` cases with the lowest, middle and highest Dice, mean over the classes
    that any of them has.

    Cases that are empty in reference and prediction are left out, unless all are.

    Args:
        counts: (M, C, 4) tp, fp, fn, tn in pixels.
        rows: how many cases of each kind; all where there are fewer.
    """
    dice = METRICS["dice"](*np.moveaxis(counts, -1, 0))[:, existing_in(counts)].mean(1)
    visible = counts[..., :3].sum((1, 2)) > 0  # tp, fp or fn
    order = [i for i in np.argsort(dice, kind="stable").tolist() if visible[i] or not visible.any()]
    rows = min(rows, len(order))
    middle = (len(order) - rows) // 2
    return {
        "worst": order[:rows],
        "median": order[middle : middle + rows],
        "best": order[-rows:][::-1],
    }


def _columns(scores: CaseScores) -> dict[str, NDArray[np.float64]]:
    """Every figure of a single case and class, (M, C)."""
    columns = {name: metric(*np.moveaxis(scores.counts, -1, 0)) for name, metric in METRICS.items()}
    columns |= {name: scores.surface[..., i] for i, name in enumerate(SURFACE)}
    columns["lesion_f1"] = f1(*np.moveaxis(scores.lesions, -1, 0))
    columns["brier"] = scores.brier
    columns["ece"] = np.nan_to_num([[ece(bins) for bins in case] for case in scores.bins])
    return columns | scores.more


def _class_figures(
    scores: CaseScores, columns: dict[str, NDArray], index: int, weights: NDArray
) -> Figures:
    """The figures of class `index`, from 0. weights: (R, G), groups in the order of their names."""
    names, group_of = np.unique(np.asarray(scores.groups), return_inverse=True)
    counts = scores.counts[:, index]

    def resampled(values: NDArray) -> NDArray:
        """(M, ...) to the sums over the cases that were drawn, (R, ...)."""
        sums = np.zeros((len(names), *values.shape[1:]))
        np.add.at(sums, group_of, values)
        return np.tensordot(weights, sums, 1)

    cases = resampled(np.ones(len(group_of)))
    figures = {name: resampled(values[:, index]) / cases for name, values in columns.items()}
    positive = counts[:, 0] + counts[:, 2] > 0
    if positive.any():
        number = resampled(positive.astype(float))
        for name in ("dice", "iou"):
            total = resampled(np.where(positive, columns[name][:, index], 0))
            figures[f"{name}_positive"] = np.where(
                number > 0, total / np.maximum(number, 1), np.nan
            )
    pooled = resampled(counts)
    for name, metric in METRICS.items():
        figures[f"{name}_pooled"] = metric(*pooled.T)
    figures["lesion_f1_pooled"] = f1(*resampled(scores.lesions[:, index]).T)
    figures["ece_pooled"] = np.nan_to_num([ece(bins) for bins in resampled(scores.bins[:, index])])
    figures["ap"] = np.array([average_precision(c) for c in resampled(scores.levels[:, index])])
    if len(names) < len(group_of):
        volumes = np.zeros((len(names), 4))
        np.add.at(volumes, group_of, counts)
        for name in ("dice", "iou"):
            figures[f"{name}_group"] = weights @ METRICS[name](*volumes.T) / weights.sum(1)
    return figures


def _mean(by_class: Sequence[Figures]) -> Figures:
    """The mean over the classes that have a figure, as in `summarize`."""
    means: Figures = {}
    for name in dict.fromkeys(name for figures in by_class for name in figures):
        stacked = np.stack([figures[name] for figures in by_class if name in figures])
        known = ~np.isnan(stacked)
        sums = np.where(known, stacked, 0).sum(0)
        means[name] = np.where(known.any(0), sums / np.maximum(known.sum(0), 1), np.nan)
    return means
