"""Numbers, counts and names as words: what pages, cards and the console write in the same way."""

import math
import re
from collections.abc import Sequence
from typing import Any

UNSTATED = "not stated"  # by the files of the run


def number(value: float, digits: int = 4) -> str:
    """`digits` decimals for shares, two for distances (10 and more); a dash for NaN, infinity."""
    if not math.isfinite(value):
        return "-"
    return f"{value:.{digits if abs(value) < 10 else 2}f}"


def limits(low: float, high: float, digits: int = 4) -> str:
    """The two ends of an interval: `0.4225 to 0.5585`; a dash without one."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return "-"
    return f"{number(low, digits)} to {number(high, digits)}"


def interval(value: float, low: float, high: float, *, name: str = "") -> str:
    """A value with its interval: `0.4914 (0.4225 to 0.5585)`; the value alone without one.

    Args:
        name: what stands before the ends, such as `95 % `.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return number(value)
    return f"{number(value)} ({name}{limits(low, high)})"


def chance(p: float) -> str:
    """A p-value in a cell: `< 0.001`, `0.034`, `0.42`."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def probability(p: float) -> str:
    """A p-value in a sentence: `p < 0.001`, `p = 0.034`."""
    return f"p {chance(p)}" if p < 0.001 else f"p = {chance(p)}"


def cut(text: str, length: int) -> str:
    """The text on one line of at most `length` characters: long decimals are rounded to four
    digits, and the middle of what is still too long is left out.
    """
    whole = re.sub(r"\d+\.\d{6,}(e-?\d+)?", lambda m: f"{float(m[0]):.4g}", " ".join(text.split()))
    if len(whole) <= length:
        return whole
    head = (length - 1) // 2
    return f"{whole[:head]}…{whole[head + 1 - length :]}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """A count with its noun: `1 case`, `3 cases`."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def some(names: Sequence[str], most: int = 8) -> str:
    """The first names, and how many more there are: `a, b and 3 more`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def stated(value: Any) -> Any:
    """The value, or `not stated` instead of None and of nothing."""
    return UNSTATED if value in (None, "") else value
