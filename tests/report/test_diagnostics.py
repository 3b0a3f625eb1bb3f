"""The pictures of an evaluation."""

from pathlib import Path

import cv2
import numpy as np
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


def test_precision_has_no_line_where_nothing_is_predicted(tmp_path: Path, monkeypatch) -> None:
    drawn = {}
    monkeypatch.setattr(
        diagnostics.figures, "save", lambda f, path, also: drawn.update({path.stem: f})
    )
    scores = random_scores(classes=1)
    scores.levels[..., -60:] = 0  # no probability is that high
    diagnostics.draw(scores, ["a"], 0.5, tmp_path)
    line = drawn["pr_curve"].axes[0].lines[0]
    recall, precision = line.get_xdata(), line.get_ydata()
    assert np.isnan(precision[recall == 0]).all()
    assert np.isfinite(precision[recall > 0]).all()
    assert (recall == 0).sum() >= 60


def test_every_line_of_a_diagram_is_in_its_legend(tmp_path: Path, monkeypatch) -> None:
    drawn = {}
    monkeypatch.setattr(
        diagnostics.figures, "save", lambda f, path, also: drawn.update({path.stem: f})
    )
    diagnostics.draw(random_scores(classes=2), ["a", "b"], None, tmp_path)
    for name in ("pr_curve", "reliability", "failure_prediction"):
        for axis in drawn[name].axes[:2] if name == "failure_prediction" else drawn[name].axes[:1]:
            lines = [line for line in axis.lines if len(line.get_xdata())]
            assert not [line for line in lines if line.get_label().startswith("_")], name
