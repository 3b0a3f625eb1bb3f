"""A row a job: what leaderboard.csv holds, and the console and the page show."""

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seg.comparison.choices import Choice
from seg.comparison.configurations import spread
from seg.comparison.sweep_jobs import MONITOR, UNSTARTED, Job, number
from seg.comparison.sweep_test import Tested, says

METRIC = "dice"
# Of the configuration that a job belongs to; one job each needs no such columns.
SHARED = "configuration/"


def make_rows(choices: Sequence[Choice], tested: Tested) -> list[dict[str, Any]]:
    """Jobs by their choice, best first; those of one choice in their order.

    `overrides` holds the swept keys. `configuration/...` is of all jobs of the choice: how many,
    their mean val/dice, and the test with folds pooled and seeds averaged. `behind...`: how far
    the first choice is ahead of this one on the test, `behind_shows` what that shows of the first.
    """
    rows = []
    for position, choice in enumerate(choices):
        shared = {"configuration": choice.label, "position": position + 1}
        shared |= _shared(position, choice, tested)
        for job in choice.jobs:
            rows.append(_of_job(job) | shared)
    return rows


def _of_job(job: Job) -> dict[str, Any]:
    row: dict[str, Any] = {
        "run": job.name,
        "number": "" if job.number is None else job.number,
        "status": job.status,
        "error": job.error,
        "overrides": job.overrides,
    }
    if math.isfinite(job.score):
        row[MONITOR] = job.score
    if job.epoch:
        row["best_epoch"] = job.epoch
    if job.status == "finished":
        row |= _test(job.run.folder / "test.json")
    for key in ("seconds", "cpu_seconds"):
        if math.isfinite(number(job.run.facts.get(key))):
            row[key] = job.run.facts[key]
    return row


def _test(path: Path) -> dict[str, float]:
    """Each figure of a test.json with its interval; nothing if it cannot be read."""
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))["metrics"]
        found = {
            f"{name}{end}": number(figure.get(key))
            for name, figure in metrics.items()
            for end, key in (("", "value"), ("_low", "low"), ("_high", "high"))
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # the job's error tells of it
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _shared(position: int, choice: Choice, tested: Tested) -> dict[str, Any]:
    mean, deviation = choice.score
    row: dict[str, Any] = {
        f"{SHARED}made_of": choice.made_of,
        f"{SHARED}jobs": len(choice.jobs),
        f"{SHARED}finished": len(choice.finished),
    }
    if choice.finished:
        row |= {f"{SHARED}{MONITOR}": mean, f"{SHARED}{MONITOR}_deviation": deviation}
    if entry := tested.entries.get(position):
        value, low, high = entry.figures[METRIC]
        row |= {f"{SHARED}{METRIC}": value, f"{SHARED}{METRIC}_low": low}
        row |= {f"{SHARED}{METRIC}_high": high}
        for over, found in (("seeds", entry.seeds), ("folds", entry.folds)):
            if found is not None:
                row |= {f"{SHARED}{METRIC}_{over}_mean": found.mean}
                row |= {f"{SHARED}{METRIC}_{over}_deviation": found.deviation}
                if math.isfinite(found.low):
                    row |= {f"{SHARED}{METRIC}_{over}_low": found.low}
                    row |= {f"{SHARED}{METRIC}_{over}_high": found.high}
    elif len(choice.jobs) == 1 and choice.finished:
        own = _test(choice.jobs[0].run.folder / "test.json")
        row |= {
            f"{SHARED}{k}": v for k, v in own.items() if k.startswith(METRIC + "_") or k == METRIC
        }
    elif choice.finished:  # not pooled, since that could not be compared
        alone = [_test(job.run.folder / "test.json").get(METRIC) for job in choice.finished]
        values = [value for value in alone if value is not None]
        row |= {f"{SHARED}{METRIC}": spread(values)[0]} if values else {}
    if pair := tested.pairs.get(position):
        row |= {"behind": pair.difference, "behind_low": pair.low, "behind_high": pair.high}
        row |= {"behind_p": pair.p_holm, "behind_shows": says(pair)}
    return row


def failed(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The jobs that did not come through, in their order: failed, interrupted, broken, running yet,
    never started. Pruned ones did what they should.
    """
    missing = [row for row in rows if row["status"] not in ("finished", "pruned")]
    return sorted(missing, key=lambda row: math.inf if row["number"] == "" else row["number"])


def died(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The jobs that failed, without those that are yet to be run."""
    return [row for row in failed(rows) if row["status"] not in ("running", UNSTARTED)]


def keys(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The swept keys, in the order in which the jobs name them."""
    by_number = sorted(rows, key=lambda row: (row["number"] == "", row["number"] or 0))
    return list(dict.fromkeys(key for row in by_number for key in row["overrides"]))


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """leaderboard.csv. A column for each swept key; those of configurations where some have several
    jobs.
    """
    several = any(row[f"{SHARED}jobs"] > 1 for row in rows)
    flat = []
    for row in rows:
        first = {k: row[k] for k in ("run", "number", "status", "error")}
        rest = {k: v for k, v in row.items() if k not in first and k != "overrides"}
        if not several:
            rest = {k: v for k, v in rest.items() if not k.startswith(SHARED[:-1])}
        flat.append(first | row["overrides"] | rest)
    order = ["run", "number", "status", "error", *keys(rows), MONITOR, "best_epoch"]
    columns = list(dict.fromkeys([*order, *(key for row in flat for key in row)]))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()
