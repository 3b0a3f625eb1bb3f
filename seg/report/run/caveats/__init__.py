"""What a reader of the figures must know, worked out from the run folder alone."""

from dataclasses import dataclass

from seg.report.text import some


@dataclass(frozen=True)
class Caveat:
    """A limit of the figures.

    Args:
        kind: two or three words.
        text: what is so, and what follows from it.
        fix: what to do about it, "" if nothing.
        grave: whether the figures may be wrong, rather than uncertain or few.
        names: files, cases or groups that it is about. They may name patients, so that a model
            card leaves them out.
    """

    kind: str
    text: str
    fix: str = ""
    grave: bool = False
    names: tuple[str, ...] = ()

    @property
    def with_names(self) -> str:
        """The text, and the first of the names."""
        return f"{self.text} These: {some(self.names)}." if self.names else self.text
