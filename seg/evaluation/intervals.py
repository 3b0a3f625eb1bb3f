"""Every figure of an evaluation with its interval: all resamples of the bootstrap at once.

A figure is made of sums over groups (patients), so a resample is a row of weights, how often each
group was drawn, and a thousand of them are one matrix product. Tested against `summarize`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seg.evaluation.bootstrap import group_weights
from seg.evaluation.score import SURFACE, Table
from seg.metrics.calibration import ece
from seg.metrics.lesions import f1
from seg.metrics.overlap import METRICS
from seg.metrics.threshold_curves import average_precision

TAILS = (2.5, 97.5)
Figures = dict[str, NDArray[np.float64]]  # name -> (R,); NaN where no case is left to stand on


def per_case(table: Table, index: int) -> dict[str, NDArray[np.float64]]:
    """What a row of the per-case table says of class `index` (from 0), each (M,)."""
    columns = {name: metric(*table.counts[:, index].T) for name, metric in METRICS.items()}
    columns |= {name: table.surface[:, index, i] for i, name in enumerate(SURFACE)}
    columns["lesion_f1"] = f1(*table.lesions[:, index].T)
    columns["brier"] = table.brier[:, index]
    columns["ece"] = np.nan_to_num([ece(bins) for bins in table.bins[:, index]])
    return columns


def summary(table: Table, names: Sequence[str]) -> dict[str, dict]:
    """{"metrics": {name: {value, low, high}}, "classes": {class: the same}}.

    names: of the foreground classes. `metrics` are the means over them. A figure with no case to
    stand on, such as that of positive images where there is none, is left out.
    """
    groups = len(set(table.groups))
    once, drawn = np.ones((1, groups)), group_weights(groups)
    values = [_of_class(table, j, once) for j in range(len(names))]
    spread = [_of_class(table, j, drawn) for j in range(len(names))]
    classes = {
        name: _with_intervals(value, resampled)
        for name, value, resampled in zip(names, values, spread, strict=True)
    }
    return {"metrics": _with_intervals(_mean(values), _mean(spread)), "classes": classes}


def _of_class(table: Table, index: int, weights: NDArray) -> Figures:
    """weights: (R, G), of the groups in the order of their sorted names."""
    names, of = np.unique(np.asarray(table.groups), return_inverse=True)
    counts = table.counts[:, index]

    def drawn(values: NDArray) -> NDArray:
        """(M, ...) to its sums over the drawn cases, (R, ...)."""
        sums = np.zeros((len(names), *values.shape[1:]))
        np.add.at(sums, of, values)
        return np.tensordot(weights, sums, 1)

    columns = per_case(table, index)
    cases = drawn(np.ones(len(of)))
    figures = {name: drawn(values) / cases for name, values in columns.items()}
    positive = counts[:, 0] + counts[:, 2] > 0
    if positive.any():
        left = drawn(positive.astype(float))
        for name in ("dice", "iou"):
            above = drawn(np.where(positive, columns[name], 0))
            figures[f"{name}_positive"] = np.where(left > 0, above / np.maximum(left, 1), np.nan)
    pooled = drawn(counts)
    for name, metric in METRICS.items():
        figures[f"{name}_pooled"] = metric(*pooled.T)
    figures["lesion_f1_pooled"] = f1(*drawn(table.lesions[:, index]).T)
    figures["ece_pooled"] = np.nan_to_num([ece(bins) for bins in drawn(table.bins[:, index])])
    figures["ap"] = np.array([average_precision(c) for c in drawn(table.levels[:, index])])
    if len(names) < len(of):
        volumes = np.zeros((len(names), 4))
        np.add.at(volumes, of, counts)
        for name in ("dice", "iou"):
            figures[f"{name}_group"] = weights @ METRICS[name](*volumes.T) / weights.sum(1)
    return figures


def _mean(of_classes: Sequence[Figures]) -> Figures:
    """Mean over those classes that have a figure, as `summarize` has it."""
    means: Figures = {}
    for name in dict.fromkeys(name for figures in of_classes for name in figures):
        stacked = np.stack([figures[name] for figures in of_classes if name in figures])
        there = ~np.isnan(stacked)
        sums = np.where(there, stacked, 0).sum(0)
        means[name] = np.where(there.any(0), sums / np.maximum(there.sum(0), 1), np.nan)
    return means


def _with_intervals(values: Figures, resampled: Figures) -> dict[str, dict[str, float]]:
    found = {}
    for name, value in values.items():
        if np.isnan(value[0]):
            continue
        low, high = np.nanpercentile(resampled[name], TAILS)
        found[name] = {"value": float(value[0]), "low": float(low), "high": float(high)}
    return found
