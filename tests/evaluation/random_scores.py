"""Scores of made-up cases."""

import numpy as np

from seg.evaluation.score import CaseScores, score_case, stack


def random_scores(
    cases: int = 20, *, classes: int = 2, groups: int = 6, seed: int = 0
) -> CaseScores:
    """Every fifth reference is empty, class 2 is in every third, and one prediction failed."""
    rng, rows = np.random.default_rng(seed), []
    for i in range(cases):
        reference = rng.integers(0, classes + 1, (12, 10)).astype(np.uint8)
        reference[reference == 2] *= i % 3 == 0
        reference *= bool(i % 5)
        probs = rng.random((1 if classes == 1 else classes + 1, 12, 10), dtype=np.float32)
        probs = probs if classes == 1 else probs / probs.sum(0)
        mask = (probs[0] > 0.5).astype(np.uint8) if classes == 1 else probs.argmax(0)
        if i == 7:
            probs[:] = np.nan
        rows.append(score_case(probs, mask.astype(np.uint8), reference, case=f"c{i}",
                               group=f"g{rng.integers(groups)}"))  # fmt: skip
    return stack(rows)
