"""Configurations on several data sets: what they were trained on by what they were tested on."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seg.comparison.column import Cell, Column, fill
from seg.comparison.configurations import ComparedRun, Configuration, by_config, read_run
from seg.comparison.same_cases import pool_runs
from seg.comparison.statistic import Statistic
from seg.data.split.draw import SPLITS
from seg.runs.folder import RunFolder


@dataclass
class Matrix:
    """Configurations by data sets.

    Args:
        metric: of the figures.
        rows: the configurations.
        columns: the data sets.
        left_out: runs that did not finish, or cannot be read.
        test: of the best in each column, `permutation` or `wilcoxon`.
    """

    metric: Statistic
    rows: list[Configuration]
    columns: list[Column]
    left_out: list[ComparedRun]
    test: str

    def trained_on(self, row: int) -> str:
        """The data set of a configuration."""
        return self.rows[row].runs[0].folder.dataset_name


def make_matrix(
    runs: Sequence[ComparedRun],
    datasets: Mapping[str, list[str] | None],
    *,
    metric: str = "dice",
    test: str = "permutation",
    common: bool = False,
) -> Matrix:
    """Measure each configuration on each data set, and test the best of each data set.

    Args:
        runs: from `configurations.read_runs`, of any source.
        datasets: by name, the overrides that name it to `seg.evaluate`, None where only the name
            is known: `train`, `val` or `test` of a run's own split, or NAME of its `evaluate/NAME`.
        metric: name of a `Statistic`.
        test: `permutation` or `wilcoxon`.
        common: whether each column is of the cases that all of its configurations were tested on.
    Raises:
        ValueError: no run has finished, a data set is not known, or no cell has a figure.
    """
    usable = [run for run in runs if run.folder.is_finished and run.is_readable]
    if not usable:
        lines = "".join(f"\n  {run.name}: {run.status}: {run.problem}" for run in runs[:8])
        raise ValueError(f"none of {len(runs)} runs has finished:{lines}")
    rows = by_config(usable)
    options = {"metric": metric, "test": test, "common": common}
    columns, statistic = [], None
    for name, given in datasets.items():
        column, found = _column(name, given, rows, **options)
        columns.append(column)
        statistic = statistic or found
    if statistic is None:
        cells = [(column, cell) for column in columns for cell in column.cells]
        reasons = [f"{column.name}: {cell.problem}" for column, cell in cells if cell.problem]
        listed = "; ".join(dict.fromkeys(reasons[:3])) or "no run has such results"
        raise ValueError(
            f"datasets={','.join(datasets)}: no figure to show ({listed}); "
            "python -m seg.evaluate with the same runs= and datasets= makes them"
        )
    left_out = [run for run in runs if run not in usable]
    return Matrix(statistic, rows, columns, left_out, test)


def _column(
    name: str, given: list[str] | None, rows: Sequence[Configuration], **options: str | bool
) -> tuple[Column, Statistic | None]:
    cells, pooled = [], {}
    for i, row in enumerate(rows):
        read = [_read(run.folder, name) for run in row.runs]
        cell = Cell(is_own=name in SPLITS or row.runs[0].folder.dataset_name == name)
        cell.missing = [run.folder.path for run in read if run.status == "incomplete"]
        there = [run for run in read if run.table is not None]
        if broken := [run for run in read if run.status == "broken"]:
            cell.problem = f"{broken[0].name}: {broken[0].problem}"
        if there:
            recorded = there[0].result.facts.get("given")
            if given is None and row.runs[0].folder.dataset_name != name:
                given = recorded
            of_split = recorded is not None and not any("dataset=" in one for one in recorded)
            cell.is_own = cell.is_own or of_split
            if not of_split:
                cell.seen = max(sum((r.result.facts.get("seen") or {}).values()) for r in there)
            try:
                pooled[i] = pool_runs(row.label, there, common=bool(options["common"]))
            except ValueError as error:
                cell.problem = str(error)
        cells.append(cell)
    own = any(cell.is_own for cell in cells)
    if given is None and name in SPLITS:
        given = [] if name == "test" else [f"split={name}"]
    column = Column(name, given, cells)
    if given is None and not own and not any(i in pooled or c.problem for i, c in enumerate(cells)):
        raise ValueError(_unknown(name, rows))
    return column, fill(column, pooled, **options)


def _read(folder: RunFolder, name: str) -> ComparedRun:
    """A run with its result on a data set.

    A run's own data set is its held-out cases: an evaluation of all cases of that name counts only
    where it is known that none of them was in the training.
    """
    if name == folder.dataset_name:
        named = read_run(folder, source=f"evaluate/{name}")
        if named.table is not None and named.result.facts.get("seen") == {}:
            return named
        name = "test"
    return read_run(folder, source=f"evaluate/{name}")


def _unknown(name: str, rows: Sequence[Configuration]) -> str:
    folders = [run.folder for row in rows for run in row.runs]
    known = sorted({Path(result.name).name for f in folders for result in f.evaluations})
    near = difflib.get_close_matches(name, known, n=1)
    return (
        f"datasets={name}: no run has evaluate/{name}{f' (nearest: {near[0]})' if near else ''}; "
        f"there are {', '.join(known) or 'none'}; python -m seg.evaluate makes it, with runs=... "
        f"and 'datasets={{{name}: {{dataset: CHOICE, root: DIR}}}}'"
    )
