"""One run folder as a page that stands alone and a model card, with what limits its figures."""

import os
from pathlib import Path

from seg.report.run.card import card
from seg.report.run.console import show
from seg.report.run.page import page
from seg.report.run.reading import Report, read

__all__ = ["Report", "card", "page", "read", "show", "write"]


def write(report: Report, folder: Path) -> None:
    """report.html and model_card.md, each whole or not at all, in a folder that is made."""
    content = {"report.html": page(report), "model_card.md": card(report)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in content.items():
        temporary = folder / f".{name}.{os.getpid()}"
        try:
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, folder / name)
        finally:
            temporary.unlink(missing_ok=True)
