"""Paired tests on the same cases, by group; Holm's correction; sizes of effects.

Permutation: under the null hypothesis the two results of a group could be swapped, so the
difference of the figure itself is held against its values under all swaps (or a random sample of
them). For a mean over cases that is the sign-flip test. Pitman 1937; Good 2005.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from seg.comparison.statistic import Statistic
from seg.evaluation.bootstrap import group_weights

RESAMPLES = 9999
EXACT_GROUPS = 13  # up to here all 2^G swaps are fewer than the random ones
ALPHA = 0.05
TESTS = ("permutation", "wilcoxon")
TIE = 1e-12
_CELLS = 300_000  # numbers held at once


@dataclass(frozen=True)
class Pair:
    """a against b, positive numbers in a's favour whichever way the figure points.

    difference, low, high: of the figure, with its 95 % bootstrap interval by group, in the figure's
    own units (a minus b where higher is better). p: two-sided, of this pair alone. p_holm: after
    correction. d_z: mean over deviation of the groups' differences. rank_biserial: -1 to 1. share:
    of the groups where a is better, ties half.
    """

    a: int
    b: int
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    d_z: float
    rank_biserial: float
    share: float

    @property
    def shown(self) -> bool:
        """Whether a is shown to be better; a test of ranks can contradict the means."""
        return self.p_holm < ALPHA and self.difference > 0 and self.rank_biserial > 0


def holm(p: Sequence[float], *, family: int | None = None) -> NDArray[np.float64]:
    """Adjusted p-values in the given order. Holm 1979, Scandinavian Journal of Statistics 6.

    family: how many tests there are in all, if not all of them were calculated.
    """
    values = np.asarray(p, np.float64)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * (np.full(len(values), family or len(values)) - np.arange(len(values)))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted


def resamples_for(family: int) -> int:
    """So many that a p-value can still be small after correction, up to a thousand tests."""
    return max(RESAMPLES, 100 * family) if family <= 1000 else RESAMPLES


def permutation(
    a: NDArray, b: NDArray, figure: Statistic, *, resamples: int = RESAMPLES, seed: int = 0
) -> NDArray[np.float64]:
    """(n,) two-sided p-values of a against each of b.

    a: (G, C, K) totals. b: (n, G, C, K). Exact up to 13 groups, else (1 + hits) / (1 + resamples).
    Of a mean, what is too small for that is bounded from above (Hoeffding 1963): the signed sum of
    differences exceeds z root squares with a probability of at most 2 exp(-z^2 / 2).
    """
    count, groups = b.shape[:2]
    exact = groups <= EXACT_GROUPS
    total = 2**groups if exact else resamples
    linear = _is_linear(a, b, figure)
    swapped = _swapped_means if linear else _swapped_ratios
    observed = np.abs(figure.of(a.sum(0)) - figure.of(b.sum(1)))
    generator = np.random.default_rng(seed)
    hits = np.zeros(count)
    step = max(1, _CELLS // (b[:, 0].size + groups))
    for start in range(0, total, step):
        rows = min(step, total - start)
        if exact:
            keep = (np.arange(start, start + rows)[:, None] >> np.arange(groups)) & 1
        else:
            keep = generator.integers(0, 2, (rows, groups), dtype=np.int8)
        found = swapped(keep.astype(np.float64), a, b, figure)
        np.abs(found, out=found)
        hits += (found >= observed - 1e-9).sum(0)  # sums in another order are not equal
    p = hits / total if exact else (hits + 1) / (total + 1)
    if linear and not exact:
        parts = _parts(a, b)
        squares = np.maximum((parts**2).sum(0), TIE**2)
        bound = 2 * np.exp(-(parts.sum(0) ** 2) / squares / 2)
        p = np.where(hits == 0, np.minimum(p, bound), p)
    return np.where(np.isfinite(observed), p, 1.0)


def _is_linear(a: NDArray, b: NDArray, figure: Statistic) -> bool:
    """Whether the figure is a mean over the same cases in all: then swaps are signs."""
    return figure.kind != "pooled" and bool((a[..., 1] == b[..., 1]).all())


def _parts(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    """(G, n): what each group adds to the difference of two means over the same cases."""
    cases = a[..., 1].sum(0)  # (C,)
    there = cases > 0
    if not there.any():
        return np.zeros(b.shape[1::-1])
    return ((a[..., there, 0] - b[..., there, 0]) / cases[there]).mean(-1).T


def _swapped_means(keep: NDArray, a: NDArray, b: NDArray, figure: Statistic) -> NDArray[np.float64]:
    """(R, n) differences of the figure where keep (R, G) is 0 for the groups that are swapped."""
    parts = _parts(a, b)
    return keep @ (2 * parts) - parts.sum(0)


def _swapped_ratios(
    keep: NDArray, a: NDArray, b: NDArray, figure: Statistic
) -> NDArray[np.float64]:
    """The same for any figure of totals."""
    delta = np.moveaxis(a - b, 0, 1).reshape(len(a), -1)  # (G, n * C * K)
    both = a.sum(0) + b.sum(1)  # (n, C, K), whatever is swapped
    first = b.sum(1) + (keep @ delta).reshape(len(keep), *both.shape)
    return figure.of(first) - figure.of(both - first)


def unit_differences(a: NDArray, b: NDArray, figure: Statistic) -> NDArray[np.float64]:
    """(n, G) difference of the figure of each group on its own, in a's favour; NaN without one."""
    return figure.sign * (figure.of(a) - figure.of(b))


def wilcoxon(differences: NDArray) -> float:
    """Two-sided p-value of the signed ranks of (G,) differences; zeros are dropped."""
    kept = differences[np.isfinite(differences) & (np.abs(differences) > TIE)]
    if not len(kept):
        return 1.0
    return float(stats.wilcoxon(kept).pvalue)


def effect_sizes(differences: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """(n,) d_z (Cohen 1988), matched-pairs rank-biserial correlation (Kerby 2014), and share above
    zero, ties half, of (n, G) differences; NaN in them are left out.
    """
    there = np.isfinite(differences)
    values = np.where(there, differences, 0)
    count = np.maximum(there.sum(1), 1)
    mean = values.sum(1) / count
    squares = np.where(there, (values - mean[:, None]) ** 2, 0).sum(1)
    spread = np.sqrt(squares / np.maximum(count - 1, 1))
    d_z = np.divide(mean, spread, out=np.full(len(mean), np.nan), where=spread > TIE)
    moved = np.abs(values) > TIE
    ranks = stats.rankdata(np.where(moved, np.abs(values), np.inf), axis=1) * moved
    total = np.maximum(ranks.sum(1), 1)
    biserial = (ranks * np.sign(values)).sum(1) / total
    share = np.where(there, np.where(moved, values > 0, 0.5), 0).sum(1) / count
    return d_z, biserial, share


def against(
    a: int,
    others: Sequence[int],
    totals: NDArray,
    figure: Statistic,
    *,
    test: str,
    family: int = 1,
    seed: int = 0,
) -> list[Pair]:
    """Entry a against each of the others, before correction (p_holm is p).

    totals: (entries, G, C, K). family: of how many tests these will be.
    """
    if not len(others):
        return []
    mine, theirs = totals[a], totals[list(others)]
    differences = unit_differences(mine, theirs, figure)
    if test == "wilcoxon":
        p = np.array([wilcoxon(row) for row in differences])
    else:
        p = permutation(mine, theirs, figure, resamples=resamples_for(family), seed=seed)
    values = figure.sign * (figure.of(mine.sum(0)) - figure.of(theirs.sum(1)))
    d_z, biserial, share = effect_sizes(differences)
    low, high = _intervals(mine, theirs, figure, seed=seed)
    return [
        Pair(a, b, float(values[i]), float(low[i]), float(high[i]), float(p[i]), float(p[i]),
             float(d_z[i]), float(biserial[i]), float(share[i]))
        for i, b in enumerate(others)
    ]  # fmt: skip


def _intervals(a: NDArray, b: NDArray, figure: Statistic, *, seed: int) -> NDArray[np.float64]:
    """(2, n) bounds of the 95 % interval of the difference, groups drawn with replacement."""
    weights = group_weights(len(a), seed=seed)
    mine = resampled(a[None], figure, weights)
    drawn = figure.sign * (mine - resampled(b, figure, weights))
    return bounds(drawn)


def resampled(totals: NDArray, figure: Statistic, weights: NDArray) -> NDArray[np.float64]:
    """(R, n) figures of n entries, totals (n, G, C, K), under weights (R, G)."""
    count, groups = totals.shape[:2]
    flat = np.moveaxis(totals, 0, 1).reshape(groups, -1)
    return figure.of((weights @ flat).reshape(len(weights), count, *totals.shape[2:]))


def bounds(drawn: NDArray) -> NDArray[np.float64]:
    """(2, n) ends of the middle 95 % of (R, n) figures; resamples without a figure are left out."""
    if np.isfinite(drawn).all():
        return np.percentile(drawn, [2.5, 97.5], axis=0)  # many times faster
    result = np.full((2, drawn.shape[1]), np.nan)
    there = np.isfinite(drawn).any(0)
    if there.any():
        result[:, there] = np.nanpercentile(drawn[:, there], [2.5, 97.5], axis=0)
    return result
