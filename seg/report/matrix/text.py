"""A matrix of runs and data sets in words, and the commands that fill it."""

import shlex
from collections import defaultdict
from typing import NamedTuple

from seg.comparison.column import Cell, Column
from seg.comparison.matrix import Matrix
from seg.report.text import counted, interval


class Gap(NamedTuple):
    """A figure that is not there, or not of all runs.

    Args:
        row: the configuration's name.
        column: the data set's name.
        why: what is wrong, or how many runs lack it.
        commands: that make the missing results; none where they are not known.
    """

    row: str
    column: str
    why: str
    commands: list[str]


def about(matrix: Matrix) -> str:
    """How much was compared."""
    runs = sum(len(row.runs) for row in matrix.rows)
    text = f"{counted(len(matrix.rows), 'configuration')}, {counted(runs, 'run')}, "
    text += counted(len(matrix.columns), "data set")
    if matrix.left_out:
        text += f"; {counted(len(matrix.left_out), 'run')} left out"
    return text


def size(column: Column) -> str:
    """How many cases a data set has: `5 cases`, `60 to 400 cases`, `8 cases in 4 groups`."""
    filled = [cell for cell in column.cells if cell.figure is not None]
    cases, groups = ({getattr(cell, key) for cell in filled} for key in ("cases", "groups"))
    if not cases:
        return "no cases"
    text = counted(min(cases), "case")
    if len(cases) > 1:
        return f"{min(cases)} to {max(cases)} cases"
    return text if groups == cases else f"{text} in {counted(max(groups), 'group')}"


def shown(cell: Cell) -> str:
    """A cell in plain text: the figure with its interval, and its marks."""
    if cell.figure is None:
        return "failed" if cell.problem else "missing"
    marks = "".join(f", {mark}" for mark in marks_of(cell))
    return f"{interval(*cell.figure)}{marks}"


def marks_of(cell: Cell) -> list[str]:
    """What is said of a figure beside its value."""
    marks = ["best"] if cell.is_best else []
    marks += ["own"] if cell.is_own else []
    marks += [f"{cell.seen} of {cell.cases} trained on"] if cell.seen else []
    return marks + (
        [f"{cell.runs} of {cell.runs + len(cell.missing)} runs"] if cell.missing else []
    )


def gaps(matrix: Matrix) -> list[Gap]:
    """All that is missing, in the order of the table."""
    return [
        _gap(row.label, column, cell, is_own=matrix.trained_on(i) == column.name)
        for i, row in enumerate(matrix.rows)
        for column in matrix.columns
        if (cell := column.cells[i]).missing or (cell.problem and cell.figure is None)
    ]


def _gap(row: str, column: Column, cell: Cell, *, is_own: bool) -> Gap:
    absent = f"no result of {counted(len(cell.missing), 'run')}" if cell.missing else ""
    why = " ".join("; ".join(filter(None, [cell.problem, absent])).split())
    given = [] if is_own else column.given  # of its own data set the held-out cases
    commands = []
    if given is not None:
        lines = [[f"run={run}", *given] for run in cell.missing]
        commands = [f"python -m seg.evaluate {' '.join(map(shlex.quote, line))}" for line in lines]
    return Gap(row, column.name, why, commands)


def notes(matrix: Matrix) -> list[str]:
    """The notes, those that several data sets have once."""
    columns = defaultdict(list)
    for column in matrix.columns:
        for note in dict.fromkeys(column.notes):
            columns[note].append(column.name)
    everywhere = len(matrix.columns)
    return [
        note if len(names) == everywhere else f"{', '.join(names)}: {note}"
        for note, names in columns.items()
    ]
