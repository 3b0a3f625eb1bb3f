"""The sweep's own folder: which command made it, its jobs, and which one is gone on with."""

import datetime
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from seg.runs import atomic
from seg.sweeps.jobs import Job

# what may differ between two commands of one sweep: where it runs, not what
OF_THE_LAUNCH = ("hydra.", "hydra/launcher", "resume", "output_dir", "dataset.num_workers")
GROWS = ("hydra.sweeper.n_trials", "hydra.sweeper.n_jobs")  # a search can be made longer


def identity(overrides: Sequence[str], flags: Sequence[str]) -> list[str]:
    """What makes two commands the same sweep: their lines, in any order, and their flags."""
    mine = [
        line
        for line in overrides
        if (line.startswith("hydra.sweeper.") and line.partition("=")[0] not in GROWS)
        or not line.partition("=")[0].lstrip("+~").startswith(OF_THE_LAUNCH)
    ]
    return sorted([*mine, *(f for f in flags if f not in ("-m", "--multirun"))])


def read(folder: Path) -> dict[str, Any]:
    """sweep.json; empty if it is not there or cannot be read."""
    try:
        content = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def record(folder: Path, **facts: Any) -> None:
    """Add to sweep.json, now."""
    atomic.write_json(folder / "sweep.json", read(folder) | facts)


def begin(folder: Path, who: Sequence[str], overrides: Sequence[str]) -> None:
    """sweep.json of a sweep that starts, or goes on."""
    command = shlex.join(["python", *sys.orig_argv[1:]])
    started = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    first = {"command": command, "started": started, "constant": [], "jobs": []}
    about = {"identity": list(who), "overrides": list(overrides), "complete": False}
    record(folder, **(first | read(folder) | about))


def add_jobs(folder: Path, jobs: Sequence[Job]) -> None:
    """Name jobs in sweep.json that it does not name yet."""
    content = read(folder)
    constant = set(content.get("constant", []))
    known = {job["number"]: job for job in content.get("jobs", [])}
    for job in jobs:
        swept = [line for line in job.overrides if line not in constant]
        known[job.number] = {
            "number": job.number,
            "overrides": swept,
            "folder": job.folder.name,
        }
    record(folder, jobs=[known[number] for number in sorted(known)])


def is_complete(folder: Path) -> bool:
    """Whether nothing of the sweep is missing; its sweeper says so at the end."""
    return read(folder).get("complete") is True


def find(which: str | None, who: Sequence[str], sweeps: Path) -> Iterator[Path]:
    """Folders of earlier sweeps of the same command to go on with, the best first.

    which: null: an unfinished one; auto: that, or else a finished one; never: none; or a folder.
    Raises FileNotFoundError, or ValueError naming the difference.
    """
    if which == "never":
        return
    if which not in (None, "auto"):
        folder = Path(which).expanduser().absolute()
        theirs = read(folder).get("identity")
        if theirs is None:
            raise FileNotFoundError(f"resume={which}: no folder of a sweep, it has no sweep.json")
        gone, new = sorted(set(theirs) - set(who)), sorted(set(who) - set(theirs))
        if gone or new:
            told = [f"then {' '.join(gone)}"] if gone else []
            told += [f"now {' '.join(new)}"] if new else []
            raise ValueError(f"resume={which}: it is of another command: {'; '.join(told)}")
        yield folder
        return
    same = [f for f in sorted(sweeps.glob("*/"), reverse=True) if read(f).get("identity") == who]
    yield from (f for f in same if not is_complete(f))
    if which == "auto":
        yield from (f for f in same if is_complete(f))


def open_folder(
    which: str | None,
    who: Sequence[str],
    sweeps: Path,
    *,
    acquire: Callable[[Path], Any],
    fresh: Callable[[Path], Path],
) -> tuple[Path, Any]:
    """The sweep's folder, and the lock on it: of an earlier sweep that nobody works on, or new.

    acquire: locks a folder, None where another process holds it. fresh: makes a new one.
    """
    for folder in find(which, list(who), sweeps):
        held = acquire(folder)
        if held is not None:
            return folder, held
        if which not in (None, "auto"):
            raise ValueError(f"resume={which}: that sweep is still running")
    folder = fresh(sweeps)
    return folder, acquire(folder)
