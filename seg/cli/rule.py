"""What values a key may have: rules, and the usual ones."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rule:
    """Whether a value is allowed, and which values are, as in "must be ...".

    choices: as they are typed, where there are few.
    """

    allows: Callable[[Any], bool]
    wanted: str
    choices: tuple[str, ...] = ()


def number(wanted: str, within: Callable[[float], bool] = lambda value: True) -> Rule:
    """A finite number for which `within` holds."""
    return Rule(lambda v: type(v) in (int, float) and math.isfinite(v) and within(v), wanted)


def positive(wanted: str = "a number above 0") -> Rule:
    return number(wanted, lambda value: value > 0)


def share() -> Rule:
    return number("a share from 0, below 1", lambda value: 0 <= value < 1)


def count(least: int, wanted: str = "") -> Rule:
    return Rule(lambda v: type(v) is int and v >= least, wanted or f"a whole number from {least}")


def one_of(*choices: str | float | None) -> Rule:
    """One of these values, and of its type: 1 is neither true nor 1.0."""
    typed = tuple(str(as_typed(choice)) for choice in choices)
    return Rule(
        lambda value: any(type(value) is type(c) and value == c for c in choices),
        f"{', '.join(typed[:-1])} or {typed[-1]}",
        typed,
    )


def text(wanted: str, pattern: str = "(?s).+") -> Rule:
    """A text that the pattern matches as a whole."""
    return Rule(lambda v: isinstance(v, str) and re.fullmatch(pattern, v) is not None, wanted)


def path(wanted: str = "a folder") -> Rule:
    """The name of a file or folder, which need not exist (see MUST_EXIST)."""
    return text(wanted)


def or_null(rule: Rule) -> Rule:
    return Rule(lambda value: value is None or rule.allows(value), f"null, or {rule.wanted}")


def or_list(rule: Rule, *, least: int = 1) -> Rule:
    """A value that the rule allows, or a list of at least so many."""

    def allows(value: Any) -> bool:
        values = value if isinstance(value, list) else [value]
        return len(values) >= least and all(map(rule.allows, values))

    return Rule(allows, f"{rule.wanted}, or a list of them")


def as_typed(value: Any) -> Any:
    """null, true and false as they are typed in a configuration; other values unchanged."""
    return json.dumps(value) if value is None or isinstance(value, bool) else value
