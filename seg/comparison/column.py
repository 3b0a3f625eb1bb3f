"""One data set of a matrix: the figure of each configuration, and which of them is the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from seg.comparison.configurations import Configuration
from seg.comparison.ranking import ranked
from seg.comparison.statistic import Statistic
from seg.comparison.summary import Comparison, measure
from seg.runs.results import Interval

MANY_EMPTY = 0.2  # share of cases without foreground


@dataclass
class Cell:
    """One configuration on one data set.

    Args:
        is_own: whether it was trained on this data set, and is tested on its held-out cases.
        figure: of the metric; None where there is none.
        cases: how many it was tested on.
        groups: how many of them are independent.
        runs: how many are averaged.
        seen: how many cases were in the training of a run, where that is known.
        is_best: whether all others of the column are shown to be worse.
        missing: the runs without this result.
        problem: why there is no figure; "" where there is one, or where results are only missing.
    """

    is_own: bool
    figure: Interval | None = None
    cases: int = 0
    groups: int = 0
    runs: int = 0
    seen: int = 0
    is_best: bool = False
    missing: list[Path] = field(default_factory=list)
    problem: str = ""


@dataclass
class Column:
    """One data set.

    Args:
        name: of the data set.
        given: the overrides that name it to `seg.evaluate`; None where they are not known.
        cells: of each configuration.
        notes: what to know about its figures.
    """

    name: str
    given: list[str] | None
    cells: list[Cell]
    notes: list[str] = field(default_factory=list)


def fill(
    column: Column,
    pooled: Mapping[int, Configuration],
    *,
    metric: str,
    test: str,
    common: bool,
) -> Statistic | None:
    """Fill the cells' figures, and mark the best.

    Args:
        column: whose cells are filled, and given notes.
        pooled: by row, the configurations with tables.
        metric: name of a `Statistic`.
        test: `permutation` or `wilcoxon`.
        common: whether all are cut to the cases that all have.
    Returns:
        The metric; None where no cell could be measured.
    """
    _name_alike(list(pooled.values()), metric)
    statistic = None

    def enter(i: int, comparison: Comparison) -> None:
        nonlocal statistic
        entry = next(e for e in comparison.entries if e.configuration is pooled[i])
        cell, statistic = column.cells[i], comparison.metric
        cell.figure = entry.figures[metric]
        cell.cases, cell.groups = comparison.cases, comparison.groups
        cell.runs = len(entry.configuration.runs)
        alone = len(comparison.entries) == 1 or len(comparison.leaders) > 1
        cell.is_best = entry.rank == 1 and not alone

    fair = [i for i in pooled if not column.cells[i].seen]
    try:
        if fair:
            comparison = ranked([pooled[i] for i in fair], metric=metric, test=test, common=common)
            column.notes += comparison.notes
            for i in fair:
                enter(i, comparison)
    except ValueError as error:
        column.notes += [_why_unranked(str(error))] if len(fair) > 1 else []
        fair = []
    for i in pooled.keys() - set(fair):
        try:
            enter(i, measure([pooled[i]], metric=metric))
        except ValueError as error:
            column.cells[i].problem = str(error)
    empty = max((_empty(c) for c in pooled.values()), default=0)
    if statistic is not None and statistic.kind == "image" and empty >= MANY_EMPTY:
        column.notes.append(
            f"{100 * empty:.0f} % of its masks are empty, and one that stays empty counts 1: "
            "metric=dice_positive is over images with foreground"
        )
    if any(cell.seen for cell in column.cells):
        column.notes.append(
            "a network was trained on some of these cases: its figure is too high, and is not "
            "compared with the others"
        )
    return statistic


def _empty(configuration: Configuration) -> float:
    """The share of cases without foreground."""
    return float((configuration.tables[0].reference[:, :-1].sum(-1) == 0).mean())


def _why_unranked(error: str) -> str:
    first, *details = error.splitlines()
    if not details:
        return f"no best is marked: {first}"
    return (
        f"no best is marked, since not all were tested on the same cases ({details[0].strip()}); "
        "common=true compares on those that all have"
    )


def _name_alike(configurations: Sequence[Configuration], metric: str) -> None:
    """One class is the same class whatever each network calls it; several are told by name."""
    tables = [table for c in configurations for table in c.tables]
    if "/" in metric or any(len(table.classes) != 1 for table in tables):
        return
    for c in configurations:
        c.tables = [replace(table, classes=tables[0].classes) for table in c.tables]
