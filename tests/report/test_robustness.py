"""The picture of robustness, and its table on the console."""

import io
from pathlib import Path
from typing import Any

import cv2
import pytest
from rich.console import Console

from seg.evaluation.corruptions import UNITS
from seg.evaluation.summary import summarize_evaluation
from seg.report.results import show_evaluation
from seg.report.robustness import draw
from tests.evaluation.random_scores import random_scores


def content_of(level: float, *, strengths: int = 5, interval: bool = True) -> dict[str, Any]:
    """What the JSON of an evaluation says, Dice falling from `level`."""

    def figure(value: float) -> dict[str, float | None]:
        ends = (value - 0.05, value + 0.05) if interval else (None, None)
        return {"value": value, "low": ends[0], "high": ends[1]}

    falls = [figure(level * 0.9**i) for i in range(1, strengths + 1)]
    corruptions = {
        name: {"unit": unit, "amounts": list(range(1, strengths + 1)), "dice": falls,
               "mean": falls[0]}
        for name, unit in UNITS.items()
    }  # fmt: skip
    return {
        "clean": figure(level), "mean_corruption_dice": figure(level * 0.7),
        "ratio_to_clean": figure(0.7), "corruptions": corruptions,
    }  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 12])
@pytest.mark.parametrize("interval", [True, False])
def test_networks_are_drawn_beside_each_other(count: int, interval: bool, tmp_path: Path) -> None:
    names = [f"$_{i} <b>" for i in range(count)]
    curves = {name: content_of(0.9 - i / 20, interval=interval) for i, name in enumerate(names)}
    draw(curves, tmp_path / "robustness.png")
    assert cv2.imread(str(tmp_path / "robustness.png")).std() > 1


@pytest.mark.parametrize("left", [1, 2, 4])
def test_fewer_corruptions_and_strengths_are_drawn(left: int, tmp_path: Path) -> None:
    content = content_of(0.8, strengths=1)
    content["corruptions"] = dict(list(content["corruptions"].items())[:left])
    draw({"a": content}, tmp_path / "robustness.png")
    assert cv2.imread(str(tmp_path / "robustness.png")).std() > 1


def test_the_console_has_a_row_for_each_corruption(tmp_path: Path) -> None:
    robustness = content_of(0.8)
    robustness["corruptions"]["blur"]["dice"] = robustness["corruptions"]["blur"]["dice"][:2]
    content = summarize_evaluation(
        random_scores(), ["a", "b"], split="test", checkpoint="x/best.ckpt", unit="pixels",
        protocols={}, robustness=robustness,
    )  # fmt: skip
    console = Console(file=io.StringIO(), width=120)
    show_evaluation(content, tmp_path, console)
    text = console.file.getvalue()
    rows = {line.split()[1]: line for line in text.splitlines() if line.startswith("│")}
    assert rows.keys() >= UNITS.keys()
    assert "0.472" in rows["noise"]
    assert "0.472" not in rows["blur"]
    assert "0.5600 (0.510 - 0.610)" in text
