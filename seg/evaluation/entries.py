"""What the JSON of a test or an evaluation says of each figure: its interval, or none."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Json = dict[str, Any]


def with_intervals(
    values: Mapping[str, float],
    bounds: Mapping[str, Sequence[float]],
    counts: NDArray,
    groups: Sequence[str],
) -> Json:
    """Figures as value, low and high. A figure that stands on a single group has no interval: that
    tells nothing about other groups.

    Args:
        values: of each figure.
        bounds: low and high of each.
        counts: tp, fp, fn, tn of M cases, (M, 4) of one class or (M, C, 4).
        groups: the group of each case.
    """
    has_class = counts[..., 0] + counts[..., 2] > 0
    names = np.asarray(groups)
    positive = max(len(set(names[column])) for column in has_class.reshape(len(names), -1).T)
    figures = {}
    for name, value in values.items():
        units = positive if name.endswith("_positive") else len(set(groups))
        low, high = bounds[name] if units > 1 else (None, None)
        figures[name] = {"value": value, "low": low, "high": high}
    return figures


def with_absent(classes: Json, class_names: Sequence[str], metrics: Json) -> Json:
    """The classes in their order; those without a reference pixel have every figure as None."""
    nothing = {name: dict.fromkeys(("value", "low", "high")) for name in metrics}
    return {name: classes.get(name, nothing) for name in class_names}


def false_positives(counts: NDArray, class_names: Sequence[str], exists: NDArray) -> Json:
    """Of each class without a reference pixel, where it was predicted; nothing without such."""
    cases, pixels = (counts[..., 1] > 0).sum(0), counts[..., 1].sum(0)
    absent = {
        class_names[j]: {"false_positive_cases": int(cases[j]), "false_positives": int(pixels[j])}
        for j in np.flatnonzero(~exists)
    }
    return {"absent": absent} if absent else {}
