"""The tables of a sweep's page: configurations, and jobs."""

import math
from collections.abc import Sequence
from typing import Any

from seg.comparison.sweep_jobs import MONITOR
from seg.comparison.sweep_rows import METRIC, SHARED, keys
from seg.report.comparison.html import Cell, escaped, label, shortened, table
from seg.report.comparison.page import interval_bar
from seg.report.comparison.text import chance, number
from seg.report.sweep import text

LONG = 25  # rows; more scroll within the page, so that what comes below is found
BESIDE = ("dice_group",)  # of the test; leaderboard.csv has all


def badge(status: str) -> Cell:
    known = f" {status}" if status in text.ORDER else ""
    return Cell(f'<span class="status{known}">{escaped(status)}</span>', status, kind="short")


def _figure(value: float | None, *, strong: bool = False) -> Cell:
    if value is None:
        return Cell("", -math.inf, number=True)
    said = number(value)
    return Cell(f"<b>{said}</b>" if strong else said, value, number=True)


def _with_interval(row: dict[str, Any], name: str, ends: Sequence[float]) -> Cell:
    """The figure, and its interval as a bar."""
    value, low, high = (row.get(f"{name}{end}") for end in ("", "_low", "_high"))
    if value is None or low is None or high is None:
        return _figure(value)
    bar = interval_bar(value, low, high, min(ends), max(ends))
    said = f"{bar}{number(value)}<small>{number(low)} to {number(high)}</small>"
    return Cell(f'<div class="told">{said}</div>', value, number=True)


def _ends(rows: Sequence[dict[str, Any]], name: str) -> list[float]:
    return [row[name + end] for row in rows for end in ("_low", "_high") if name + end in row]


def _behind(row: dict[str, Any]) -> list[Cell]:
    if "behind" not in row:
        return [Cell("", 0.0, number=True), Cell("", 2.0, number=True)]
    low, high = number(row["behind_low"]), number(row["behind_high"])
    return [
        Cell(f"{number(row['behind'])}<small>{low} to {high}</small>", row["behind"], number=True),
        Cell(escaped(chance(row["behind_p"])), row["behind_p"], number=True),
    ]


def configurations(rows: Sequence[dict[str, Any]]) -> str:
    """A row a configuration: its seeds and folds together."""
    name, score = f"{SHARED}{METRIC}", f"{SHARED}{MONITOR}"
    firsts, ends = text.firsts(rows), _ends(rows, name)
    body = []
    for row in firsts:
        done, count = row[f"{SHARED}finished"], row[f"{SHARED}jobs"]
        said = row[f"{SHARED}made_of"] + ("" if done == count else f", {done} of {count} finished")
        body.append([
            Cell(str(row["position"]), row["position"]),
            label(row["configuration"], 64),
            Cell(escaped(said), done),
            _figure(row.get(score), strong=True),
            _figure(row.get(f"{score}_deviation")),
            _with_interval(row, name, ends),
            Cell("".join(_over(row, over) for over in ("seeds", "folds")), kind="short"),
            *_behind(row),
        ])  # fmt: skip
    head = ["", "configuration", "made of", MONITOR, "± over runs", f"test {METRIC}",
            f"mean {METRIC} over", "behind", "p"]  # fmt: skip
    return table(head, body)


def _over(row: dict[str, Any], over: str) -> str:
    """The mean over seeds with its interval; over folds, which share training cases, without."""
    name = f"{SHARED}{METRIC}_{over}"
    if f"{name}_mean" not in row:
        return ""
    said = f"{over} {number(row[f'{name}_mean'])} ± {number(row[f'{name}_deviation'])}"
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    shown = "" if low is None else f"<small>{number(low)} to {number(high)}</small>"
    return f"<div>{escaped(said)}{shown}</div>"


def jobs(rows: Sequence[dict[str, Any]], *, several: bool) -> str:
    """A row a job. several: configurations have a table of their own, which compares them."""
    swept, ends = keys(rows), _ends(rows, METRIC)
    beside = [name for name in BESIDE if any(name in row for row in rows)]
    lost = any(row["error"] for row in rows)
    compared = not several and any("behind" in row for row in rows)
    body = []
    for row in rows:
        cells = [
            Cell(f'<span title="{escaped(row["run"])}">{escaped(row["number"])}</span>'
                 if row["number"] != "" else shortened(row["run"], 24), row["number"]),
            badge(row["status"]),
            *(_value(row["overrides"].get(key)) for key in swept),
            _figure(row.get(MONITOR), strong=row["status"] == "finished"),
            Cell(escaped(row.get("best_epoch", "")), row.get("best_epoch", 0), number=True),
            _with_interval(row, METRIC, ends),
            *(_figure(row.get(name)) for name in beside),
            *(_behind(row) if compared else []),
            Cell(duration(row["seconds"]) if "seconds" in row else "", row.get("seconds", 0),
                 number=True),
        ]  # fmt: skip
        body.append(
            [*cells, Cell(shortened(row["error"], 70), row["error"], kind="why")] if lost else cells
        )
    head = ["job", "status", *swept, MONITOR, "epoch", f"test {METRIC}", *beside,
            *(["behind", "p"] if compared else []), "time"]  # fmt: skip
    head += ["error"] if lost else []
    if not body:
        return "<p>No job has a folder yet.</p>"
    shown = table(head, body)
    return shown if len(body) <= LONG else f'<div class="long">{shown}</div>'


def _value(value: str | None) -> Cell:
    if value is None:
        return Cell('<span class="none">-</span>', "")
    return Cell(shortened(value, 32), value)


def duration(seconds: float) -> str:
    """`48 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
