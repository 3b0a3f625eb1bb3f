"""A comparison on the console: one screen, and the verdict in one sentence."""

from math import isnan
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from seg.comparison.summary import Comparison
from seg.report.comparison import text
from seg.report.text import chance, cut, number

ENTRIES, UNRANKED = 20, 5
NARROW = 24  # characters for a name, below which another column is left out


def show(comparison: Comparison, folder: Path, console: Console) -> None:
    """The best entries, some of what is not ranked, the notes, the files, the verdict."""
    console.print(_table(comparison, console.width))
    more = len(comparison.entries) - ENTRIES
    lines = [f"... and {more} more in leaderboard.csv"] if more > 0 else []
    for run in comparison.unranked[:UNRANKED]:
        lines.append(f"not ranked: {run.name}: {run.status}: {run.problem}")
    more = len(comparison.unranked) - UNRANKED
    lines += [f"not ranked: {more} more, in leaderboard.csv"] if more > 0 else []
    lines += [f"note: {note}" for note in comparison.notes]
    files = ["leaderboard.html", "leaderboard.md", "leaderboard.csv", "pairs.csv"]
    files += [name for name in ("robustness.png", "cases.png") if (folder / name).is_file()]
    lines.append(f"{folder}: {', '.join(files)}")
    lines.append(text.verdict(comparison))
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _table(comparison: Comparison, width: int) -> Table:
    table = Table(
        title=text.about(comparison),
        caption=f"{text.test_name(comparison)}; {text.family(comparison)}; "
        "intervals: bootstrap, 95 %",
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    rows = _rows(comparison)
    left = _left_for_names(rows, width)
    if left < NARROW and "runs" in rows[0]:
        column = rows[0].index("runs")
        rows = [[*row[:column], *row[column + 1 :]] for row in rows]
        left = _left_for_names(rows, width)
    for head in rows[0]:
        justify = "left" if head in ("configuration", "runs") else "right"
        table.add_column(escape(head), justify=justify, no_wrap=True)
    for rank, label, *cells in rows[1:]:
        table.add_row(rank, escape(cut(label, max(left, 16))), *cells)
    return table


def _rows(comparison: Comparison) -> list[list[str]]:
    """The heads, and a row for each of the best entries."""
    name = comparison.metric.name
    several = any(e.seeds or e.folds for e in comparison.entries)
    over = ["runs", "sd"] if several else []
    rows = [["rank", "configuration", name, "95 %", *over, "behind", "p"]]
    for i, entry in enumerate(comparison.entries[:ENTRIES]):
        value, low, high = entry.figures[name]
        interval = "-" if isnan(low) else f"{number(low, 3)} - {number(high, 3)}"
        row = [text.rank(entry), entry.label, number(value), interval]
        if several:
            spread = entry.seeds or entry.folds
            row += [text.made_of(entry), number(spread.deviation) if spread else "-"]
        pair = comparison.behind.get(i)
        rows.append([*row, number(pair.difference) if pair else "",
                     chance(pair.p_holm) if pair else ""])  # fmt: skip
    return rows


def _left_for_names(rows: list[list[str]], width: int) -> int:
    """Characters that the other columns leave to the second."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return width - sum(widths) + widths[1] - 2 * len(widths) - 2
