"""matrix.csv: a line for each configuration and data set."""

from typing import Any

from seg.comparison.matrix import Matrix
from seg.report.comparison.files import as_csv
from seg.report.matrix import text

COLUMNS = (
    "configuration", "trained_on", "dataset", "own", "best", "metric", "value", "low", "high",
    "cases", "groups", "runs", "missing_runs", "trained_cases", "problem", "commands", "folders",
)  # fmt: skip


def matrix_csv(matrix: Matrix) -> str:
    """The table in the long form, as a spreadsheet pivots it."""
    gaps = {(gap.row, gap.column): gap for gap in text.gaps(matrix)}
    rows: list[dict[str, Any]] = []
    for i, row in enumerate(matrix.rows):
        for column in matrix.columns:
            cell, gap = column.cells[i], gaps.get((row.label, column.name))
            figure = () if cell.figure is None else cell.figure
            rows.append(
                {
                    "configuration": row.label,
                    "trained_on": matrix.trained_on(i),
                    "dataset": column.name,
                    "own": cell.is_own,
                    "best": cell.is_best,
                    "metric": matrix.metric.name,
                    **dict(zip(("value", "low", "high"), figure, strict=False)),
                    "cases": cell.cases,
                    "groups": cell.groups,
                    "runs": cell.runs,
                    "missing_runs": len(cell.missing),
                    "trained_cases": cell.seen,
                    "problem": gap.why if gap else "",
                    "commands": "\n".join(gap.commands) if gap else "",
                    "folders": "; ".join(str(run.folder.path) for run in row.runs),
                }
            )
    return as_csv(COLUMNS, rows)
