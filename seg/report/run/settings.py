"""The configuration: what was chosen on the command line, and all of it by dotted keys."""

import shlex
from typing import Any

from seg.comparison.configurations import text
from seg.comparison.runs import flatten
from seg.report.comparison.html import Cell, label, shortened, table
from seg.report.run.evidence import Evidence

VALUE = 120  # characters


def chosen(evidence: Evidence) -> list[tuple[str, str, str]]:
    """(key, as it was given, what the configuration has there) of the command in run.json. All
    else is a default.
    """
    try:
        words = shlex.split(str(evidence.facts.get("command") or ""))
    except ValueError:  # a quote without its other one
        return []
    rows = []
    for word in words:
        key, equals, given = word.partition("=")
        key = key.lstrip("+~")
        if equals and not key.startswith("-"):
            rows.append((key, given, _held(evidence.get(key))))
    return rows


def _held(node: Any) -> str:
    if isinstance(node, dict):
        target = node.get("_target_")
        if target:
            return str(target)
    return "" if node is None else text(node)


def section(evidence: Evidence) -> str:
    """The command's choices, then everything, folded."""
    picked = chosen(evidence)
    parts = []
    if picked:
        rows = [
            [label(key, 50), Cell(shortened(given, VALUE), given), Cell(shortened(held, VALUE))]
            for key, given, held in picked
        ]
        parts.append(table(["chosen on the command line", "given", "in the configuration"], rows))
    flat = flatten(evidence.config) if evidence.config else {}
    rows = [
        [label(key, 60), Cell(shortened(text(value), VALUE), text(value))]
        for key, value in flat.items()
    ]
    if rows:
        whole = table(["key", "value"], rows)
        parts.append(f"<details><summary>all {len(rows)} keys</summary>{whole}</details>")
    return "".join(parts)
