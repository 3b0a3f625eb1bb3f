"""A report on the console: the verdict, what limits it in a line each, and the files."""

import textwrap
from pathlib import Path

from rich.console import Console

from seg.report.run import text as words
from seg.report.run.reading import Report

CAVEATS = 10


def show(report: Report, folder: Path, console: Console) -> None:
    """Under twenty lines."""

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, markup=False, highlight=False)

    say(words.verdict(report.evidence, report.headline))
    width = max(console.width, 60)
    for caveat in report.caveats[:CAVEATS]:
        line = f"{'!' if caveat.grave else '-'} {caveat.kind}: {caveat.named}"
        say(textwrap.shorten(line, width, placeholder=" …"))
    more = len(report.caveats) - CAVEATS
    if more > 0:
        say(f"- and {more} more, in report.html")
    say(f"{folder}: report.html, model_card.md")
