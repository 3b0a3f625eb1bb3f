"""Going on with a run, and starting from another's weights."""

import json
import logging
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from torch import nn

from seg.training.checkpoint import model_weights, read

log = logging.getLogger(__name__)

# keys that say how and where a run was started, not what it is; data are compared by their contents
OF_THE_LAUNCH = (
    "resume", "output_dir", "dataset.cache_dir", "dataset.num_workers", "dataset.root"
)  # fmt: skip


def status(folder: Path) -> str:
    """What run.json says of a run."""
    path = folder / "run.json"
    if not path.is_file():
        raise FileNotFoundError(f"resume={folder}: no run folder, it has no run.json")
    return json.loads(path.read_text(encoding="utf-8"))["status"]


def is_finished(folder: Path) -> bool:
    return (folder / "run.json").is_file() and status(folder) == "finished"


def store(folder: Path, config: Mapping[str, Any]) -> None:
    """Write config.yaml, from which `seg.train` can be started again, whole or not at all."""
    text = yaml.safe_dump({**config, "resume": None}, sort_keys=False, allow_unicode=True)
    temporary = folder / f".config.yaml.{os.getpid()}"
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, folder / "config.yaml")


def is_alive(folder: Path) -> bool:
    """Whether the process that runs in this folder still does, as far as this machine can tell."""
    facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    if facts["status"] != "running" or facts["host"] != platform.node():
        return False
    try:
        os.kill(facts["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return facts["pid"] != os.getpid()


def last_checkpoint(folder: Path) -> Path | None:
    """last.ckpt, or None if the run ended before its first epoch was over."""
    path = folder / "checkpoints" / "last.ckpt"
    return path if path.is_file() else None


def find(which: str, config: Mapping[str, Any], runs: Path) -> Path | None:
    """The run folder to go on with.

    which: a run folder, whose configuration must be `config`; or `auto`: the newest unfinished run
        of `config` below `runs`, the newest finished one if there is no other, None if there is
        none.

    Raises FileNotFoundError, or ValueError naming the keys in which the configurations differ.
    """
    if which != "auto":
        folder = Path(which).expanduser().absolute()
        if is_alive(folder):
            raise ValueError(f"resume={which}: that run is still running")
        different = differences(stored(folder), config)
        if different:
            raise ValueError(
                f"resume={which}: it was started with another configuration "
                f"({'; '.join(different[:8])}); give the same, or start anew with init_from"
            )
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


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """`key: before -> now` for every difference that matters."""
    found = []
    for key in sorted(before.keys() | now.keys(), key=str):
        if f"{prefix}{key}" in OF_THE_LAUNCH:
            continue
        a, b = before.get(key), now.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, f"{prefix}{key}.")
        elif a != b:
            found.append(f"{prefix}{key}: {a} -> {b}")
    return found


def load_weights(model: nn.Module, source: Path) -> None:
    """Weights of a run folder, a checkpoint or a .pth file into `model`, where names and shapes
    agree.

    Raises ValueError if none do.
    """
    path = source / "checkpoints" / "best.ckpt" if source.is_dir() else source
    given = model_weights(read(path))
    own = model.state_dict()
    fitting = {k: v for k, v in given.items() if k in own and v.shape == own[k].shape}
    if not fitting:
        raise ValueError(f"init_from={source}: none of its {len(given)} weights fits this model")
    model.load_state_dict(fitting, strict=False)
    left = [k for k in own if k not in fitting]
    rest = f"; not {', '.join(left[:4])}{' ...' if len(left) > 4 else ''}" if left else ""
    log.info("%d of %d weights from %s%s", len(fitting), len(own), path, rest)
