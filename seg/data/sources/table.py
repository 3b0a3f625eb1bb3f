"""Cases listed in a CSV file: any layout, with the group and the split of each."""

import csv
from pathlib import Path

from seg.data.pairs import Pair, PairingErrors, check_rule, expand, group_of


class Table:
    """A row a case: the columns image and mask, paths relative to root; group and split if known.

    root: the folder that the paths start from. table: the CSV file, relative to root or absolute.
    group: a column of the table, `file`, `folder` (that of the image), or a regular expression
        searched in the image's path whose first group is the patient.
    axis, classes, ignore_value: as for `Folder`.
    """

    def __init__(
        self,
        *,
        root: str,
        table: str = "cases.csv",
        group: str = "group",
        axis: int = 2,
        classes: dict[str, int | str | list[int] | list[list[int]]] | None = None,
        ignore_value: int | None = None,
    ) -> None:
        self.root = Path(root).expanduser()
        self.table = self.root / Path(table).expanduser()
        self.group = group
        self.axis = axis
        self.classes = classes
        self.ignore_value = ignore_value

    def pairs(self) -> list[Pair]:
        """Every row's case. Raises FileNotFoundError, ValueError, or PairingErrors of all."""
        columns, rows = self._read()
        by_column = self.group in columns
        rule = "file" if self.group == "group" else self.group  # without that column: unknown
        if not by_column:
            try:
                check_rule(rule)
            except ValueError as error:
                held = ", ".join(columns)
                raise ValueError(f"{error}, or is to be a column of {self.table}: {held}") from None
        problems: list[str] = []
        pairs: list[Pair] = []
        lines: dict[str, int] = {}
        for line, row in rows:
            image, mask = (str(row[key] or "").strip() for key in ("image", "mask"))
            split = (row.get("split") or "").strip() or None
            where = f"{self.table}, line {line}"
            if not image or not mask:
                problems.append(f"{where}: the image or the mask is missing; fill it in")
            elif split not in (None, "train", "val", "test"):
                problems.append(f"{where}: split {split!r} is none of train, val, test")
            elif lines.setdefault(image, line) != line:
                problems.append(f"{where}: {image} is listed in line {lines[image]} already")
            elif by_column and not (row[self.group] or "").strip():
                problems.append(f"{where}: the {self.group} is missing; fill it in")
            else:
                try:
                    group = str(row[self.group]).strip() if by_column else group_of(image, rule)
                except ValueError as error:
                    problems.append(f"{where}: {error}")
                    continue
                pair = Pair(image, self.root / image, self.root / mask, group, split)
                pairs += expand(pair, self.axis, problems)
        if problems:
            raise PairingErrors(problems, pairs)
        if not pairs:
            raise ValueError(f"{self.table}: no rows in it")
        return pairs

    def _read(self) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
        """The columns, and the rows with the numbers of their lines."""
        if not self.table.is_file():
            raise FileNotFoundError(f"dataset.table={self.table}: no such file")
        with self.table.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            try:
                columns = list(reader.fieldnames or [])
                rows = [(reader.line_num, row) for row in reader]  # blank lines are no rows
            except (UnicodeDecodeError, csv.Error) as error:
                raise ValueError(f"{self.table}: {error}; save it as CSV in UTF-8") from error
        if not {"image", "mask"} <= set(columns):
            held = ", ".join(columns) or "none"
            raise ValueError(f"{self.table}: needs the columns image and mask, has {held}")
        return columns, rows
