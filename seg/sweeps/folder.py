"""The folder of a sweep: sweep.json, which names its command and its jobs."""

import datetime
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg.runs import atomic

# how and where a sweep runs, not what it is: two commands of one sweep may differ in it
LAUNCH_KEYS = ("hydra.", "hydra/launcher", "resume", "output_dir", "dataset.num_workers")
# how long a search goes on, and how many trials at a time: it can be extended
GROWING_KEYS = ("hydra.sweeper.n_trials", "hydra.sweeper.cpu_minutes", "hydra.sweeper.n_jobs")
NAME_BYTES = 180  # file systems take 255


@dataclass(frozen=True)
class Job:
    """A job of a sweep.

    Args:
        number: its place in the sweep, from 0.
        overrides: all overrides of the job, those that every job shares included.
        folder: its run folder.
    """

    number: int
    overrides: tuple[str, ...]
    folder: Path


def folder_name(number: int, swept: Sequence[str]) -> str:
    """`<number>_<overrides that set the job apart>`, safe for file systems and Hydra's grammar."""
    text = ",".join(sorted(line.lstrip("+") for line in swept))
    text = re.sub(r"[^\w.,=+\-]", "_", text)
    name = f"{number}_{text}" if text else str(number)
    while len(name.encode()) > NAME_BYTES:
        name = name[:-1]
    return name


def identity(overrides: Sequence[str], flags: Sequence[str]) -> list[str]:
    """The overrides and flags that make two commands the same sweep, in any order."""
    lines = [
        line
        for line in overrides
        if (line.startswith("hydra.sweeper.") and line.partition("=")[0] not in GROWING_KEYS)
        or not line.partition("=")[0].lstrip("+~").startswith(LAUNCH_KEYS)
    ]
    return sorted([*lines, *(f for f in flags if f not in ("-m", "--multirun"))])


def read(folder: Path) -> dict[str, Any]:
    """The content of sweep.json; empty if it is missing or cannot be read."""
    try:
        content = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def record(folder: Path, **facts: Any) -> None:
    """Add facts to sweep.json."""
    atomic.write_json(folder / "sweep.json", read(folder) | facts)


def begin(folder: Path, sweep_identity: Sequence[str], overrides: Sequence[str]) -> None:
    """Write sweep.json of a sweep that starts or is continued."""
    command = shlex.join(["python", *sys.orig_argv[1:]])
    started = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    first = {"command": command, "started": started, "constant": [], "jobs": []}
    now = {"identity": list(sweep_identity), "overrides": list(overrides), "complete": False}
    record(folder, **(first | read(folder) | now))


def add_jobs(folder: Path, jobs: Sequence[Job]) -> None:
    """Name jobs in sweep.json that it does not name yet."""
    content = read(folder)
    constant = set(content.get("constant", []))
    by_number = {job["number"]: job for job in content.get("jobs", [])}
    for job in jobs:
        by_number[job.number] = {
            "number": job.number,
            "overrides": [line for line in job.overrides if line not in constant],
            "folder": job.folder.name,
        }
    record(folder, jobs=[by_number[number] for number in sorted(by_number)])


def is_complete(folder: Path, overrides: Sequence[str]) -> bool:
    """Whether every job of the sweep is done; its sweeper records that at the end.

    Args:
        overrides: of the command; a search of which it wants more is not complete.
    """
    content = read(folder)
    wanted, had = _extent(overrides), _extent(content.get("overrides", []))
    return content.get("complete") is True and wanted == had


def _extent(overrides: Sequence[str]) -> set[str]:
    return {line for line in overrides if line.partition("=")[0] in GROWING_KEYS[:2]}


def find(
    resume: str | None, sweep_identity: Sequence[str], sweeps: Path, overrides: Sequence[str] = ()
) -> Iterator[Path]:
    """Folders of earlier sweeps of the same command to continue, the best first.

    Args:
        resume: None for an unfinished sweep; `auto` for that or else a finished one; `never` for
            none; or the folder of a sweep.
        sweep_identity: from `identity`.
        sweeps: the folder in which sweeps lie.
        overrides: of the command.

    Raises:
        FileNotFoundError: `resume` is no folder of a sweep.
        ValueError: `resume` is a sweep of another command; the message names the difference.
    """
    if resume == "never":
        return
    if resume not in (None, "auto"):
        folder = Path(resume).expanduser().absolute()
        before = read(folder).get("identity")
        if before is None:
            raise FileNotFoundError(f"resume={resume}: no folder of a sweep, it has no sweep.json")
        removed = sorted(set(before) - set(sweep_identity))
        added = sorted(set(sweep_identity) - set(before))
        if removed or added:
            parts = [f"then {' '.join(removed)}"] if removed else []
            parts += [f"now {' '.join(added)}"] if added else []
            raise ValueError(f"resume={resume}: it is of another command: {'; '.join(parts)}")
        yield folder
        return
    newest_first = sorted(sweeps.glob("*/"), reverse=True)
    same = [f for f in newest_first if read(f).get("identity") == sweep_identity]
    yield from (f for f in same if not is_complete(f, overrides))
    if resume == "auto":
        yield from (f for f in same if is_complete(f, overrides))


def open_folder(
    resume: str | None,
    sweep_identity: Sequence[str],
    sweeps: Path,
    *,
    overrides: Sequence[str] = (),
    acquire: Callable[[Path], Any],
    fresh: Callable[[Path], Path],
) -> tuple[Path, Any]:
    """The folder of an earlier sweep that no process works on, or a new one; and the lock on it.

    Args:
        resume, sweep_identity, sweeps, overrides: as in `find`.
        acquire: locks a folder; None where another process has the lock.
        fresh: makes a new folder in `sweeps`.
    """
    for folder in find(resume, list(sweep_identity), sweeps, overrides):
        lock = acquire(folder)
        if lock is not None:
            return folder, lock
        if resume not in (None, "auto"):
            raise ValueError(f"resume={resume}: that sweep is still running")
    folder = fresh(sweeps)
    return folder, acquire(folder)
