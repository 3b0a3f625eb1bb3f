"""Overrides as people type them, as Hydra reads them, and one value of several."""

import re
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, OverrideParseException


def quoted(line: str) -> str:
    """An override as Hydra's grammar reads it: a path with a blank or an accent gets its quotes."""
    key, equals, value = line.partition("=")
    try:
        OverridesParser.create().parse_override(line)
    except (OverrideParseException, HydraException):
        if equals and value and value[0] not in "[{'\"":
            # Hydra takes a backslash as it is, save in a run of them before a quote.
            escaped = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + (m[2] and "\\'"), value)
            return f"{key}='{escaped}'"
    return line


def parse(lines: Sequence[str], loader: Any = None) -> tuple[list[Override], list[str]]:
    """The overrides, and a problem for each line that is none."""
    parser, found, problems = OverridesParser.create(config_loader=loader), [], []
    for line in lines:
        try:
            found.append(parser.parse_override(line))
        except (OverrideParseException, HydraException):
            problems.append(
                f"{line}: cannot be read; write key=value, and quote blanks and brackets"
            )
    return found, problems


def values_of(override: Override) -> list[str]:
    """Its values as text; of an interval both ends."""
    if override.is_interval_sweep():
        ends = (override.value().start, override.value().end)
        return [str(int(end)) if end == int(end) else str(end) for end in ends]
    if override.is_sweep_override():
        return [str(v) for v in override.sweep_string_iterator()]
    return [str(override.get_value_element_as_str())] if override.value() is not None else ["null"]


def as_line(override: Override, value: str) -> str:
    """The override with one value."""
    return f"{override.get_key_element()}={value}"
