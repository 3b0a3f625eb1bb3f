"""Going on with a run: which folder, and what is in it."""

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from seg.runs import atomic, lock
from seg.runs.same import differences, is_longer, require_same


def facts(folder: Path) -> dict[str, Any]:
    """What run.json says of a run."""
    path = folder / "run.json"
    if not path.is_file():
        raise FileNotFoundError(f"resume={folder}: no run folder, it has no run.json")
    return json.loads(path.read_text(encoding="utf-8"))


def status(folder: Path) -> str:
    return facts(folder)["status"]


def is_finished(folder: Path) -> bool:
    return (folder / "run.json").is_file() and status(folder) == "finished"


def is_over(folder: Path, config: Mapping[str, Any]) -> bool:
    """Whether a run is finished, and `config` does not give it more epochs."""
    return is_finished(folder) and not is_longer(stored(folder), config)


def store(folder: Path, config: Mapping[str, Any]) -> None:
    """Write config.yaml, from which `seg.train` can be started again, whole or not at all."""
    text = yaml.safe_dump({**config, "resume": None}, sort_keys=False, allow_unicode=True)
    atomic.write_text(folder / "config.yaml", text)


def is_alive(folder: Path) -> bool:
    """Whether the process that runs in this folder still does: it holds the folder's lock.

    Where there are no locks, as far as this machine can tell.
    """
    if lock.exists(folder):
        return lock.held(folder)
    of_run = facts(folder)
    if of_run["status"] != "running" or of_run["host"] != platform.node():
        return False
    try:
        os.kill(of_run["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return of_run["pid"] != os.getpid()


def last_checkpoint(folder: Path) -> Path | None:
    """last.ckpt, or None if the run ended before its first epoch was over."""
    path = folder / "checkpoints" / "last.ckpt"
    return path if path.is_file() else None


def find(which: str, config: Mapping[str, Any], runs: Path) -> Path | None:
    """The run folder to go on with.

    which: a run folder, whose configuration must be `config`, but for more epochs now; or `auto`:
        the newest unfinished run of `config` below `runs`, the newest finished one if there is no
        other, None if there is none.

    Raises FileNotFoundError, or ValueError naming the keys in which the configurations differ.
    """
    if which != "auto":
        folder = Path(which).expanduser().absolute()
        if is_alive(folder):
            raise ValueError(f"resume={which}: that run is still running")
        require_same(stored(folder), config, f"resume={which}", may_be_longer=True)
        return folder
    same = [
        folder
        for folder in sorted(runs.glob("*/"), reverse=True)
        if (folder / "run.json").is_file()
        and (folder / "config.yaml").is_file()
        and not differences(stored(folder), config)
        and not is_alive(folder)
    ]
    return next((f for f in same if not is_finished(f)), same[0] if same else None)


def stored(folder: Path) -> dict[str, Any]:
    """The configuration of a run; empty if there is none in the file."""
    return yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")) or {}
