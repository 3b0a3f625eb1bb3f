"""The figures of a test and of an evaluation on the console."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from seg.evaluation.summary import summarize_evaluation, summarize_test
from seg.report.results import show_evaluation, show_test
from tests.evaluation.random_scores import random_scores


@pytest.mark.parametrize("names", [["polyp"], ["cytoplasm", "nucleus"]])
def test_the_console_shows_every_figure_and_the_folder(names: list[str], tmp_path: Path) -> None:
    counts = np.random.default_rng(0).integers(1, 50, (12, len(names), 4))
    groups = [str(i // len(names)) for i in range(12)]
    content = summarize_test(
        split="test", groups=groups, class_names=names, counts=counts, size=(48, 64)
    )
    console = Console(file=io.StringIO(), width=120)
    show_test(content, tmp_path, console)
    text = console.file.getvalue()
    assert "12 cases" in text
    assert "48x64" in text
    assert str(tmp_path) in text
    for name, figure in content["metrics"].items():
        assert name in text
        assert f"{figure['value']:.4f}" in text
    if len(names) > 1:
        assert all(name in text for name in ("all", *names))


def test_the_console_tells_what_failed_and_keeps_protocols_apart(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=120)
    content = summarize_evaluation(
        random_scores(), ["a[b]", "b"], split="test", checkpoint="x/best.ckpt", unit="pixels",
        protocols={"other": {"dice": 0.5, "error": "[no] case"}},
    )  # fmt: skip
    show_evaluation(content, tmp_path, console)
    text = console.file.getvalue()
    assert "1 of 20" in text
    assert "c7 0.00" in text
    assert f"{content['failure_prediction']['spearman']['value']:.2f}" in text
    assert "a[b]" in text
    assert "[no] case" in text
    assert f"{content['metrics']['dice']['value']:.4f}" in text
    assert "other" in text
