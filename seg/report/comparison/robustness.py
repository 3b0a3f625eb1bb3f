"""robustness.png of a comparison: the curves of its configurations side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seg.comparison.summary import Comparison
from seg.report import robustness
from seg.report.palette import SERIES

FILE = "robustness.png"


def draw(comparison: Comparison, folder: Path, *, also: Sequence[str] = ()) -> None:
    """Draw the best configurations, if all their runs were evaluated with protocol=robustness and
    the same amounts; else remove the picture of an earlier comparison.
    """
    (folder / FILE).unlink(missing_ok=True)
    best = comparison.entries[: len(SERIES)]
    by_label = {
        entry.label: [run.result.facts.get("robustness") for run in entry.configuration.runs]
        for entry in best
    }
    every = [content for contents in by_label.values() for content in contents]
    if any(content is None or _amounts(content) != _amounts(every[0]) for content in every):
        return
    curves = {label: _mean(contents) for label, contents in by_label.items()}
    robustness.draw(curves, folder / FILE, also=also)


def _amounts(content: dict[str, Any] | None) -> dict[str, list[float]]:
    corruptions = {} if content is None else content["corruptions"]
    return {name: corruption["amounts"] for name, corruption in corruptions.items()}


def _mean(nodes: Sequence[Any]) -> Any:
    """Contents of one form with the mean of every number: of several seeds or folds."""
    first = nodes[0]
    if isinstance(first, dict):
        return {key: _mean([node[key] for node in nodes]) for key in first}
    if isinstance(first, list):
        return [_mean(items) for items in zip(*nodes, strict=True)]
    return float(np.mean(nodes)) if isinstance(first, float | int) else first
