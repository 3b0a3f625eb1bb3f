"""matrix.html and matrix.md: configurations by data sets, coloured by their figures."""

import math

from seg.comparison.matrix import Matrix
from seg.report import pages
from seg.report.matrix import text


def page(matrix: Matrix) -> str:
    """The whole page."""
    sizes = {column.name: text.size(column) for column in matrix.columns}
    return pages.render("matrix.html", matrix=matrix, text=text, heat=_heat(matrix), sizes=sizes)


def markdown(matrix: Matrix) -> str:
    """The table for a README or an issue."""
    return pages.render("matrix.md", matrix=matrix, text=text)


def _heat(matrix: Matrix) -> list[list[float]]:
    """By row and column 0 (worst) to 1 (best): of the figure's range where it has two ends, else of
    what is in the table; 0 without a figure.
    """
    columns = [[cell.figure for cell in column.cells] for column in matrix.columns]
    values = [figure.value for column in columns for figure in column if figure is not None]
    low, high = matrix.metric.range
    if not math.isfinite(high - low):
        low, high = min(values), max(values)
    span = (high - low) or 1.0

    def heat(value: float) -> float:
        share = (value - low) / span
        return share if matrix.metric.sign > 0 else 1 - share

    return [
        [0.0 if figure is None else heat(figure.value) for figure in row]
        for row in zip(*columns, strict=True)
    ]
