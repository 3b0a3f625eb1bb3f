"""Cases listed in a CSV file: any layout, with the group and the split of each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from seg.data import class_names, table_file
from seg.data.exclusion import Exclusion
from seg.data.pairs import MaskFile, Pair, check_group_rule, expand, group_of, settled


@dataclass(kw_only=True)
class Table:
    """One row for each case: columns image and mask, and group and split if they are known.

    `image_2`, `image_3`, ... are further files of a case, stacked as channels; `mask_2`, ... are
    united with its mask. `mask_<class>` instead of `mask` are the files of one class each, and name
    the classes. axis, ignore_value and missing_masks are those of `folder.Folder`.

    Args:
        root: the folder that the paths start from.
        table: the CSV file, relative to root or absolute.
        exclude: globs relative to root of images whose rows are left out.
        group: a column of the table, `file`, `folder` (that of the image), or a regular expression,
            searched in the image's path, whose first group is the patient.
        classes: those of `folder.Folder`; for `mask_<class>` the names to keep, None keeps all.
    """

    root: str | Path
    table: str | Path = "cases.csv"
    exclude: str | list[str] | None = None
    missing_masks: Literal["error", "empty"] = "error"
    group: str = "group"
    axis: int = 2
    classes: dict[str, int | str | list[int] | list[list[int]]] | list[str] | None = None
    ignore_value: int | None = None
    _names: list[str] = field(default_factory=list, init=False)  # of the columns mask_<class>

    def __post_init__(self) -> None:
        self.root = Path(self.root).expanduser()
        self.table = self.root / Path(self.table).expanduser()
        if self.table.is_file():  # it may be downloaded later
            self._names = [label for label in self._mask_columns(self._read()[0]).values() if label]
        if self._names:
            self.classes = class_names.choose(self._names, self.classes, path=self.table)
        elif isinstance(self.classes, list):
            raise ValueError(
                f"dataset.classes={self.classes}: a list needs columns mask_<class> in {self.table}"
            )

    def pairs(self) -> list[Pair]:
        """Every row's case. Raises FileNotFoundError, ValueError or PairingErrors."""
        columns, rows = self._read()
        class_names.say_left_out(self._names, self.classes)
        by_column = self.group in columns
        rule = "file" if self.group == "group" else self.group  # the default may be missing
        if not by_column:
            try:
                check_group_rule(rule)
            except ValueError as error:
                raise ValueError(
                    f"{error}, or is to be a column of {self.table}: {', '.join(columns)}"
                ) from None
        images = ["image", *_numbered(columns, "image")]
        masks = self._mask_columns(columns)
        exclusion = Exclusion(self.exclude, root=self.root)
        problems: list[str] = []
        pairs: list[Pair] = []
        line_of: dict[str, int] = {}
        for line, row in rows:
            case, split = table_file.as_path(row["image"]), row.get("split") or None
            where = f"{self.table}, line {line}"
            if case and not exclusion.kept([self.root / case]):
                continue
            lacking = [key for key in images if not row[key]]
            if self.missing_masks == "error":
                lacking += [key for key in masks if not row[key] and not re.search(r"_\d+$", key)]
            if lacking:
                problems.append(f"{where}: the {lacking[0]} is missing; fill it in")
            elif split not in (None, "train", "val", "test"):
                problems.append(f"{where}: split {split!r} is none of train, val, test")
            elif line_of.setdefault(case, line) != line:
                problems.append(f"{where}: {case} is listed in line {line_of[case]} already")
            elif by_column and not row[self.group]:
                problems.append(f"{where}: the {self.group} is missing; fill it in")
            else:
                try:
                    group = row[self.group] if by_column else group_of(case, rule)
                except ValueError as error:
                    problems.append(f"{where}: {error}")
                    continue
                files = tuple(self._path(row[key]) for key in images)
                of_case = [MaskFile(self._path(row[k]), v) for k, v in masks.items() if row[k]]
                pair = Pair(case, files, tuple(of_case), group, split)
                pairs += expand(pair, self.axis, problems)
        exclusion.report()
        pairs = settled(pairs, problems, root=self.root)
        if not pairs:
            raise ValueError(f"{self.table}: no rows in it")
        return pairs

    def _path(self, cell: str) -> Path:
        return self.root / Path(table_file.as_path(cell)).expanduser()

    def _mask_columns(self, columns: list[str]) -> dict[str, str | None]:
        """Column -> the class whose masks it has; None where their values say it.

        Columns of classes that `dataset.classes` does not name are left out.
        """
        numbered = _numbered(columns, "mask")
        labels = {c: c[5:] for c in columns if c.startswith("mask_") and c not in numbered}
        if labels and "mask" in columns:
            names = ", ".join(["mask", *labels])
            raise ValueError(f"{self.table}: columns {names}; keep mask, or those of classes")
        if labels:
            wanted = self.classes if self._names else None
            return {c: label for c, label in labels.items() if wanted is None or label in wanted}
        return dict.fromkeys(["mask", *numbered])

    def _read(self) -> tuple[list[str], list[tuple[int, Mapping[str, str]]]]:
        """The columns, and the rows with their line numbers."""
        if not self.table.is_file():
            raise FileNotFoundError(f"dataset.table={self.table}: no such file")
        (_, columns), *rows = table_file.read(self.table) or [(0, [])]
        if "image" not in columns or not any(c == "mask" or c.startswith("mask_") for c in columns):
            names = ", ".join(columns) or "none"
            raise ValueError(f"{self.table}: needs the columns image and mask, has {names}")
        empty = dict.fromkeys(columns, "")
        return columns, [(n, empty | dict(zip(columns, row, strict=False))) for n, row in rows]


def _numbered(columns: list[str], name: str) -> list[str]:
    """`name_2`, `name_3`, ... in the order of their numbers."""
    found = [c for c in columns if re.fullmatch(rf"{name}_\d+", c)]
    return sorted(found, key=lambda column: int(column.rpartition("_")[2]))
