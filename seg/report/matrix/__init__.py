"""Configurations on several data sets as files, as a page and on the console."""

from pathlib import Path

from seg.comparison.matrix import Matrix
from seg.report.matrix.console import show
from seg.report.matrix.files import matrix_csv
from seg.report.matrix.page import markdown, page
from seg.runs.atomic import write_text

__all__ = ["show", "write"]


def write(matrix: Matrix, folder: Path) -> None:
    """matrix.csv, .md and .html, in a folder that is made."""
    write_text(folder / "matrix.csv", matrix_csv(matrix))
    write_text(folder / "matrix.md", markdown(matrix))
    write_text(folder / "matrix.html", page(matrix))
