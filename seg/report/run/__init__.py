"""One run folder as a page that stands alone and a model card, with what limits its figures."""

import textwrap
from pathlib import Path

from rich.console import Console

from seg.report.run import sentences
from seg.report.run.card import card
from seg.report.run.page import page
from seg.report.run.report import Report, read
from seg.runs.atomic import write_text

__all__ = ["Report", "card", "page", "read", "show", "write"]

CAVEATS = 10  # on the console
PAGE, CARD = "report.html", "model_card.md"


def write(report: Report, folder: Path) -> None:
    """Write report.html and model_card.md to a folder, which is made if it is missing."""
    content = {PAGE: page(report), CARD: card(report)}
    for name, text in content.items():
        write_text(folder / name, text)


def show(report: Report, folder: Path, console: Console) -> None:
    """The verdict, what limits it in a sentence each, and the files."""

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, markup=False, highlight=False)

    say(sentences.verdict(report.run, report.headline))
    width = 2 * max(console.width, 80)  # a sentence is whole, a long list of names is not
    for caveat in report.caveats[:CAVEATS]:
        line = f"{'!' if caveat.grave else '-'} {caveat.kind}: {caveat.with_names}"
        say(textwrap.shorten(line, width, placeholder=" …"))
    more = len(report.caveats) - CAVEATS
    if more > 0:
        say(f"- and {more} more, in {PAGE}")
    say(f"{folder}: {PAGE}, {CARD}")
