"""A comparison of runs as files, as a page and on the console."""

from collections.abc import Sequence
from pathlib import Path

from seg.comparison.summary import Comparison
from seg.report.comparison import robustness
from seg.report.comparison.console import show
from seg.report.comparison.files import leaderboard_csv, pairs_csv
from seg.report.comparison.page import markdown, page
from seg.runs.atomic import write_text

__all__ = ["show", "write"]


def write(comparison: Comparison, folder: Path, *, also: Sequence[str] = ()) -> None:
    """leaderboard.csv, .md and .html, and pairs.csv, in a folder that is made; robustness.png where
    all were evaluated with protocol=robustness, also in the formats `also`.
    """
    write_text(folder / "leaderboard.csv", leaderboard_csv(comparison))
    write_text(folder / "pairs.csv", pairs_csv(comparison))
    write_text(folder / "leaderboard.md", markdown(comparison))
    write_text(folder / "leaderboard.html", page(comparison))
    robustness.draw(comparison, folder, also=also)
