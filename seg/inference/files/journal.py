"""What was predicted into a folder, so that the same command continues where it was stopped."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAME = ".predictions.jsonl"
UNFINISHED = ".unfinished"


class Journal:
    """A context that locks an output folder for this process and records each image in `NAME`.

    A line first claims the files that will be written for an image; a second one records that they
    are there, with their hashes. Files that no line names are somebody else's and never replaced.
    Everything is written into `UNFINISHED` and renamed, so that a kill leaves only whole files.

    Args:
        folder: the output folder; made if it is missing.
        key: of all settings that predictions depend on (`key_of`).

    Raises:
        ValueError: another process is writing there.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self.key = key
        self.records: dict[str, dict[str, Any]] = {}  # by image
        self.own: set[str] = set()  # files that this command has written, or will

    def __enter__(self) -> "Journal":
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / NAME
        self._handle = path.open("a+b")
        try:
            _lock(self._handle.fileno(), self.folder)
            self._read(path)
            shutil.rmtree(self.folder / UNFINISHED, ignore_errors=True)
            (self.folder / UNFINISHED).mkdir()
        except BaseException:
            self._handle.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder / UNFINISHED, ignore_errors=True)
        if not self.own:  # nothing was written: leave nothing either
            (self.folder / NAME).unlink(missing_ok=True)
        self._handle.close()

    def refuse_foreign(self, files: Iterable[str]) -> None:
        """Raises ValueError where one of these files exists and is not of this command."""
        foreign = [f for f in files if f not in self.own and os.path.lexists(self.folder / f)]
        if foreign:
            more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
            raise ValueError(
                f"output={self.folder}: holds {foreign[0]}{more}, which seg.predict has not "
                "written there; choose another folder, or move them"
            )

    def valid_record(self, image: str, sha256: str) -> dict[str, Any] | None:
        """The record of an image, if it still holds.

        That is: the image has the same bytes, the settings are the same, and what was written is
        there, unchanged.
        """
        record = self.records.get(image)
        if record is None or (record["key"], record["sha256"]) != (self.key, sha256):
            return None
        whole = all(_sha256(self.folder / f) == h for f, h in record["files"].items())
        return record if whole else None

    def claim(self, files: Iterable[str]) -> None:
        """Record that these files will be written."""
        new = sorted(set(files) - self.own)
        if new:
            self.own.update(new)
            self._append({"claims": new})

    def place(
        self, image: str, sha256: str, files: Iterable[str], facts: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Move files that were written for an image from `temporary` to their places.

        Returns:
            The image's record, which holds `facts` as well.
        """
        hashes = {file: _sha256(self.temporary(file)) for file in files}
        self.claim(hashes)
        for file in hashes:
            self._move(file)
        record = {"image": image, "key": self.key, "sha256": sha256, "files": hashes, **facts}
        self.records[image] = record
        self._append(record)
        return record

    @contextmanager
    def replacing(self, file: str) -> Iterator[Path]:
        """A path that becomes `file`, whole, when the block ends without an error."""
        self.claim([file])
        yield self.temporary(file)
        self._move(file)

    def temporary(self, file: str) -> Path:
        """Where to write what will be `file`; the suffix is the same."""
        name = hashlib.sha256(file.encode()).hexdigest()[:16]
        return self.folder / UNFINISHED / f"{name}-{Path(file).name}"[-200:]

    def _move(self, file: str) -> None:
        place = self.folder / file
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(self.temporary(file), place)

    def _append(self, line: Mapping[str, Any]) -> None:
        # one write of a whole line: a kill may cut it, and then it is not read
        os.write(self._handle.fileno(), json.dumps(line).encode() + b"\n")

    def _read(self, path: Path) -> None:
        data = path.read_bytes()
        for line in data.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # cut by a kill
            if "claims" in entry:
                self.own.update(entry["claims"])
            else:
                self.records[entry["image"]] = entry
        if data and not data.endswith(b"\n"):
            os.write(self._handle.fileno(), b"\n")


def key_of(settings: Mapping[str, Any]) -> str:
    """A short hash of settings."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _sha256(path: Path) -> str | None:
    """Of a file's bytes; None if it cannot be read."""
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError:
        return None


def _lock(descriptor: int, folder: Path) -> None:
    try:
        import fcntl  # noqa: PLC0415 - not on every system
    except ImportError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ValueError(
            f"output={folder}: another seg.predict is writing there; wait for it"
        ) from error
    except OSError:  # a file system without locks
        return
