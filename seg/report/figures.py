"""Figures as files: a PNG for the screen, and beside it what a paper needs."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from seg.inference.files.output import SUFFIXES
from seg.runs import atomic

PRINTED = 300  # dots per inch
# Text stays text: journals want TrueType fonts, and an SVG is edited afterwards.
STYLE = {"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "seg"}


def save(figure: Figure, path: Path, also: Sequence[str] = ()) -> None:
    """Write a figure.

    Args:
        figure: with the resolution of the screen.
        path: of the PNG for the screen.
        also: `pdf` and `svg` are written beside it, with the same name, and `png` is a second one
            of 300 dots per inch, `<name>_300dpi.png`.
    """
    with atomic.replacing(path) as handle:
        FigureCanvasAgg(figure).print_png(handle)  # savefig would draw it twice
    for form in also:
        with atomic.replacing(path.with_name(path.stem + SUFFIXES[form])) as handle:
            printed(figure, handle, form)


def printed(figure: Figure, handle: IO[bytes], form: str) -> None:
    """Write a figure for a paper to an open file, as `pdf`, `svg` or `png`."""
    undated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(form)
    with rc_context(STYLE):
        figure.savefig(handle, format=form, dpi=PRINTED, metadata=undated)


def formats(value: str | Sequence[str] | None) -> tuple[str, ...]:
    """The key `figures` of a configuration, one format or several, as `save` takes it."""
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)
