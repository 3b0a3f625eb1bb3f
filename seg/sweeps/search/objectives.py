"""What a search makes better, and where its figures are read."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

UP = ("dice", "iou", "accuracy", "precision", "recall", "specificity")
COSTS = ("seconds", "parameters")


def problems(names: Sequence[str]) -> list[str]:
    """What is wrong with a list of objectives."""
    found = []
    if not names:
        found.append("hydra.sweeper.objectives=[]: name at least one, such as val/dice")
    for name in names:
        if name.startswith("test/") or name == "test":
            found.append(f"{name}: the test set must not choose; val/{name.partition('/')[2]} may")
        elif direction(name) is None:
            found.append(
                f"{name}: no such figure; there are val/loss, val/ with {', '.join(UP)} and their "
                f"kinds (val/dice_positive, val/dice/CLASS), {', '.join(COSTS)}"
            )
    found += [
        f"{name}: is there twice" for name in sorted({n for n in names if names.count(n) > 1})
    ]
    return [f"hydra.sweeper.objectives: {line}" for line in found]


def direction(name: str) -> str | None:
    """maximize or minimize; None for what is no objective."""
    if name in COSTS or name == "val/loss":
        return "minimize"
    split, _, figure = name.partition("/")
    kind = figure.partition("/")[0].partition("_")[0]
    return "maximize" if split == "val" and kind in UP else None


def read(
    names: Sequence[str], *, record: dict[str, Any], folder: Path, attributes: dict[str, Any]
) -> list[float]:
    """The figures of a finished trial: those of its best epoch, and what it cost.

    record: its run.json. attributes: what its training has told the study. `seconds` are those of
    all epochs, those before a kill included. Raises ValueError naming what is missing or no number.
    """
    rows = _rows(folder / "metrics.csv")
    best = max(rows, key=lambda row: float(row["val/dice"]), default={})
    found = []
    for name in names:
        value = record.get(name)
        if name == "seconds" and rows:
            value = sum(float(row["seconds"]) for row in rows)
        elif name == "parameters":
            value = value or attributes.get("parameters")
        elif value is None:
            value = best.get(name)
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ValueError(f"it has no {name}") from None
        if not math.isfinite(number):
            raise ValueError(f"its {name} is {number}")
        found.append(number)
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))
