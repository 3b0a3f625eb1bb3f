"""What a data set's files can be refused with."""

from pathlib import Path


class DataError(ValueError):
    """A file of the data set that cannot be used: names the file, the reason and the mend."""

    # All three are `args`, and two have defaults, so that the error survives pickling and the
    # rebuilding from one message by which a DataLoader hands on what its workers raise.
    def __init__(self, path: Path | str, reason: str = "", mend: str = "") -> None:
        super().__init__(str(path), reason, mend)

    def __str__(self) -> str:
        path, reason, mend = self.args
        return path + (f": {reason}" if reason else "") + (f"; {mend}" if mend else "")


class DataErrors(DataError):
    """Many unusable files in one message of at most 17 lines; all of them in `messages`."""

    def __init__(self, messages: list[str]) -> None:
        self.messages = list(messages)
        ValueError.__init__(self, self.messages)

    def __str__(self) -> str:
        lines = [f"{len(self.messages)} files cannot be used:", *self.messages[:15]]
        if len(self.messages) > 15:
            lines.append(f"... and {len(self.messages) - 15} more")
        return "\n".join(lines)
