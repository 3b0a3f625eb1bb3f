"""A matrix of runs and data sets on the console."""

from math import isnan
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from seg.comparison.column import Cell
from seg.comparison.matrix import Matrix
from seg.report.matrix import text
from seg.report.text import cut, number

ROWS, GAPS = 20, 6
NARROW = 16  # characters of a name, at least


def show(matrix: Matrix, folder: Path, console: Console) -> None:
    """The table, what is missing with its command, the notes, the files."""
    trained = [matrix.trained_on(i) for i in range(len(matrix.rows))]
    is_one = len(set(trained)) == 1
    about = f"trained on {trained[0]}" if is_one else "trained on (rows)"
    table = Table(
        title=f"{matrix.metric.name}: {about}, tested on (columns)",
        caption="* best of its column, by a paired test; own: held-out cases of its own data set",
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    heads = [f"{column.name}\n{text.size(column).split(' in ')[0]}" for column in matrix.columns]
    names = [cut(name, NARROW) for name in trained]
    body = [
        [*([] if is_one else [names[i]]), *(_cell(column.cells[i]) for column in matrix.columns)]
        for i in range(len(matrix.rows[:ROWS]))
    ]
    heads = [*([] if is_one else ["trained on"]), *heads]
    widths = [max(map(_width, column)) for column in zip(heads, *body, strict=True)]
    left = max(console.width - sum(widths) - len(widths) - 4, NARROW)
    table.add_column("configuration", no_wrap=True)
    for head in heads:
        justify = "left" if head == "trained on" else "right"
        table.add_column(escape(head), justify=justify, no_wrap=True)
    for row, cells in zip(matrix.rows, body, strict=False):
        table.add_row(escape(cut(row.label, left)), *map(escape, cells))
    console.print(table)
    more = len(matrix.rows) - ROWS
    lines = [f"... and {more} more in matrix.csv"] if more > 0 else []
    gaps = text.gaps(matrix)
    for gap in gaps[:GAPS]:
        lines.append(f"missing: {gap.row} on {gap.column}: {gap.why}")
        lines += [f"  {command}" for command in gap.commands]
    lines += [f"missing: {len(gaps) - GAPS} more, in matrix.html"] if len(gaps) > GAPS else []
    lines += [f"left out: {run.name}: {run.status}: {run.problem}" for run in matrix.left_out]
    lines += [f"note: {note}" for note in text.notes(matrix)]
    lines.append(f"{folder}: matrix.html, matrix.md, matrix.csv")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _cell(cell: Cell) -> str:
    if cell.figure is None:
        return text.shown(cell)
    value, low, high = cell.figure
    ends = "" if isnan(low) else f"\n{number(low, 2)} - {number(high, 2)}"
    return f"{'*' * cell.is_best}{number(value)}{' own' * cell.is_own}{ends}"


def _width(cell: str) -> int:
    return max(map(len, cell.splitlines()))
