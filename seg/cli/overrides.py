"""Overrides: as people type them, as Hydra reads them, and one value of several."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

EARLIER = ("loss.losses", "loss.weights")
# a key of a training that another command has under another name
SAME = dict.fromkeys(("evaluate", "predict"), {"dataset.batch_size": "batch_size"})


def quoted(line: str, command: str = "train") -> str:
    """An override as Hydra's grammar takes it: a value with a blank or an accent gets quotes.

    Sums of losses had a list in earlier versions; it is added in place of today's terms.
    """
    key, equals, value = line.partition("=")
    if key in SAME.get(command, {}):
        key = SAME[command][key]
        line = f"{key}={value}"
    if key in EARLIER:
        line, key = f"++{line}", f"++{key}"
    if parse([line])[1] and equals and value and value[0] not in "[{'\"":
        # Hydra takes a backslash as it is, except in a run of them before a quote or the end.
        escaped = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + (m[2] and "\\'"), value)
        return f"{key}='{escaped}'"
    return line


def parse(lines: Sequence[str]) -> tuple[list[Override], list[str]]:
    """The overrides, and a problem for each line that is not one."""
    hydra = GlobalHydra.instance()
    # it lists what a glob stands for
    loader = hydra.config_loader() if hydra.is_initialized() else None
    parser, overrides, problems = OverridesParser.create(loader), [], []
    for line in lines:
        try:
            overrides += parser.parse_overrides([line])
        except HydraException:
            example = f", such as run={line}" if "=" not in line and Path(line).exists() else ""
            problems.append(
                f"{line}: cannot be read; write key=value, and quote blanks and brackets{example}"
            )
    return overrides, problems


def values_of(override: Override) -> list[str]:
    """The values of an override as text; those of an interval are its two ends."""
    if override.is_interval_sweep():
        ends = (override.value().start, override.value().end)
        return [str(int(end)) if end == int(end) else str(end) for end in ends]
    if override.is_sweep_override():
        return [str(value) for value in override.sweep_string_iterator()]
    return ["null" if override.value() is None else str(override.get_value_element_as_str())]


def values_line(value: Any) -> str:
    """The values of a sweep's parameter as on the command line: a list is several."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
