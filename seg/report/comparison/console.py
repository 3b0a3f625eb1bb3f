"""A comparison on the console: one screen, and the verdict in one sentence."""

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from seg.comparison.ranking import Comparison
from seg.report.comparison import text as words

ENTRIES, UNRANKED = 20, 5


def show(comparison: Comparison, folder: Path, console: Console) -> None:
    """The best entries, some of what is not ranked, the notes, the files, the verdict."""
    table = Table(
        title=words.about(comparison),
        caption=f"{words.test_name(comparison)}; {words.family(comparison)}; "
        "intervals: bootstrap, 95 %",
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    rows = _rows(comparison)
    room = _room(rows, console.width)
    if room < 24 and "runs" in rows[0]:  # a narrow terminal
        place = rows[0].index("runs")
        rows = [[*row[:place], *row[place + 1 :]] for row in rows]
        room = _room(rows, console.width)
    for head in rows[0]:
        left = head in ("configuration", "runs")
        table.add_column(escape(head), justify="left" if left else "right", no_wrap=True)
    for rank, label, *cells in rows[1:]:
        table.add_row(rank, escape(words.cut(label, max(room, 16))), *cells)
    console.print(table)

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, markup=False, highlight=False)

    if len(comparison.entries) > ENTRIES:
        say(f"... and {len(comparison.entries) - ENTRIES} more in leaderboard.csv")
    for run in comparison.unranked[:UNRANKED]:
        say(f"not ranked: {run.name}: {run.status}: {run.problem}")
    if len(comparison.unranked) > UNRANKED:
        say(f"not ranked: {len(comparison.unranked) - UNRANKED} more, in leaderboard.csv")
    for note in comparison.notes:
        say(f"note: {note}")
    say(f"{folder}: leaderboard.html, leaderboard.md, leaderboard.csv, pairs.csv")
    say(words.verdict(comparison))


def _rows(comparison: Comparison) -> list[list[str]]:
    """The heads, and a row for each of the best entries."""
    name = comparison.metric.name
    several = any(e.seeds or e.folds for e in comparison.entries)
    over = ["runs", "sd"] if several else []
    rows = [["rank", "configuration", name, "95 %", *over, "behind", "p"]]
    with_leader = {pair.b: pair for pair in comparison.pairs if pair.a == 0}
    for i, entry in enumerate(comparison.entries[:ENTRIES]):
        value, low, high = entry.figures[name]
        interval = f"{words.number(low, 3)} - {words.number(high, 3)}"
        row = [words.rank(entry), entry.label, words.number(value), interval]
        if several:
            spread = entry.seeds or entry.folds
            row += [words.made_of(entry), words.number(spread.deviation) if spread else "-"]
        pair = with_leader.get(i)
        row.append("" if pair is None else words.number(pair.difference))
        row.append("" if pair is None else words.chance(pair.p_holm))
        rows.append(row)
    return rows


def _room(rows: list[list[str]], width: int) -> int:
    """Characters that the other columns leave to the second."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return width - sum(widths) + widths[1] - 2 * len(widths) - 2
