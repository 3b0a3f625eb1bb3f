"""Errors for files of a data set that cannot be used."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError


class DataError(ValueError):
    """A file of the data set that cannot be used: its path, the reason, and how to fix it."""

    # All three are `args`, and two have defaults, so that the error survives pickling and is
    # rebuilt from its message alone, as a DataLoader does with what its workers raise.
    def __init__(self, path: Path | str, reason: str = "", fix: str = "") -> None:
        super().__init__(str(path), reason, fix)
        self.path, self.reason, self.fix = self.args

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return self.path + reason + (f"; {self.fix}" if self.fix else "")


class UnknownRangeError(DataError):
    """An image whose values no range is known of, such as a CT's."""


class DataErrors(DataError):
    """All problems of a data set in one message of at most 17 lines; `messages` has each once."""

    def __init__(self, messages: list[str]) -> None:
        self.messages = list(dict.fromkeys(messages))
        ValueError.__init__(self, self.messages)

    def __str__(self) -> str:
        if len(self.messages) == 1:
            return self.messages[0]
        lines = [f"{len(self.messages)} problems in the data:", *self.messages[:15]]
        if len(self.messages) > 15:
            lines.append(f"... and {len(self.messages) - 15} more")
        return "\n".join(lines)


def shown(path: Path | str) -> str:
    """A path as it was typed and, if it is relative, what it stands for."""
    path = Path(path)
    return str(path) if path.is_absolute() else f"{path} ({path.absolute()})"


@contextmanager
def data_errors(path: Path) -> Iterator[None]:
    """Turn every exception while `path` is read into a `DataError` of one line.

    A package that is missing stays an ImportError: it is missing for all files.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "a device or pipe"
            raise DataError(path, f"{kind}, not a file", "move it elsewhere")
        if status.st_size == 0:
            raise DataError(path, "empty file (0 bytes)", "copy or download it again")
        yield
    except (DataError, ImportError):
        raise
    except FileNotFoundError as error:
        reason = "link to a file that is not there" if os.path.islink(path) else "no such file"
        raise DataError(path, reason, "restore it or take it out") from error
    except PermissionError as error:
        raise DataError(path, "no permission to read it", f"chmod u+r '{path}'") from error
    except UnidentifiedImageError as error:
        with open(path, "rb") as file:
            start = file.read(12)
        fix = "take it out, or convert it to PNG"
        raise DataError(path, f"not an image of a known kind, begins {start!r}", fix) from error
    except (Image.DecompressionBombError, MemoryError) as error:
        raise DataError(path, f"too large: {_line(error)}", "cut it into smaller images") from error
    except Exception as error:  # decoders raise all kinds of exceptions on damaged files
        fix = "copy or download it again"
        raise DataError(path, f"damaged or truncated: {_line(error)}", fix) from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
