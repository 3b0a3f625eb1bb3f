"""Uncertainty of a figure: the bootstrap, resampled by group."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray


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

    counts: (M, ...), a row a case. groups: a name for each; whole groups are drawn with
        replacement, since cases of one patient are not independent. figures: a table and its groups
        to named figures; a group that is drawn twice counts as two.
    """
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(index == g) for g in range(len(names))]
    generator = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {}
    for _ in range(resamples):
        chosen = generator.integers(0, len(names), len(names))
        rows = np.concatenate([members[g] for g in chosen])
        copies = np.repeat(np.arange(len(chosen)), [len(members[g]) for g in chosen])
        for name, value in figures(counts[rows], copies.tolist()).items():
            drawn.setdefault(name, []).append(value)
    tails = [100 * (1 - level) / 2, 100 * (1 + level) / 2]
    return {name: tuple(np.percentile(values, tails).tolist()) for name, values in drawn.items()}
