"""The run folder: made once, never overwritten, and its run.json tells what became of the run."""

import datetime
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import albumentations
import pytorch_lightning
import torch

import seg


def fresh_folder(parent: Path) -> Path:
    """Make `parent/<date>_<time>[-n]`; two launches in one second get two folders."""
    stamp = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    parent.mkdir(parents=True, exist_ok=True)
    n = 1
    while True:
        folder = parent / (stamp if n == 1 else f"{stamp}-{n}")
        try:
            folder.mkdir()
        except FileExistsError:
            n += 1
        else:
            return folder


def write_json(content: dict[str, Any], path: Path) -> None:
    """Write whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, path)


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
    """A context whose run.json says running, then finished, failed or interrupted.

    folder: the run folder. facts: what else run.json shall hold.
    """

    def __init__(self, folder: Path, *, facts: dict[str, Any]) -> None:
        self.folder = folder
        self.facts = facts
        self.started = time.time()
        self.cpu_started = time.process_time()

    def record(self, **facts: Any) -> None:
        """Add facts to run.json, now."""
        self.facts |= facts
        write_json(self.facts, self.folder / "run.json")

    def __enter__(self) -> "Run":
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
                "albumentations": albumentations.__version__,
            },
        )
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
            status = "failed"
        reason = {"error": str(error)} if status == "failed" else {}
        self.record(
            status=status,
            seconds=round(time.time() - self.started, 1),
            cpu_seconds=round(time.process_time() - self.cpu_started, 1),
            **reason,
        )
