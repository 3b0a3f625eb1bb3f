"""Files that `dataset.exclude` leaves out of a data set."""

import logging
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

log = logging.getLogger(__name__)


class Exclusion:
    """Leaves out the files that a pattern matches, and says how many.

    Args:
        patterns: globs of paths relative to the root (`*` stands for slashes too), or of names.
        root: the folder that paths are relative to.
    """

    def __init__(self, patterns: str | list[str] | None, *, root: Path) -> None:
        patterns = [patterns] if isinstance(patterns, str) else patterns or []
        self.matches: dict[str, set[Path]] = {pattern: set() for pattern in patterns}
        self.root = root

    def kept(self, files: Iterable[Path]) -> list[Path]:
        """The files that no pattern matches, in their order."""
        if not self.matches:
            return list(files)
        return [file for file in files if not self._is_excluded(file)]

    def report(self) -> None:
        """Say how many files each pattern matched."""
        for pattern, files in self.matches.items():
            if files:
                log.info("dataset.exclude=%s: %d files left out", pattern, len(files))
            else:
                log.warning("dataset.exclude=%s: matches no file of %s", pattern, self.root)

    def _is_excluded(self, file: Path) -> bool:
        path = file.relative_to(self.root) if file.is_relative_to(self.root) else file
        found = [p for p in self.matches if fnmatchcase(path.as_posix(), p.removeprefix("./"))]
        found += [p for p in self.matches if fnmatchcase(file.name, p)]
        for pattern in found:
            self.matches[pattern].add(file)
        return bool(found)
