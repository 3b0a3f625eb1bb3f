"""A sweep on the console: the best, what the keys did, what failed and why, and the verdict."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from seg.comparison.effects import effects
from seg.comparison.sweep_jobs import MONITOR
from seg.comparison.sweep_rows import METRIC, SHARED, keys
from seg.report.comparison.text import cut, number
from seg.report.sweep import text as words

TOP = 10
EFFECTS = 4
REASONS = 10


def show(rows: Sequence[dict[str, Any]], sweep: Path, console: Console) -> None:
    """The best configurations as a table; below it under 20 lines."""

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, markup=False, highlight=False)

    say(words.counts(rows))
    best = [row for row in words.firsts(rows) if f"{SHARED}{MONITOR}" in row]
    if best:
        console.print(_table(rows, best[:TOP], console.width))
    if len(best) > TOP:
        say(f"... and {len(best) - TOP} more in leaderboard.csv")
    for effect in effects(rows)[:EFFECTS]:
        say(words.effect(effect))
    if told := words.summary(rows):
        say(f"{told}:" if words.reasons(rows, lines=1) else told)
    for line in words.reasons(rows, lines=REASONS):
        say(f"  {line}")
    say(f"{sweep}: leaderboard.html, leaderboard.csv")
    say(words.verdict(rows))


def _table(rows: Sequence[dict[str, Any]], best: Sequence[dict[str, Any]], width: int) -> Table:
    several = any(row[f"{SHARED}jobs"] > 1 for row in rows)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    if not several:
        table.add_column("job", no_wrap=True)
    table.add_column("configuration" if keys(rows) else "run", no_wrap=True)
    heads = [MONITOR, *(["runs"] if several else ["epoch"]), f"test {METRIC}", "95 %"]
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    cells = []
    for row in best:
        low, high = (row.get(f"{SHARED}{METRIC}_{end}") for end in ("low", "high"))
        interval = "-" if low is None else f"{number(low, 3)} - {number(high, 3)}"
        test = row.get(f"{SHARED}{METRIC}")
        middle = row[f"{SHARED}made_of"] if several else str(row.get("best_epoch", "-"))
        cells.append([
            "-" if several else str(row["number"]), number(row[f"{SHARED}{MONITOR}"]), middle,
            "-" if test is None else number(test), interval,
        ])  # fmt: skip
    taken = sum(
        max(len(head), *(len(row[i]) for row in cells)) + 2
        for i, head in enumerate(["job", *heads])
    )
    room = max(width - taken - 4, 24)
    for row, (job, *rest) in zip(best, cells, strict=True):
        named = [] if several else [job]
        table.add_row(*named, Text(cut(row["configuration"], room)), *rest)
    return table
