"""The jobs of a sweep, those that never started too, and what their folders tell of them."""

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg.comparison.runs import Run, read_run
from seg.comparison.sweep_plan import Plan, Planned, of_folder, read_plan

MONITOR = "val/dice"
UNSTARTED = "never started"
Progress = Callable[[Iterator, int, str], Iterator]


@dataclass(frozen=True)
class Job:
    """overrides: what sets it apart, key to value. status: of run.json, `never started`, or
    `broken` where that cannot be read. error: one line, "" if all is well. score: highest val/dice,
    NaN before the first epoch; epoch: where that was, from 1, 0 if unknown.
    """

    number: int | None
    overrides: dict[str, str]
    run: Run
    status: str
    error: str
    score: float
    epoch: int

    @property
    def name(self) -> str:
        return self.run.name

    @property
    def is_finished(self) -> bool:
        return self.status == "finished" and math.isfinite(self.score)


def read_jobs(sweep: Path, *, progress: Progress = lambda it, n, t: it) -> list[Job]:
    """All jobs in their order. What is wrong with one is its `error`, never an exception."""
    planned = _planned(sweep, read_plan(sweep))
    return list(progress((_read(sweep, job) for job in planned), len(planned), "jobs read"))


def _planned(sweep: Path, plan: Plan) -> list[Planned]:
    """The jobs of sweep.json, and the folders that look like jobs which it does not name."""
    named = {job.folder for job in plan.jobs}
    found = []
    for entry in sorted(os.scandir(sweep), key=lambda entry: entry.name):
        if entry.name not in named and not entry.name.startswith(".") and entry.is_dir():
            job = of_folder(entry.name)
            if job.number is not None or os.path.exists(os.path.join(entry.path, "run.json")):
                found.append(job)
    return sorted([*plan.jobs, *found], key=lambda job: _place(job.number))


def _place(number: int | None) -> float:
    return math.inf if number is None else number


def _read(sweep: Path, job: Planned) -> Job:
    run = read_run(sweep / job.folder, name=job.folder, source="test", metric="dice")
    status, error = _became(run)
    score, epoch = number(run.facts.get(MONITOR)), number(run.facts.get("best_epoch"))
    if not math.isfinite(score) and run.curve:  # it did not come to its end
        epoch, score = max(run.curve, key=lambda point: point[1])
    return Job(job.number, job.overrides, run, status, error, score,
               int(epoch) if math.isfinite(epoch) else 0)  # fmt: skip


def _became(run: Run) -> tuple[str, str]:
    """Status and error. A run that finished stays one, whatever became of its test's files."""
    if run.status == "unknown":
        return "broken", "run.json: has no status"
    if not run.facts:
        return ("broken", run.problem or "") if run.status == "broken" else (UNSTARTED, "")
    status = run.facts.get("status")
    if not isinstance(status, str):
        return "broken", "run.json: has no status"
    if status == "finished":
        untested = run.status == "incomplete" and not (run.folder / "test.json").exists()
        return status, "" if untested else run.problem or ""
    error = " ".join(str(run.facts.get("error") or "").split())
    return status, error


def number(value: Any) -> float:
    """NaN for what is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else math.nan
