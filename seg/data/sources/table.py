"""Cases listed in a CSV file: any layout, with the group and the split of each."""

import csv
from dataclasses import dataclass
from pathlib import Path

from seg.data.pairs import MaskFile, Pair, PairingErrors, check_group_rule, expand, group_of


@dataclass(kw_only=True)
class Table:
    """One row for each case: columns image and mask, and group and split if they are known.

    axis, classes and ignore_value are those of `folder.Folder`.

    Args:
        root: the folder that the paths start from.
        table: the CSV file, relative to root or absolute.
        group: a column of the table, `file`, `folder` (that of the image), or a regular expression,
            searched in the image's path, whose first group is the patient.
    """

    root: str | Path
    table: str | Path = "cases.csv"
    group: str = "group"
    axis: int = 2
    classes: dict[str, int | str | list[int] | list[list[int]]] | None = None
    ignore_value: int | None = None

    def __post_init__(self) -> None:
        self.root = Path(self.root).expanduser()
        self.table = self.root / Path(self.table).expanduser()

    def pairs(self) -> list[Pair]:
        """Every row's case. Raises FileNotFoundError, ValueError or PairingErrors."""
        columns, rows = self._read()
        by_column = self.group in columns
        rule = "file" if self.group == "group" else self.group  # the default may be missing
        if not by_column:
            try:
                check_group_rule(rule)
            except ValueError as error:
                raise ValueError(
                    f"{error}, or is to be a column of {self.table}: {', '.join(columns)}"
                ) from None
        problems: list[str] = []
        pairs: list[Pair] = []
        line_of: dict[str, int] = {}
        for line, row in rows:
            image, mask = (str(row[key] or "").strip() for key in ("image", "mask"))
            split = (row.get("split") or "").strip() or None
            where = f"{self.table}, line {line}"
            if not image or not mask:
                problems.append(f"{where}: the image or the mask is missing; fill it in")
            elif split not in (None, "train", "val", "test"):
                problems.append(f"{where}: split {split!r} is none of train, val, test")
            elif line_of.setdefault(image, line) != line:
                problems.append(f"{where}: {image} is listed in line {line_of[image]} already")
            elif by_column and not (row[self.group] or "").strip():
                problems.append(f"{where}: the {self.group} is missing; fill it in")
            else:
                try:
                    group = str(row[self.group]).strip() if by_column else group_of(image, rule)
                except ValueError as error:
                    problems.append(f"{where}: {error}")
                    continue
                files = (self.root / image,), (MaskFile(self.root / mask),)
                pair = Pair(image, *files, group, split)
                pairs += expand(pair, self.axis, problems)
        if problems:
            raise PairingErrors(problems, pairs)
        if not pairs:
            raise ValueError(f"{self.table}: no rows in it")
        return pairs

    def _read(self) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
        """The columns, and the rows with their line numbers."""
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
            names = ", ".join(columns) or "none"
            raise ValueError(f"{self.table}: needs the columns image and mask, has {names}")
        return columns, rows
