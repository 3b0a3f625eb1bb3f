"""Charts of the pages: drawn by matplotlib, set into the page as SVG in the page's own colours.

The colours here are the page's light ones. In the SVG each becomes the variable of page.css, so
that a chart follows the page into the dark and onto paper.
"""

import io
import re
from collections.abc import Callable
from pathlib import Path

from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seg.report.pages import render
from seg.report.palette import SERIES

INK, SOFT, LINE, ACCENT, GOOD = "#1c2126", "#5b6670", "#dde2e7", "#0b62a8", "#00724f"
REST = "#b9c1c8"  # all curves after the series
VARIABLES = {
    INK: "ink", SOFT: "soft", LINE: "line", ACCENT: "accent", GOOD: "good", REST: "rest",
    **{colour: f"s{i}" for i, colour in enumerate(SERIES)},
}  # fmt: skip
STYLE = Path(__file__).parent / "templates" / "chart.mplstyle"


def svg(draw: Callable[[Axes], None], *, label: str, width: int, height: int) -> Markup:
    """A chart as SVG for a template.

    Args:
        draw: draws into empty axes, in the colours of this module. The label of a line, bar or
            other artist becomes the text that is shown while the pointer is over it.
        label: what the chart shows, for readers who cannot see it.
        width: in pixels; the page scales the chart to its column.
        height: in pixels.
    """
    with rc_context(fname=STYLE):
        figure = Figure(figsize=(width / 72, height / 72))
        axes = figure.subplots()
        draw(axes)
        tips = _name_artists(axes)
        stream = io.StringIO()
        empty = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(stream, format="svg", transparent=True, metadata=empty)
    whole = stream.getvalue()
    body = whole[whole.index("<g id=") : whole.rindex("</svg>")]
    body = re.sub(r'<g id="([^"]*)"', lambda m: f"<g{tips.get(m[1], '')}", body)
    body = re.sub(r"(fill|stroke): (#[0-9a-f]{6})", _in_page_colour, body)
    # the page's own font; and no rotation by nothing
    body = re.sub(r'font-family: [^;"]*; ?| transform="rotate\(-0 [^"]*"', "", body)
    body = re.sub(r"\s+", " ", body)
    return Markup(
        render("chart.svg", width=width, height=height, label=label, drawing=Markup(body))
    )


def _name_artists(axes: Axes) -> dict[str, str]:
    """Give every artist with a label an id; returns what follows its opening tag in the SVG."""
    tips = {}
    for i, artist in enumerate((*axes.lines, *axes.patches, *axes.collections, *axes.texts)):
        name = artist.get_label()
        if name and not name.startswith("_"):
            artist.set_gid(f"tip-{i}")
            tips[f"tip-{i}"] = f"><title>{escape(name)}</title"
    return tips


def _in_page_colour(match: re.Match[str]) -> str:
    colour = match[2]
    return f"{match[1]}: var(--{VARIABLES[colour]})" if colour in VARIABLES else match[0]
