"""Uncertainty of a figure: the bootstrap, resampled by group, and the interval over seeds."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats


def bootstrap(
    counts: NDArray,
    groups: Sequence[str],
    figures: Callable[[NDArray, Sequence[str]], dict[str, float]],
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Percentile interval of every figure of a table. Efron and Tibshirani 1993, chapter 13.

    Args:
        counts: (M, ...), a row for each case.
        groups: the group of each case; whole groups are drawn with replacement, since cases of one
            patient are not independent.
        figures: rows and their groups to named figures; a group that is drawn twice is two groups.
        resamples: how many tables are drawn.
        level: of the interval, 0-1.
        seed: of the draws.

    Returns:
        Low and high end of each figure.
    """
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(index == g) for g in range(len(names))]
    generator = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {}
    known: dict[bytes, dict[str, float]] = {}  # a few groups are drawn alike many times
    for _ in range(resamples):
        chosen = generator.integers(0, len(names), len(names))
        if (draw := chosen.tobytes()) not in known:
            rows = np.concatenate([members[g] for g in chosen])
            copies = np.repeat(np.arange(len(chosen)), [len(members[g]) for g in chosen])
            known[draw] = figures(counts[rows], copies.tolist())
        for name, value in known[draw].items():
            drawn.setdefault(name, []).append(value)
    tails = [100 * (1 - level) / 2, 100 * (1 + level) / 2]
    return {name: tuple(np.percentile(values, tails).tolist()) for name, values in drawn.items()}


def group_weights(groups: int, *, resamples: int = 1000, seed: int = 0) -> NDArray[np.float64]:
    """How often `bootstrap` draws each of a number of groups, (resamples, groups).

    A figure made of sums over groups is resampled by one matrix product with these weights.
    """
    generator = np.random.default_rng(seed)
    weights = np.empty((resamples, groups))
    for row in weights:
        row[:] = np.bincount(generator.integers(0, groups, groups), minlength=groups)
    return weights


def t_interval(
    values: Sequence[float],
    *,
    level: float = 0.95,
    within: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[float, float]:
    """Student's interval of the mean of a few independent values (seeds). Student 1908.

    Two values have none: with one degree of freedom it is 12.7 standard errors to each side, and
    says less than the two values themselves. The ends are cut to the range of the figure: the mean
    lies in that range, so the cut interval covers it as often as the whole one.

    Args:
        values: of each seed.
        level: of the interval, 0-1.
        within: the least and greatest value of the figure, such as 0 and 1 for Dice.
    Returns:
        Low and high end; NaN for fewer than three values.
    """
    if len(values) < 3:
        return math.nan, math.nan
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * stats.sem(values)
    mean = float(np.mean(values))
    return max(mean - float(half), within[0]), min(mean + float(half), within[1])
