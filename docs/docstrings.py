"""An extension of griffe, which reads the docstrings for api.md: it wants a blank line before each
section, as in `Returns:`, and the docstrings of `seg` have none.
"""

import re
from typing import Any

import griffe


class Sections(griffe.Extension):
    """Adds the blank lines."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            sections = r"(?<!\n)\n(?=(?:Args|Attributes|Returns|Raises):\n)"
            obj.docstring.value = re.sub(sections, "\n\n", obj.docstring.value)
