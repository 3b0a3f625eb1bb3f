"""The risk-coverage curve against a plain loop, and cases of one confidence against all orders."""

from itertools import permutations

import numpy as np
import pytest

from seg.metrics.risk_coverage import aurc, risk_coverage


def _reference_curve(confidence: list[float], risk: list[float]) -> list[float]:
    order = sorted(range(len(risk)), key=lambda i: -confidence[i])
    curve, total = [], 0.0
    for n, i in enumerate(order, start=1):
        total += risk[i]
        curve.append(total / n)
    return curve


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_mean_risk_of_the_surest_cases(seed: int) -> None:
    confidence, risk = np.random.default_rng(seed).random((2, 25))
    expected = _reference_curve(confidence.tolist(), risk.tolist())
    np.testing.assert_allclose(risk_coverage(confidence, risk), expected)
    assert aurc(confidence, risk) == pytest.approx(np.mean(expected))


def test_cases_of_one_confidence_have_the_mean_over_all_their_orders() -> None:
    confidence, risk = np.array([0.5, 0.9, 0.5, 0.5, 0.1]), np.array([0.2, 0.0, 0.8, 0.3, 1.0])
    tied = [0, 2, 3]
    curves = []
    for order in permutations(tied):
        untied = confidence.copy()
        untied[list(order)] += np.array([3e-6, 2e-6, 1e-6])
        curves.append(_reference_curve(untied.tolist(), risk.tolist()))
    np.testing.assert_allclose(risk_coverage(confidence, risk), np.mean(curves, axis=0))


def test_no_order_beats_that_of_the_risk_itself() -> None:
    confidence, risk = np.random.default_rng(0).random((2, 30))
    assert aurc(-risk, risk) < aurc(confidence, risk) < aurc(risk, risk)
    assert aurc(np.zeros(30), risk) == pytest.approx(risk.mean())
