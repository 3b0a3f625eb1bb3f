"""Paired tests on the same cases, by group; Holm's correction; sizes of effects.

Permutation: under the null hypothesis the two results of a group could be swapped, so the
difference of the statistic itself is compared with its values under all swaps (or a random sample
of them). For a mean over cases that is the sign-flip test. Pitman 1937; Good 2005.

Shapes: R resamples, n pairs, G groups, C classes, K numbers that make the statistic.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from seg.comparison.statistic import Statistic
from seg.evaluation.bootstrap import group_weights

RESAMPLES = 9999
EXACT_GROUPS = 13  # up to here all 2^G swaps are fewer than the random ones
ALPHA = 0.05
TIE = 1e-12
_CELLS = 300_000  # numbers in memory at once


@dataclass(frozen=True)
class Pair:
    """Entry a tested against entry b; positive numbers are in favour of a.

    Args:
        a: a position.
        b: a position.
        difference: of the statistic.
        low: of the 95 % interval of the difference, bootstrap by group; NaN for a single group.
        high: of the same interval.
        p: two-sided, of this pair alone.
        p_holm: after correction.
        d_z: mean over standard deviation of the groups' differences.
        rank_biserial: -1 to 1.
        share: of the groups where a is better, ties half.
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

    Args:
        p: two-sided p-values.
        family: how many tests there are in all, if more than these.
    """
    values = np.asarray(p, np.float64)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * (np.full(len(values), family or len(values)) - np.arange(len(values)))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted


def corrected(pairs: Sequence[Pair], *, family: int) -> list[Pair]:
    """The pairs with p_holm, after Holm's correction for `family` tests."""
    adjusted = holm([pair.p for pair in pairs], family=family)
    return [replace(pair, p_holm=float(p)) for pair, p in zip(pairs, adjusted, strict=True)]


def resamples_for(family: int) -> int:
    """So many that a p-value can still be small after correction, up to a thousand tests."""
    return max(RESAMPLES, 100 * family) if family <= 1000 else RESAMPLES


def permutation(
    a: NDArray, b: NDArray, statistic: Statistic, *, resamples: int = RESAMPLES, seed: int = 0
) -> NDArray[np.float64]:
    """Two-sided p-values (n,) of a, totals (G, C, K), against each of b, totals (n, G, C, K).

    Exact up to 13 groups, else (1 + hits) / (1 + resamples). For a mean, what is too small for that
    is bounded from above (Hoeffding 1963): the signed sum of differences exceeds z root squares
    with a probability of at most 2 exp(-z^2 / 2).
    """
    count, groups = b.shape[:2]
    exact = groups <= EXACT_GROUPS
    total = 2**groups if exact else resamples
    linear = _is_linear(a, b, statistic)
    swapped = _swapped_means if linear else _swapped_ratios
    observed = np.abs(statistic.of(a.sum(0)) - statistic.of(b.sum(1)))
    generator = np.random.default_rng(seed)
    hits = np.zeros(count)
    step = max(1, _CELLS // (b[:, 0].size + groups))
    for start in range(0, total, step):
        rows = min(step, total - start)
        if exact:
            keep = (np.arange(start, start + rows)[:, None] >> np.arange(groups)) & 1
        else:
            keep = generator.integers(0, 2, (rows, groups), dtype=np.int8)
        differences = swapped(keep.astype(np.float64), a, b, statistic)
        np.abs(differences, out=differences)
        hits += (differences >= observed - 1e-9).sum(0)  # sums in another order are not equal
    p = hits / total if exact else (hits + 1) / (total + 1)
    if linear and not exact:
        parts = _parts(a, b)
        squares = np.maximum((parts**2).sum(0), TIE**2)
        bound = 2 * np.exp(-(parts.sum(0) ** 2) / squares / 2)
        p = np.where(hits == 0, np.minimum(p, bound), p)
    return np.where(np.isfinite(observed), p, 1.0)


def _is_linear(a: NDArray, b: NDArray, statistic: Statistic) -> bool:
    """Whether it is a mean over the same cases in all: then swaps are signs."""
    return statistic.kind != "pooled" and bool((a[..., 1] == b[..., 1]).all())


def _parts(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    """(G, n): what each group adds to the difference of two means over the same cases."""
    cases = a[..., 1].sum(0)  # (C,)
    any_case = cases > 0
    if not any_case.any():
        return np.zeros(b.shape[1::-1])
    return ((a[..., any_case, 0] - b[..., any_case, 0]) / cases[any_case]).mean(-1).T


def _swapped_means(
    keep: NDArray, a: NDArray, b: NDArray, statistic: Statistic
) -> NDArray[np.float64]:
    """(R, n) differences of the statistic where keep (R, G) is 0 for the swapped groups."""
    parts = _parts(a, b)
    return keep @ (2 * parts) - parts.sum(0)


def _swapped_ratios(
    keep: NDArray, a: NDArray, b: NDArray, statistic: Statistic
) -> NDArray[np.float64]:
    """As `_swapped_means`, for any statistic."""
    delta = np.moveaxis(a - b, 0, 1).reshape(len(a), -1)  # (G, n * C * K)
    both = a.sum(0) + b.sum(1)  # (n, C, K), whatever is swapped
    first = b.sum(1) + (keep @ delta).reshape(len(keep), *both.shape)
    return statistic.of(first) - statistic.of(both - first)


def unit_differences(a: NDArray, b: NDArray, statistic: Statistic) -> NDArray[np.float64]:
    """(n, G) difference in favour of a for each group on its own; NaN where it has no value."""
    return statistic.sign * (statistic.of(a) - statistic.of(b))


def wilcoxon(differences: NDArray) -> float:
    """Two-sided p-value of the signed ranks of (G,) differences; zeros are dropped."""
    kept = differences[np.isfinite(differences) & (np.abs(differences) > TIE)]
    return float(stats.wilcoxon(kept).pvalue) if len(kept) else 1.0


def effect_sizes(differences: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Sizes of the effects in (n, G) differences, NaN left out, each (n,): d_z (Cohen 1988),
    matched-pairs rank-biserial correlation (Kerby 2014), and the share above zero, ties half.
    """
    finite = np.isfinite(differences)
    values = np.where(finite, differences, 0)
    count = np.maximum(finite.sum(1), 1)
    mean = values.sum(1) / count
    squares = np.where(finite, (values - mean[:, None]) ** 2, 0).sum(1)
    deviation = np.sqrt(squares / np.maximum(count - 1, 1))
    d_z = np.divide(mean, deviation, out=np.full(len(mean), np.nan), where=deviation > TIE)
    moved = np.abs(values) > TIE
    ranks = stats.rankdata(np.where(moved, np.abs(values), np.inf), axis=1) * moved
    biserial = (ranks * np.sign(values)).sum(1) / np.maximum(ranks.sum(1), 1)
    share = np.where(finite, np.where(moved, values > 0, 0.5), 0).sum(1) / count
    return d_z, biserial, share


def against(
    a: int,
    others: Sequence[int],
    totals: NDArray,
    statistic: Statistic,
    *,
    test: str,
    family: int = 1,
    seed: int = 0,
) -> list[Pair]:
    """Entry a against each of the others, before correction (p_holm is p).

    Args:
        a: its position.
        others: positions of the others.
        totals: (entries, G, C, K).
        statistic: made of these totals.
        test: `permutation` or `wilcoxon`.
        family: of how many tests these will be.
        seed: of swaps and of the bootstrap.
    """
    if not len(others):
        return []
    mine, theirs = totals[a], totals[list(others)]
    differences = unit_differences(mine, theirs, statistic)
    if test == "wilcoxon":
        p = np.array([wilcoxon(row) for row in differences])
    else:
        p = permutation(mine, theirs, statistic, resamples=resamples_for(family), seed=seed)
    values = statistic.sign * (statistic.of(mine.sum(0)) - statistic.of(theirs.sum(1)))
    weights = group_weights(len(mine), seed=seed)
    drawn = resampled(mine[None], statistic, weights) - resampled(theirs, statistic, weights)
    low, high = bounds(statistic.sign * drawn)
    if not statistic.has_interval(mine):
        low, high = np.full((2, len(theirs)), np.nan)
    columns = np.stack([values, low, high, p, p, *effect_sizes(differences)], axis=1)
    return [Pair(a, b, *row) for b, row in zip(others, columns.tolist(), strict=True)]


def resampled(totals: NDArray, statistic: Statistic, weights: NDArray) -> NDArray[np.float64]:
    """(R, n) values of n entries, totals (n, G, C, K), under weights (R, G)."""
    count, groups = totals.shape[:2]
    flat = np.moveaxis(totals, 0, 1).reshape(groups, -1)
    return statistic.of((weights @ flat).reshape(len(weights), count, *totals.shape[2:]))


def bounds(drawn: NDArray) -> NDArray[np.float64]:
    """(2, n) ends of the middle 95 % of (R, n) values; NaN among them is left out."""
    if np.isfinite(drawn).all():
        return np.percentile(drawn, [2.5, 97.5], axis=0)  # many times faster
    result = np.full((2, drawn.shape[1]), np.nan)
    any_finite = np.isfinite(drawn).any(0)
    if any_finite.any():
        result[:, any_finite] = np.nanpercentile(drawn[:, any_finite], [2.5, 97.5], axis=0)
    return result
