"""The pictures of an evaluation."""

from pathlib import Path

import cv2
import pytest

from seg.report import diagnostics
from tests.evaluation.random_scores import random_scores


@pytest.mark.parametrize("classes", [1, 2])
def test_pictures_are_drawn_also_of_classes_that_are_nowhere(classes: int, tmp_path: Path) -> None:
    scores = random_scores(classes=classes)
    scores.levels[:, -1, 1] = 0
    scores.bins[:, -1, :, 3:] = 0
    names = ["a", "$b_"][:classes]
    diagnostics.draw(scores, names, 0.5 if classes == 1 else None, tmp_path)
    expected = {"pr_curve.png", "reliability.png", "failure_prediction.png"}
    expected |= {"confusion.png"} if classes > 1 else set()
    assert {path.name for path in tmp_path.iterdir()} == expected
    for path in tmp_path.iterdir():
        assert cv2.imread(str(path)).std() > 1
