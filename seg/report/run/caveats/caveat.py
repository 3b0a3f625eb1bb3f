"""One caveat."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Caveat:
    """kind: two or three words. text: what is so, and what follows. mend: what to do about it, ""
    if nothing. grave: the figures may be wrong, rather than uncertain or few. names: of the files,
    cases or groups that it is about, which may name patients: they are left out of a model card.
    """

    kind: str
    text: str
    mend: str = ""
    grave: bool = False
    names: tuple[str, ...] = ()

    @property
    def named(self) -> str:
        """The text, and the first of the names."""
        return f"{self.text} These: {some(self.names)}." if self.names else self.text


def counted(count: int, noun: str, plural: str = "") -> str:
    """`1 case`, `3 cases`."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def some(names: Sequence[str], most: int = 8) -> str:
    """The first few, and how many more."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
