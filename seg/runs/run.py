"""The run folder: made once, never overwritten, and its run.json tells what became of the run."""

import datetime
import importlib.metadata
import logging
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import pytorch_lightning
import torch

import seg
from seg.runs import disk_full, lock, workers
from seg.runs import watchdog as watch

log = logging.getLogger(__name__)

close = watch.close  # of a process that died without a word

LONGEST = 4000  # letters of an error; run.json keeps to the space that is reserved for it


def fresh_folder(parent: Path) -> Path:
    """Make `parent/<date>_<time>[-n]`; two launches in one second get two folders.

    Raises OSError naming the folder that cannot be made.
    """
    stamp = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    n = 1
    try:
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            folder = parent / (stamp if n == 1 else f"{stamp}-{n}")
            try:
                folder.mkdir()
            except FileExistsError:
                n += 1
            else:
                return folder
    except OSError as error:
        mend = disk_full.FIX if disk_full.is_full(error) else "give another output_dir"
        raise OSError(error.errno, f"{error.strerror}; {mend}", error.filename) from error


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that a killed process has left in a run folder: a checkpoint's
    can be large. Only for who has the folder alone.
    """
    for place in (folder, folder / "checkpoints"):
        for path in place.glob(".*.*"):
            if path.suffix[1:].isdigit():
                path.unlink(missing_ok=True)


def git_commit() -> str | None:
    """The commit of the code that runs, with `+` if the tree differs from it; None outside a
    checkout.
    """
    here = Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()
        dirty = subprocess.run(
            ["git", "status", "--porcelain", "-uno"],
            cwd=here, capture_output=True, text=True, check=True, timeout=10,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+" if dirty else "")


class Run:
    """A context whose run.json says running, then finished, failed, interrupted, or what the
    error's class has as `status` (pruned).

    folder: the run folder. facts: what else run.json shall hold. held: the folder's lock, which
    the end of the run gives back. watch: whether another process shall tell of this one's death.

    An error that a full disk or the loss of a process has caused leaves as an OSError with the
    mend.
    """

    def __init__(
        self,
        folder: Path,
        *,
        facts: dict[str, Any],
        held: lock.Lock | None = None,
        watch: bool = True,
    ) -> None:
        self.folder = folder
        self.facts = facts
        self.held = held
        self.watch = watch
        self.started = time.time()
        self.cpu_started = time.process_time()
        self.end_watch: Callable[[], None] = lambda: None

    def record(self, **facts: Any) -> None:
        """Add facts to run.json, now."""
        self.facts |= facts
        final = self.facts["status"] != "running"
        watch.write_status(self.facts, self.folder, final=final)

    def __enter__(self) -> "Run":
        remove_leftovers(self.folder)
        try:
            self.record(
                status="running",
                started=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
                command=shlex.join(["python", *sys.orig_argv[1:]]),
                pid=os.getpid(),
                host=platform.node(),
                git_commit=git_commit(),
                versions={
                    "seg": seg.__version__,
                    "python": platform.python_version(),
                    "torch": torch.__version__,
                    "pytorch_lightning": pytorch_lightning.__version__,
                    "albumentations": importlib.metadata.version("albumentations"),
                },
            )
        except OSError as error:
            self._let_go()
            raise disk_full.explained(error, self.folder) or error from error
        if self.watch:
            self.end_watch = watch.start(self.folder)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            status = "finished"
        elif issubclass(kind, KeyboardInterrupt | SystemExit):
            status = "interrupted"
        else:
            status = getattr(kind, "status", "failed")
        plain = None
        if error is not None:
            workers.end_workers()
            plain = disk_full.explained(error, self.folder) or workers.explained(error)
        reason = {} if status in ("finished", "interrupted") else {"error": told(plain or error)}
        try:
            self.record(
                status=status,
                seconds=round(time.time() - self.started, 1),
                cpu_seconds=round(time.process_time() - self.cpu_started, 1),
                **reason,
            )
        except OSError as unwritten:
            # The watcher goes on: it tries again when this process is gone.
            if error is None:
                raise disk_full.explained(unwritten, self.folder) or unwritten from unwritten
            log.error("%s could not be written: %s", self.folder / "run.json", unwritten)
        else:
            self.end_watch()
        finally:
            self._let_go()
        if plain is not None:
            raise plain from error

    def _let_go(self) -> None:
        if self.held is not None:
            self.held.release()


def told(error: BaseException | None) -> str:
    """An error as run.json keeps it."""
    text = f"{error.filename}: {error.strerror}" if getattr(error, "filename", None) else str(error)
    return text[:LONGEST]
