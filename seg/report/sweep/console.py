"""A sweep on the console: the best, what the keys did, what failed and why, and the verdict."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from seg.comparison.effects import effects
from seg.comparison.sweep_jobs import METRIC, SHARED, swept_keys
from seg.report.sweep import text
from seg.report.text import cut, number
from seg.runs.folder import MONITOR

TOP = 10
EFFECTS = 4
REASONS = 10


def show(rows: Sequence[dict[str, Any]], sweep: Path, console: Console) -> None:
    """The best configurations as a table; below it under 20 lines."""

    def say(line: str) -> None:
        console.print(line, soft_wrap=True, markup=False, highlight=False)

    say(text.counts(rows))
    best = [row for row in text.firsts(rows) if f"{SHARED}{MONITOR}" in row]
    if best:
        console.print(_table(rows, best[:TOP], console.width))
    if len(best) > TOP:
        say(f"... and {len(best) - TOP} more in leaderboard.csv")
    for effect in effects(rows)[:EFFECTS]:
        say(text.effect(effect))
    reasons = text.reasons(rows, lines=REASONS)
    if summary := text.summary(rows):
        say(f"{summary}:" if reasons else summary)
    for line in reasons:
        say(f"  {line}")
    say(f"{sweep}: leaderboard.html, leaderboard.csv")
    say(text.verdict(rows))


def _table(rows: Sequence[dict[str, Any]], best: Sequence[dict[str, Any]], width: int) -> Table:
    several = any(row[f"{SHARED}jobs"] > 1 for row in rows)
    name = "configuration" if swept_keys(rows) else "run"
    heads = ["job", name, MONITOR, "runs" if several else "epoch", f"test {METRIC}", "95 %"]
    lines = []
    for row in best:
        low, high = (row.get(f"{SHARED}{METRIC}_{end}") for end in ("low", "high"))
        interval = "-" if low is None else f"{number(low, 3)} - {number(high, 3)}"
        test = row.get(f"{SHARED}{METRIC}")
        middle = row[f"{SHARED}made_of"] if several else str(row.get("best_epoch", "-"))
        lines.append([
            "-" if several else str(row["number"]), row["configuration"],
            number(row[f"{SHARED}{MONITOR}"]), middle, "-" if test is None else number(test),
            interval,
        ])  # fmt: skip
    columns = [column for i, column in enumerate(zip(heads, *lines, strict=True)) if i != 1]
    taken = sum(max(map(len, column)) + 2 for column in columns)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for head in heads[several:]:
        table.add_column(head, justify="left" if head in ("job", name) else "right", no_wrap=True)
    for line in lines:
        line[1] = Text(cut(line[1], max(width - taken - 4, 24)))
        table.add_row(*line[several:])
    return table
