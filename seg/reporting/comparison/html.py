"""Pieces of a page. All text goes through here and is escaped."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

from seg.reporting.comparison.words import cut


@dataclass(frozen=True)
class Cell:
    """html: as it is. key: what to sort by, None for the text. number: set to the right. kind: a
    class of the page's style.
    """

    html: str
    key: float | str | None = None
    number: bool = False
    kind: str = ""


def escaped(text: object) -> str:
    return html.escape(str(text), quote=True)


attribute = escaped


def shortened(text: object, length: int) -> str:
    """Escaped; the middle of what is longer is left out, and the whole is in the title."""
    whole = str(text)
    short = cut(whole, length)
    if short == whole:
        return escaped(whole)
    return f'<span title="{attribute(whole)}">{escaped(short)}</span>'


def table(columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, caption: str = "") -> str:
    """A table whose columns sort at a click. columns: escaped here. caption: plain text."""
    numbers = [bool(rows) and all(row[i].number for row in rows) for i in range(len(columns))]
    heads = "".join(
        f'<th scope="col"{" class=number" if numeric else ""}>'
        f'<button type="button">{shortened(column, 40)}</button></th>'
        for column, numeric in zip(columns, numbers, strict=True)
    )
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    said = f"<caption>{escaped(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll"><table>{said}<thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(cell: Cell) -> str:
    key = "" if cell.key is None else f' data-key="{attribute(cell.key)}"'
    kind = "number" if cell.number else cell.kind
    return f"<td{f' class={kind}' if kind else ''}{key}>{cell.html}</td>"


def label(text: str, length: int) -> Cell:
    """A cell for a name, wide enough to be read."""
    return Cell(shortened(text, length), text, kind="label")


def section(title: str, content: str, lead: str = "") -> str:
    """lead: a plain sentence below the title. Nothing where there is no content."""
    if not content:
        return ""
    said = f"<p>{escaped(lead)}</p>" if lead else ""
    return f"<section><h2>{escaped(title)}</h2>{said}{content}</section>"
