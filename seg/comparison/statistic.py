"""A figure of the test as totals over groups and a ratio of them: a resample is a matrix product.

`dice`: mean over images. `dice_positive`: over images whose reference has foreground.
`dice_pooled`: all pixels together. `dice_group`: mean over the groups' volumes. `dice/NAME`: of one
class; else the mean of the classes that the reference masks have, as in
`seg.metrics.cases.summarize`.
"""

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg.evaluation.bootstrap import t_interval
from seg.metrics.overlap import METRICS
from seg.runs.case_table import CaseTable

KINDS = ("positive", "pooled", "group")
VOLUMES = ("dice", "iou")  # what has `_positive` and `_group` in test.json
# Distances, errors, misses and losses; all else is better where it is higher.
LOWER_IS_BETTER = {
    "hd", "hd95", "assd", "asd", "masd", "ece", "brier", "nll", "loss", "lesion_fp", "lesion_fn",
    "failed",
}  # fmt: skip
NO_FIGURES = {"foreground_confidence"}  # the network's own: a surer one is not a better one
SHARES = {  # from 0 to 1
    *METRICS, "nsd", "lesion_f1", "brier", "ece", "failed", "mean_corruption_dice",
}  # fmt: skip


@dataclass(frozen=True)
class Statistic:
    """A figure that every resample of groups can be made for.

    Args:
        name: as the user writes it.
        column: of the case table.
        kind: `image` or one of KINDS.
        index: of the class, None for the mean over classes.
    """

    name: str
    column: str
    kind: str = "image"
    index: int | None = None

    @classmethod
    def named(cls, name: str, tables: Sequence[CaseTable]) -> "Statistic":
        """The statistic of that name. Raises ValueError, with the nearest name, without it."""
        classes = tables[0].classes
        stem, slash, class_name = name.partition("/")
        column, _, kind = stem.rpartition("_")
        known = available(tables, volumes=True)
        if slash and class_name not in classes:
            raise ValueError(f"metric={name}: no such class; there are {', '.join(classes)}")
        index = classes.index(class_name) if slash else None
        if stem in tables[0].values and stem in known:
            return cls(name, stem, "image", index)
        if kind == "positive" and column in known or stem in known:
            return cls(name, column, kind, index)
        near = difflib.get_close_matches(stem, known, n=1)
        raise ValueError(
            f"metric={name}: the runs do not have it{f' (nearest: {near[0]})' if near else ''}; "
            f"there are {', '.join(known)}"
        )

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest value that the figure can have."""
        if self.column in SHARES:
            return 0.0, 1.0
        return (0.0 if self.column in LOWER_IS_BETTER else -math.inf), math.inf

    @property
    def sign(self) -> int:
        """1 if higher is better, else -1."""
        return -1 if self.column in LOWER_IS_BETTER else 1

    def totals(self, tables: Sequence[CaseTable], groups: NDArray[np.intp]) -> NDArray[np.float64]:
        """What each group adds, averaged over the tables (seeds) of the same cases.

        Args:
            tables: with equal cases.
            groups: (M,) number of the group of each case, 0 to G - 1.
        Returns:
            (G, C, K): by group and class, K numbers that `of` makes the figure from.
        """
        return np.mean([self._totals(table, groups) for table in tables], axis=0)

    def _totals(self, table: CaseTable, groups: NDArray[np.intp]) -> NDArray[np.float64]:
        chosen = slice(None) if self.index is None else slice(self.index, self.index + 1)
        counts, exists = table.counts[:, chosen], table.existing[chosen]
        if self.kind in ("pooled", "group"):
            counts = _sum_by(counts, groups)
            if self.kind == "pooled":
                return counts * exists[:, None]
            values = METRICS[self.column](*np.moveaxis(counts, -1, 0))
            return np.stack([values, np.ones_like(values)], axis=-1) * exists[:, None]
        values = table.values[self.column][:, chosen]
        valid = np.isfinite(values) & exists
        if self.kind == "positive":
            valid = valid & (counts[..., 0] + counts[..., 2] > 0)
        return _sum_by(np.stack([np.where(valid, values, 0), valid], axis=-1), groups)

    def has_interval(self, totals: NDArray[np.float64]) -> bool:
        """Whether (G, C, K) totals are of several groups: a single one tells nothing of others."""
        filled = totals.sum(-1) if self.kind == "pooled" else totals[..., 1]
        return bool(((filled > 0).sum(0) > 1).any())

    def of(self, totals: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., C, K) totals to (...) figures; NaN where no case is left to make one of."""
        if self.kind == "pooled":
            by_class = METRICS[self.column](*np.moveaxis(totals, -1, 0))
            by_class = np.where(totals.sum(-1) > 0, by_class, np.nan)
        else:
            above, below = totals[..., 0], totals[..., 1]
            by_class = np.where(below > 0, above / np.where(below > 0, below, 1), np.nan)
        finite = np.isfinite(by_class)
        count = finite.sum(-1)
        mean = np.where(finite, by_class, 0).sum(-1) / np.where(count > 0, count, 1)
        return np.where(count > 0, mean, np.nan)


def _sum_by(values: NDArray, groups: NDArray[np.intp]) -> NDArray[np.float64]:
    """(M, ...) to (G, ...)."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    return np.add.reduceat(values[order].astype(np.float64), starts, axis=0)


def available(tables: Sequence[CaseTable], *, volumes: bool) -> list[str]:
    """Names of the statistics over all classes that every table can give.

    Args:
        tables: at least one.
        volumes: whether groups hold several cases, without which `_group` would say nothing new.
    """
    shared = [c for c in tables[0].values if all(c in table.values for table in tables)]
    columns = [c for c in shared if c not in NO_FIGURES]
    kinds = ["positive", "group"] if volumes else ["positive"]
    names = list(columns)
    names += [f"{c}_{kind}" for kind in kinds for c in VOLUMES if c in columns]
    names += [f"{c}_pooled" for c in METRICS]
    return names


@dataclass(frozen=True)
class Spread:
    """A figure over several seeds, folds or runs.

    Args:
        n: how many values.
        mean: of them.
        deviation: standard deviation with n - 1, NaN for a single value.
        low: of the 95 % t-interval of the mean, NaN without one (see `bootstrap.t_interval`).
        high: of the same interval.
    """

    n: int
    mean: float
    deviation: float
    low: float = math.nan
    high: float = math.nan

    @classmethod
    def over(
        cls, values: Sequence[float], *, within: tuple[float, float] | None = None
    ) -> "Spread":
        """The spread of some values.

        Args:
            values: at least one.
            within: for independent values, such as those of seeds, which then have an interval: the
                range of the figure.
        """
        n, mean = len(values), math.fsum(values) / len(values)
        squares = math.fsum((value - mean) ** 2 for value in values)
        deviation = math.sqrt(squares / (n - 1)) if n > 1 else math.nan
        interval = () if within is None else t_interval(values, within=within)
        return cls(n, mean, deviation, *interval)
