"""Risk and coverage: the mean error of the cases that stay when the least sure are set aside."""

import numpy as np
from numpy.typing import NDArray


def risk_coverage(confidence: NDArray, risk: NDArray) -> NDArray[np.float64]:
    """The mean risk of the n surest cases, for n from 1 to M. Geifman and El-Yaniv 2017,
    arXiv:1705.08500.

    Cases of one confidence have no order: their mean risk is taken for each of them.

    Args:
        confidence: (M,), higher is surer.
        risk: (M,), such as 1 - Dice.

    Returns:
        (M,), the last is the mean risk of all cases.
    """
    _, place, count = np.unique(-np.asarray(confidence), return_inverse=True, return_counts=True)
    means = np.bincount(place, risk) / count
    return np.cumsum(np.repeat(means, count)) / np.arange(1, len(place) + 1)


def aurc(confidence: NDArray, risk: NDArray) -> float:
    """The area under the risk-coverage curve: its mean over all coverages; 0 is best."""
    return float(risk_coverage(confidence, risk).mean())
