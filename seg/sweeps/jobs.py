"""A job of a sweep: its overrides, its folder, and what has become of it."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DONE = ("finished", "pruned")  # a job that is not run again
LONGEST = 180  # file systems take 255 bytes


@dataclass(frozen=True)
class Job:
    """overrides: all of the job's, those that do not vary included. folder: its run folder."""

    number: int
    overrides: tuple[str, ...]
    folder: Path


def folder_name(number: int, swept: Sequence[str]) -> str:
    """`<n>_<what sets the job apart>`, fit for a file system and for Hydra's grammar."""
    text = ",".join(sorted(line.lstrip("+") for line in swept))
    text = re.sub(r"[^\w.,=+\-]", "_", text)
    name = f"{number}_{text}" if text else str(number)
    while len(name.encode()) > LONGEST:
        name = name[:-1]
    return name


def state(folder: Path) -> dict[str, Any]:
    """What its run.json says; `status` is None where there is none that can be read."""
    try:
        facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {"status": None}
    return facts if isinstance(facts, dict) and "status" in facts else {"status": None}


def is_done(folder: Path) -> bool:
    return state(folder)["status"] in DONE
