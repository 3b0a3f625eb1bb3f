"""The leaderboard of a sweep: leaderboard.csv, leaderboard.html, and a screen of it.

It can be made of whatever a kill has left of a sweep: a folder that cannot be read is a row that
tells why.
"""

from pathlib import Path
from typing import Any

from seg.comparison.configurations import Progress
from seg.comparison.sweep_jobs import as_csv, make_rows, read_jobs, read_plan, unfinished
from seg.comparison.sweep_test import by_validation, compare_with_first
from seg.report.sweep.console import show
from seg.report.sweep.page import page
from seg.runs.atomic import write_text

__all__ = ["show", "unfinished", "write"]


def write(sweep: Path, *, progress: Progress = lambda it, n, t: it) -> list[dict[str, Any]]:
    """Write both files into the sweep's folder.
    Returns:
        A row a job, best first by val/dice: a sweep must not choose by the test.
    """
    configurations = by_validation(read_jobs(sweep, progress=progress))
    test = compare_with_first(configurations)
    rows = make_rows(configurations, test)
    write_text(sweep / "leaderboard.csv", as_csv(rows))
    html = page(sweep, plan=read_plan(sweep), configurations=configurations, test=test, rows=rows)
    write_text(sweep / "leaderboard.html", html)
    return rows
