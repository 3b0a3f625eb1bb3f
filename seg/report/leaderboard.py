"""The leaderboard of a sweep: leaderboard.csv, leaderboard.html, and a screen of it.

Whatever a kill has left of a sweep can be written and shown: a folder that cannot be read is a row
that says so.
"""

from pathlib import Path
from typing import Any

from seg.comparison.choices import by_validation
from seg.comparison.sweep_jobs import Progress, read_jobs
from seg.comparison.sweep_plan import read_plan
from seg.comparison.sweep_rows import as_csv, failed, make_rows
from seg.comparison.sweep_test import compare_with_first
from seg.report.sweep.console import show
from seg.report.sweep.page import page
from seg.runs.atomic import write_text

__all__ = ["failed", "read_jobs", "show", "write"]


def write(sweep: Path, *, progress: Progress = lambda it, n, t: it) -> list[dict[str, Any]]:
    """Both files into the sweep's folder, each whole or not at all; returns the rows, best first.

    The order is that of val/dice: a sweep must not choose by the test.
    """
    choices = by_validation(read_jobs(sweep, progress=progress))
    tested = compare_with_first(choices)
    rows = make_rows(choices, tested)
    write_text(sweep / "leaderboard.csv", as_csv(rows))
    html = page(sweep, plan=read_plan(sweep), choices=choices, tested=tested, rows=rows)
    write_text(sweep / "leaderboard.html", html)
    return rows
