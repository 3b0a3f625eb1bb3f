"""Sweep folders as seg.train writes them, from made-up figures."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.comparison.written import config_of, counts_of, reference, write_run

CASES = 40
EASY = np.random.default_rng(0).beta(7, 2.5, CASES)
SIZES = reference(CASES)


def folder_name(number: int, overrides: Sequence[str]) -> str:
    return f"{number}_{','.join(overrides)}"


def write_job(
    sweep: Path,
    number: int,
    overrides: Sequence[str],
    *,
    val: float | None = None,
    shift: float = 0.0,
    status: str = "finished",
    error: str | None = None,
    cases: slice = slice(None),
    **config: Any,
) -> Path:
    """One job. val: its best val/dice. cases: of the test; shift: of their Dice."""
    folder = sweep / folder_name(number, overrides)
    noise = np.random.default_rng(number + 1).normal(0, 0.04, CASES)
    counts = counts_of(SIZES[cases], (EASY + shift + noise)[cases])
    names = [f"images/{i:03}.png" for i in range(CASES)][cases]
    content = config_of(**{"dataset.marker": " ".join(o for o in overrides if "seed=" not in o
                                                      and "fold=" not in o), **config})  # fmt: skip
    for line in overrides:
        key, _, value = line.partition("=")
        if key == "seed":
            content["seed"] = int(value)
        if key == "dataset.split.fold":
            content["dataset"]["split"]["fold"] = int(value)
    write_run(folder, counts=counts, cases=names, config=content, status=status)
    facts = json.loads((folder / "run.json").read_text())
    facts |= {"cpu_seconds": 8.5} | ({"error": error} if error else {})
    if val is not None:
        facts |= {"val/dice": val, "best_epoch": 3}
    (folder / "run.json").write_text(json.dumps(facts))
    return folder


def write_plan(sweep: Path, jobs: Sequence[Sequence[str]], command: str = "") -> None:
    """sweep.json, jobs by their swept overrides."""
    content = {
        "command": command or "python -m seg.train --multirun loss=bce,dice",
        "started": "2026-01-01T00:00:00+00:00",
        "jobs": [
            {"number": i, "overrides": list(lines), "folder": folder_name(i, lines)}
            for i, lines in enumerate(jobs)
        ],
    }
    (sweep / "sweep.json").write_text(json.dumps(content))


def grid(sweep: Path, scores: dict[tuple[str, str], float | None]) -> list[list[str]]:
    """A sweep over loss and lr; a score of None is a job that failed. Returns the overrides."""
    lines = [[f"loss={loss}", f"optimizer.lr={lr}"] for loss, lr in scores]
    for i, ((loss, lr), val) in enumerate(scores.items()):
        if val is None:
            write_job(sweep, i, lines[i], status="failed", error=f"nan with {loss} {lr}")
        else:
            write_job(sweep, i, lines[i], val=val, shift=val - 0.7)
    write_plan(sweep, lines)
    return lines
