"""How often each training case is drawn in an epoch, where cases with foreground come more often.

An epoch keeps its length. At least a given share of its draws are cases with foreground; among them
a case of a rare class is drawn more often than one of common classes: repeat factor sampling (Gupta
et al. 2019, arXiv:1908.03195) with the commonest class as its threshold. The weight of a case is
the largest sqrt(cases with the commonest class / cases with this class) over its classes.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg.data.class_presence import in_each

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class CaseSampling:
    """Draws the cases of an epoch.

    Args:
        expected: (n,) how often each case is drawn in an epoch on average; in each one this often,
            rounded down or up.
        foreground: (n,) whether a case has any. The draws of these cases are a whole number.
    """

    expected: NDArray[np.float64]
    foreground: NDArray[np.bool_]

    def __str__(self) -> str:
        drawn = self.expected[self.foreground].sum() / self.expected.sum()
        often = self.expected[self.foreground].max() / self.expected[self.foreground].min()
        text = (
            f"{drawn:.0%} of an epoch with foreground ({self.foreground.mean():.0%} of the cases)"
        )
        return text if often < 1.05 else f"{text}, rare classes up to {often:.1f} times as often"

    @property
    def span(self) -> int:
        """Above all `keys` of an epoch."""
        return len(self.expected) * (int(self.expected.max()) + 1)

    def keys(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """An epoch in its order: case + n * (times that it was drawn before), all different.

        Systematic sampling: along a line on which each case is as long as its expected draws, every
        whole number, moved by a random offset, is a draw of the case that it falls on.
        """
        n = len(self.expected)
        parts = (
            rng.permutation(np.flatnonzero(side)) for side in (self.foreground, ~self.foreground)
        )
        line = np.concatenate(list(parts))
        # rounded: sums of fractions miss the whole numbers at which cases begin
        ends = np.floor(np.round(np.cumsum(self.expected[line]), 6) + rng.random())
        draws = np.zeros(n, dtype=np.int64)
        draws[line] = np.diff(ends, prepend=0)
        again = np.arange(draws.sum()) - np.repeat(np.cumsum(draws) - draws, draws)
        return rng.permutation(np.repeat(np.arange(n), draws) + n * again)


def of_cases(
    masks: Sequence[NDArray[np.uint8]],
    rows: Sequence[int],
    *,
    sampling: str,
    share: float,
    classes: int,
    draws: int,
) -> CaseSampling | None:
    """The sampling of some cases; None where all are drawn alike.

    Args:
        masks: of all rows, class indices (H, W) or planes (H, W, K).
        rows: of the training cases.
        sampling: `uniform`, or `foreground`.
        share: of the draws, from 0 to 1, that have foreground at least.
        classes: number of foreground classes.
        draws: in an epoch.
    """
    if sampling == "uniform":
        return None
    expected, foreground = expected_draws(
        in_each(masks, rows, classes=classes), draws=draws, share=share
    )
    if np.allclose(expected, expected.mean()):
        why = f"{foreground.mean():.0%} of the training cases have foreground"
        why += ", and no class is rarer than another" if classes > 1 else ""
        log.warning("dataset.sampling=foreground changes nothing: %s", why)
        return None
    return CaseSampling(expected, foreground)


def expected_draws(
    present: NDArray[np.bool_], *, draws: int, share: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How often each case is drawn in an epoch on average (n,), and whether it has foreground (n,).

    Args:
        present: (n, classes) the classes of each case.
        draws: in an epoch.
        share: of the draws, from 0 to 1, that have foreground at least. Where more of the cases
            have it, the draws have as much of it as the cases.
    """
    foreground = present.any(axis=1)
    positive = int(foreground.sum())
    if positive in (0, len(present)):
        wanted = draws if positive else 0
    else:
        wanted = max(round(draws * positive / len(present)), round(draws * share))
    cases = present.sum(axis=0)
    rarity = np.sqrt(cases.max(initial=0) / np.maximum(cases, 1))  # (classes,)
    weight = np.where(present, rarity, 0.0).max(axis=1, initial=0.0)
    weight[foreground] *= wanted / max(weight.sum(), 1.0)
    weight[~foreground] = (draws - wanted) / max(len(present) - positive, 1)
    return weight, foreground
