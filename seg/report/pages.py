"""Pages from the templates in seg/report/templates: HTML and Markdown, every value escaped.

`{{ value }}` is escaped in both. In HTML, markup comes from macros and as `markupsafe.Markup`
(charts); in Markdown, the filter `verbatim` lets a value stand as it is.
"""

import math
import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from seg.report import text


class Verbatim(str):
    """Text that a Markdown template writes without escaping."""

    __slots__ = ()


def render(template: str, /, **context: Any) -> str:
    """A page as text.

    Args:
        template: a file in seg/report/templates. In `*.md` values are escaped for Markdown, in all
            others for HTML.
        context: the values that the template uses; it may use no other.
    """
    environment = MARKDOWN if template.endswith(".md") else HTML
    return environment.get_template(template).render(**context)


def escape_markdown(value: object) -> str:
    """Text that Markdown shows as it is, also in a table."""
    if isinstance(value, Verbatim):
        return value
    escaped = str(value).replace("&", "&amp;").replace("<", "&lt;").replace("\n", " ")
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", escaped)


def sort_key(value: float | None) -> float | str:
    """A number as a column sorts by it: what is missing or not finite comes below all numbers."""
    return "-Infinity" if value is None or not math.isfinite(value) else value


def _environment(**options: Any) -> Environment:
    environment = Environment(
        loader=PackageLoader("seg.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )
    environment.filters |= {
        "number": text.number,
        "limits": lambda ends: text.limits(*ends),
        "interval": lambda figure: text.interval(*figure),
        "chance": text.chance,
        "cut": text.cut,
        "sort_key": sort_key,
        "stated": text.stated,
        "verbatim": Verbatim,
    }
    environment.tests["finite"] = lambda value: value is not None and math.isfinite(value)
    return environment


HTML = _environment(autoescape=True)
MARKDOWN = _environment(autoescape=False, finalize=escape_markdown)
