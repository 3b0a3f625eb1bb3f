"""Tables as spreadsheets save them: comma, semicolon or tab; with or without a byte order mark."""

import csv
from pathlib import Path


def read(path: Path) -> list[tuple[int, list[str]]]:
    """The rows that are not blank, as stripped cells, each with the number of its last line.

    Raises:
        ValueError: the file is no such table.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            first = next((line for line in handle if line.strip()), "")
            handle.seek(0)
            reader = csv.reader(handle, delimiter=max(",;\t", key=first.count))
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: {error}; save it as CSV in UTF-8") from error
    return [(line, row) for line, row in rows if any(row)]


def as_path(cell: str) -> str:
    """A path with forward slashes, as Windows programs may not write it."""
    return cell.replace("\\", "/")
