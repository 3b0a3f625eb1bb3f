"""Run folders side by side: ranked, tested on the same cases, and written as a leaderboard."""

from pathlib import Path

from seg.comparison.ranking import Comparison, compare
from seg.comparison.runs import Run, find, read_runs
from seg.report.comparison.console import show
from seg.report.comparison.files import markdown, write_csv, write_pairs
from seg.report.comparison.page import page

__all__ = ["Comparison", "Run", "compare", "find", "read_runs", "show", "write"]


def write(comparison: Comparison, folder: Path) -> None:
    """leaderboard.csv, .md and .html, and pairs.csv, in a folder that is made."""
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(comparison, folder / "leaderboard.csv")
    write_pairs(comparison, folder / "pairs.csv")
    (folder / "leaderboard.md").write_text(markdown(comparison), encoding="utf-8")
    (folder / "leaderboard.html").write_text(page(comparison), encoding="utf-8")
