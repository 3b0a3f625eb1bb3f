"""The per-case table of one run: written, read, joined over folds, restricted to some cases."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seg.metrics.overlap import METRICS, existing_in
from seg.runs import atomic

COUNTS = ("tp", "fp", "fn", "tn")
TEXT = ("case", "group", "class")


class TableError(ValueError):
    """A table that cannot be used; the message says why."""


@dataclass(frozen=True)
class CaseTable:
    """Cases sorted by name, so that equal sets of cases are equal rows.

    Args:
        cases: M names.
        groups: the group of each case.
        classes: C names.
        counts: (M, C, 4) tp, fp, fn, tn in pixels.
        values: by figure, (M, C); NaN where the file has none.
    """

    cases: tuple[str, ...]
    groups: tuple[str, ...]
    classes: tuple[str, ...]
    counts: NDArray[np.float64]
    values: dict[str, NDArray[np.float64]]

    @property
    def reference(self) -> NDArray[np.float64]:
        """(M, C + 1): pixels of each class in the reference mask, and all valid pixels."""
        tp, _, fn, _ = np.moveaxis(self.counts, -1, 0)
        return np.column_stack([tp + fn, self.counts[:, :1].sum(-1)])

    @property
    def existing(self) -> NDArray[np.bool_]:
        """(C,): the classes that have figures, see `metrics.overlap.existing`."""
        return existing_in(self.counts)

    def keep(self, cases: Iterable[str]) -> "CaseTable":
        """The rows of some cases."""
        wanted = set(cases)
        return self._select([i for i, case in enumerate(self.cases) if case in wanted])

    def _select(self, rows: list[int]) -> "CaseTable":
        return CaseTable(
            cases=tuple(self.cases[i] for i in rows),
            groups=tuple(self.groups[i] for i in rows),
            classes=self.classes,
            counts=self.counts[rows],
            values={name: values[rows] for name, values in self.values.items()},
        )


def write_cases(
    path: Path,
    *,
    cases: Sequence[str],
    groups: Sequence[str],
    class_names: Sequence[str],
    counts: NDArray[np.integer],
    figures: Mapping[str, NDArray] | None = None,
    digits: str = ".6f",
) -> None:
    """Write a `*_cases.csv`: a row for each case and class.

    Args:
        path: the file.
        cases: M names.
        groups: the group of each case.
        class_names: C foreground classes.
        counts: (M, C, 4) tp, fp, fn, tn in pixels. The overlap figures are derived from them.
        figures: further columns, (M, C) each.
        digits: the format of all figures.
    """
    columns = {name: metric(*np.moveaxis(counts, -1, 0)) for name, metric in METRICS.items()}
    columns |= figures or {}
    rows: list[list[Any]] = [[*TEXT, *COUNTS, *columns]]
    for i, (case, group) in enumerate(zip(cases, groups, strict=True)):
        for j, name in enumerate(class_names):
            numbers = [format(column[i, j], digits) for column in columns.values()]
            rows.append([case, group, name, *counts[i, j].tolist(), *numbers])
    atomic.write_csv(path, rows)


def read_cases(path: Path) -> CaseTable:
    """Read a `*_cases.csv`: case, group, class, tp, fp, fn, tn, and a column for each figure.

    Raises:
        TableError: columns or classes of a case are missing, twice there, or no numbers.
    """
    with path.open(newline="", encoding="utf-8") as handle:
        header, *rows = list(csv.reader(handle)) or [[]]
    missing = [name for name in (*TEXT, *COUNTS) if name not in header]
    if missing:
        raise TableError(f"{path.name}: no column {', '.join(missing)}")
    if not rows:
        raise TableError(f"{path.name}: no cases")
    if any(len(row) != len(header) for row in rows):
        raise TableError(f"{path.name}: lines of unequal length, as if it was cut short")
    case, group, category = (header.index(name) for name in TEXT)
    cases = sorted({row[case] for row in rows})
    classes = list(dict.fromkeys(row[category] for row in rows))
    rows.sort(key=lambda row: (row[case], classes.index(row[category])))
    if [(row[case], row[category]) for row in rows] != list(product(cases, classes)):
        raise TableError(f"{path.name}: not every case has every class once")
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    numbers = {
        name: _numbers(texts, name, path).reshape(len(cases), len(classes))
        for name, texts in columns.items()
        if name not in TEXT
    }
    counts = np.stack([numbers.pop(name) for name in COUNTS], axis=-1)
    if not (np.isfinite(counts).all() and (counts >= 0).all()):
        raise TableError(f"{path.name}: tp, fp, fn, tn must be counts from 0")
    groups = tuple(row[group] for row in rows[:: len(classes)])
    return CaseTable(tuple(cases), groups, tuple(classes), counts, numbers)


def _numbers(texts: Sequence[str], name: str, path: Path) -> NDArray[np.float64]:
    try:
        return np.array([float(text) if text else np.nan for text in texts])
    except ValueError as error:
        raise TableError(f"{path.name}: {name}: {error}") from None


def pool(tables: Sequence[CaseTable]) -> CaseTable:
    """Tables of different cases as one. The caller has made sure that no case is in two of them.

    Figures that not all of them have are left out.

    Raises:
        TableError: they have different classes.
    """
    for one, other in pairwise(tables):
        if one.classes != other.classes:
            raise TableError(
                f"folds of different classes: {', '.join(one.classes)}; {', '.join(other.classes)}"
            )
    shared = [n for n in tables[0].values if all(n in table.values for table in tables)]
    joined = CaseTable(
        cases=tuple(case for table in tables for case in table.cases),
        groups=tuple(group for table in tables for group in table.groups),
        classes=tables[0].classes,
        counts=np.concatenate([table.counts for table in tables]),
        values={n: np.concatenate([table.values[n] for table in tables]) for n in shared},
    )
    return joined._select(sorted(range(len(joined.cases)), key=joined.cases.__getitem__))
