"""Pieces of a page. All text goes through here and is escaped."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from seg.report.comparison.text import cut

# What may run or be fetched: what stands in the file itself.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


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


def document(title: str, body: str, *, style: str = "") -> str:
    """A whole page: one file, nothing fetched; tables that sort, light and dark, fit for print.

    title: plain text. body: of <main>. style: beside page.css.
    """
    files = resources.files("seg.report.comparison")
    shared, script = (files.joinpath(f).read_text("utf-8") for f in ("page.css", "page.js"))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escaped(title)}</title>\n<style>\n{shared}{style}</style></head>\n<body><main>"
        f"{body}</main>\n<script>\n{script}</script></body></html>\n"
    )
