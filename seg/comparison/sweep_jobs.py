"""The jobs of a sweep: planned in sweep.json, read from their folders, and as rows of a table."""

import csv
import io
import json
import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from seg.comparison.configurations import ComparedRun, Configuration, Progress, read_run
from seg.comparison.statistic import Spread
from seg.comparison.sweep_test import SweepTest, result_of
from seg.runs.folder import MONITOR, UNSTARTED, RunFolder
from seg.runs.results import Interval

METRIC = "dice"
# Columns of the configuration that a job belongs to; one job each needs no such columns.
SHARED = "configuration/"


@dataclass(frozen=True)
class PlannedJob:
    """A job that sweep.json names, or a folder of one.

    Args:
        number: None if unknown.
        overrides: what sets it apart.
        folder: its name in the sweep's folder.
    """

    number: int | None
    overrides: dict[str, str]
    folder: str


@dataclass(frozen=True)
class Plan:
    """A sweep as its sweep.json describes it.

    Args:
        command: as it was typed, "" if unknown.
        started: when, "" if unknown.
        jobs: in their order.
        problem: why sweep.json is not used, "" if it is.
    """

    command: str = ""
    started: str = ""
    jobs: list[PlannedJob] = field(default_factory=list)
    problem: str = ""


def read_plan(sweep: Path) -> Plan:
    """sweep.json; an empty plan where there is none that can be read."""
    try:
        content = json.loads((sweep / "sweep.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Plan()
    except (OSError, ValueError) as error:
        return Plan(problem=f"sweep.json: {error}")
    if not isinstance(content, dict):
        return Plan(problem="sweep.json: must hold an object")
    jobs: list[PlannedJob] = []
    try:
        for job in content.get("jobs", []):
            overrides = parse_overrides(map(str, job["overrides"]))
            jobs.append(PlannedJob(int(job["number"]), overrides, str(job["folder"])))
    except (KeyError, TypeError, ValueError):
        return Plan(problem="sweep.json: a job without number, overrides and folder")
    command, started = (str(content.get(key) or "") for key in ("command", "started"))
    return Plan(command, started, jobs)


def parse_overrides(lines: Iterable[str]) -> dict[str, str]:
    """`+model.width=8` to `model.width`, `8`; quotes around a whole value are dropped."""
    overrides = {}
    for line in lines:
        key, _, value = line.partition("=")
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        overrides[key.lstrip("+~")] = value
    return overrides


def parse_folder(name: str) -> PlannedJob:
    """The job that the name of its folder describes, `<n>_<key=value,...>`."""
    number, _, text = name.partition("_")
    if not number.isdecimal():
        return PlannedJob(None, {}, name)
    # a comma within brackets is followed by no key
    lines = re.split(r",(?=[+~]*[\w./@-]+=)", text) if "=" in text else []
    return PlannedJob(int(number), parse_overrides(line for line in lines if "=" in line), name)


def read_jobs(sweep: Path, *, progress: Progress = lambda it, n, t: it) -> list[ComparedRun]:
    """All jobs of a sweep in their order, those without a folder too.

    A job's status is that of run.json, `broken` where it cannot be read; its problem is what is
    wrong with it, None for one that finished without a test split.
    """
    planned = read_plan(sweep).jobs
    named = {job.folder for job in planned}
    for entry in sorted(os.scandir(sweep), key=lambda entry: entry.name):
        if entry.name not in named and not entry.name.startswith(".") and entry.is_dir():
            job = parse_folder(entry.name)
            if job.number is not None or os.path.exists(RunFolder(Path(entry)).status_path):
                planned.append(job)
    planned.sort(key=lambda job: math.inf if job.number is None else job.number)
    jobs = (_read(RunFolder(sweep / job.folder, label=job.folder), job) for job in planned)
    return list(progress(jobs, len(planned), "jobs read"))


def _read(folder: RunFolder, job: PlannedJob) -> ComparedRun:
    run = read_run(folder)
    status, problem = folder.status, None
    if status == "unknown":
        status = "broken"
        problem = folder.problem_with(folder.status_path) or "run.json has no status"
    elif status == UNSTARTED and run.status == "broken":
        status, problem = run.status, run.problem
    elif status == "finished":
        is_untested = run.status == "incomplete" and not folder.test_path.exists()
        problem = None if is_untested else run.problem
    elif status != UNSTARTED and folder.facts.get("error"):
        problem = run.problem
    return replace(run, status=status, problem=problem, number=job.number, overrides=job.overrides)


def make_rows(configurations: Sequence[Configuration], test: SweepTest) -> list[dict[str, Any]]:
    """A row a job, the best configuration's first; those of one configuration in their order.

    `overrides` has the swept keys. `configuration/...` is about all jobs of the configuration: how
    many, their mean val/dice, and the test with folds pooled and seeds averaged. `behind...`: how
    far the first configuration is ahead of this one on the test; `behind_shows` is what that shows
    of the first.
    """
    rows = []
    for position, configuration in enumerate(configurations):
        shared = {"configuration": configuration.label, "position": position + 1}
        shared |= _shared(position, configuration, test)
        rows += [_of_job(job) | shared for job in configuration.runs]
    return rows


def _of_job(job: ComparedRun) -> dict[str, Any]:
    folder = job.folder
    row: dict[str, Any] = {
        "run": job.name,
        "number": "" if job.number is None else job.number,
        "status": job.status,
        "error": job.problem or "",
        "overrides": job.overrides,
    }
    if (MONITOR in folder.facts or job.is_readable) and math.isfinite(folder.best_score):
        row[MONITOR] = folder.best_score
        row |= {"best_epoch": folder.best_epoch} if folder.best_epoch else {}
    row |= _test(job)
    for key in ("seconds", "cpu_seconds"):
        value = folder.facts.get(key)
        if type(value) in (int, float) and math.isfinite(value):
            row[key] = value
    return row


def _test(job: ComparedRun) -> dict[str, float]:
    """Each figure of the job's test with its interval."""
    return {} if job.result is None else _with_ends(job.result.metrics)


def _with_ends(figures: dict[str, Interval]) -> dict[str, float]:
    """`dice`, `dice_low`, `dice_high`, those that are numbers."""
    return {
        f"{name}{end}": value
        for name, interval in figures.items()
        for end, value in zip(("", "_low", "_high"), interval, strict=True)
        if math.isfinite(value)
    }


def _shared(position: int, configuration: Configuration, test: SweepTest) -> dict[str, Any]:
    jobs, finished = configuration.runs, configuration.finished
    row = {"made_of": configuration.made_of, "jobs": len(jobs), "finished": len(finished)}
    if validation := configuration.validation:
        row |= {MONITOR: validation.mean, f"{MONITOR}_deviation": validation.deviation}
    if entry := test.entries.get(position):
        row |= _with_ends({METRIC: entry.figures[METRIC]})
        for over, spread in (("seeds", entry.seeds), ("folds", entry.folds)):
            for key, value in asdict(spread).items() if spread else ():
                if key != "n" and math.isfinite(value):
                    row[f"{METRIC}_{over}_{key}"] = value
    elif finished and len(jobs) == 1:
        row |= {k: v for k, v in _test(jobs[0]).items() if f"{k}_".startswith(f"{METRIC}_")}
    elif finished:  # not pooled, since that could not be compared
        values = [t[METRIC] for t in map(_test, finished) if METRIC in t]
        row |= {METRIC: Spread.over(values).mean} if values else {}
    row = {f"{SHARED}{key}": value for key, value in row.items()}
    if pair := test.pairs.get(position):
        row |= _with_ends({"behind": Interval(pair.difference, pair.low, pair.high)})
        row |= {"behind_p": pair.p_holm, "behind_shows": result_of(pair)}
    return row


def unfinished(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The jobs that are not done, in their order; those that were pruned are."""
    missing = [row for row in rows if row["status"] not in ("finished", "pruned")]
    return sorted(missing, key=lambda row: math.inf if row["number"] == "" else row["number"])


def failed(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The jobs that ended without success: failed, interrupted, broken."""
    return [row for row in unfinished(rows) if row["status"] not in ("running", UNSTARTED)]


def swept_keys(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The swept keys, in the order in which the jobs name them."""
    by_number = sorted(rows, key=lambda row: (row["number"] == "", row["number"] or 0))
    return list(dict.fromkeys(key for row in by_number for key in row["overrides"]))


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """leaderboard.csv: a column for each swept key; those of configurations only where one has
    several jobs.
    """
    several = any(row[f"{SHARED}jobs"] > 1 for row in rows)
    flat = [row | row["overrides"] for row in rows]
    order = ["run", "number", "status", "error", *swept_keys(rows), MONITOR, "best_epoch"]
    columns = [
        key
        for key in dict.fromkeys([*order, *(key for row in flat for key in row)])
        if key != "overrides" and (several or not key.startswith(SHARED[:-1]))
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()
