"""What was predicted into a folder, so that the same command goes on where it was stopped."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

NAME = ".predictions.jsonl"
UNFINISHED = ".unfinished"


class Journal:
    """A context that holds `folder` for this process, with a line for each image in `NAME`.

    A line says first which files will be written for an image, and then that they are there, with
    their hashes. Files that no line names are somebody else's, and never replaced. What is written
    is written into `UNFINISHED` and renamed, so that a kill leaves whole files alone.

    Raises ValueError where another process is writing there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: dict[str, dict[str, Any]] = {}
        self.own: set[str] = set()

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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.folder / UNFINISHED, ignore_errors=True)
        if not self.own:  # nothing was written: leave nothing either
            (self.folder / NAME).unlink(missing_ok=True)
        self._handle.close()

    def foreign(self, files: Iterable[str]) -> list[str]:
        """Those of the files, relative to the folder, that are there and were not written by this
        command.
        """
        return [f for f in files if f not in self.own and os.path.lexists(self.folder / f)]

    def holds(self, image: str, key: str, sha256: str) -> dict[str, Any] | None:
        """What was recorded of an image, if it was predicted by the same means, from the same
        bytes, and what was written is still there, unchanged; else None.
        """
        record = self.done.get(image)
        if record is None or (record["key"], record["sha256"]) != (key, sha256):
            return None
        whole = all(_sha256(self.folder / f) == h for f, h in record["files"].items())
        return record if whole else None

    def claim(self, files: Iterable[str]) -> None:
        """Say that these will be written."""
        wanted = sorted(set(files) - self.own)
        if wanted:
            self.own.update(wanted)
            self._append({"claims": wanted})

    def place(
        self, image: str, key: str, sha256: str, written: Mapping[str, Path], facts: Mapping
    ) -> dict[str, Any]:
        """Move what was written for an image, file to where it is now, to its place. Returns its
        record.
        """
        files = {file: _sha256(path) for file, path in written.items()}
        self.claim(written)
        for file, path in written.items():
            place = self.folder / file
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, place)
        record = {"image": image, "key": key, "sha256": sha256, "files": files, **facts}
        self.done[image] = record
        self._append(record)
        return record

    def temporary(self, file: str) -> Path:
        """Where to write what will be `file`; its suffix is the same."""
        name = hashlib.sha256(file.encode()).hexdigest()[:16]
        return self.folder / UNFINISHED / f"{name}-{Path(file).name}"[-200:]

    def _append(self, line: Mapping[str, Any]) -> None:
        # one write of a whole line: a kill may cut it, and then it is not read
        os.write(self._handle.fileno(), json.dumps(line).encode() + b"\n")

    def _read(self, path: Path) -> None:
        data = path.read_bytes()
        for line in data.splitlines():
            try:
                held = json.loads(line)
            except ValueError:
                continue  # cut by a kill
            if "claims" in held:
                self.own.update(held["claims"])
            else:
                self.done[held["image"]] = held
        if data and not data.endswith(b"\n"):
            os.write(self._handle.fileno(), b"\n")


def key_of(settings: Mapping[str, Any]) -> str:
    """One word for all that predictions depend on."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _sha256(path: Path) -> str | None:
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
