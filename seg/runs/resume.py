"""Which run a command resumes, and what must not have changed since it was started."""

import logging
import os
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seg.runs import lock
from seg.runs.earlier_losses import named
from seg.runs.folder import RunFolder

log = logging.getLogger(__name__)

SHOWN = 3  # differences in a message
# keys that say how and where a run was started, not what it is; data are compared by their contents
LAUNCH_KEYS = (
    "resume", "output_dir", "dataset.cache_dir", "dataset.num_workers", "dataset.root",
    "checkpoints", "panels_every", "name", "dataset.name", "init_from_partial",
    "figures", "logger",
)  # fmt: skip
# what keys mean that an earlier version did not have
EARLIER = {
    "dataset.overlap": False, "dataset.recursive": False, "dataset.missing_masks": "error",
    "dataset.patch_foreground": 0.33, "dataset.patches_per_image": "auto",
    "dataset.sampling": "uniform", "dataset.sampling_foreground": 0.5,
    "model.deep_supervision": False, "ema": {"decay": None}, "callbacks": {}, "figures": None,
    "init_from_partial": False,
    "model.freeze_encoder_epochs": 0, "model.frozen_stages": 0, "model.up": "nearest",
    "optimizer.encoder_lr_scale": 1.0, "trainer.compile": False,
}  # fmt: skip
# values that mean the same (of the normalisation: without pretrained weights, which no earlier
# version had)
ALIKE = {"dataset.normalize": {"auto", "dataset"}, "ema": {"None", "{'decay': None}"}}

# A key whose default is not what an earlier version did: a run without it goes on without it.
LATER = "decay_norms_and_biases"


def find(which: str, config: Mapping[str, Any], runs: Path) -> Path | None:
    """The run folder to resume.

    Args:
        which: a run folder, or `auto`: the newest unfinished run of this configuration, the newest
            finished one if there is no other, None if there is none.
        config: the configuration now; for a run folder that is named it may have more epochs.
        runs: where `auto` looks.
    Raises:
        FileNotFoundError: `which` is no run folder.
        ValueError: that run is still running, or has another configuration; it names the keys.
    """
    if which == "auto":
        same = [
            folder
            for folder in _newest_first(runs)
            if folder.facts and folder.config
            and not differences(folder.config, config)
            and not is_alive(folder)
        ]  # fmt: skip
        unfinished = (folder.path for folder in same if not folder.is_finished)
        return next(unfinished, same[0].path if same else None)
    folder = RunFolder(Path(which).expanduser().absolute())
    if not (folder.facts and folder.config):
        raise FileNotFoundError(f"resume={which}: no run folder, {folder.problems[0]}")
    if is_alive(folder):
        raise ValueError(f"resume={which}: that run is still running")
    require_same(folder.config, config, f"resume={which}", may_be_longer=True)
    return folder.path


def _newest_first(runs: Path) -> list[RunFolder]:
    return [RunFolder(path) for path in sorted(runs.glob("*/"), reverse=True)]


def why_none(config: Mapping[str, Any], runs: Path) -> str:
    """Why no run is resumed: the unfinished one that is nearest, and in what it differs."""
    open_runs = [f for f in _newest_first(runs) if f.facts and f.config and not f.is_finished]
    if not open_runs:
        return f"{runs} has no unfinished run"
    nearest = min(open_runs, key=lambda folder: len(differences(folder.config, config)))
    different = differences(nearest.config, config)
    if not different:
        return f"{nearest.path} is still running"
    more = f" and {len(different) - SHOWN} more" if len(different) > SHOWN else ""
    return f"{nearest.path} differs in {'; '.join(different[:SHOWN])}{more}"


def unfinished(config: Mapping[str, Any], runs: Path) -> Path | None:
    """The newest run of this configuration that was begun and can go on; None if there is none."""
    for folder in _newest_first(runs):
        is_open = folder.facts and not folder.is_finished and folder.checkpoint("last").is_file()
        is_same = is_open and folder.config and not differences(folder.config, config)
        if is_same and not is_alive(folder):
            return folder.path
    return None


def is_over(folder: RunFolder, config: Mapping[str, Any]) -> bool:
    """Whether a run is finished, and `config` does not ask for more epochs."""
    return folder.is_finished and not is_longer(folder.config, config)


def is_alive(folder: RunFolder) -> bool:
    """Whether a process has the folder's lock; without locks, whether that of run.json lives."""
    locked = lock.is_locked(folder.path)
    if locked is not None:
        return locked
    pid = folder.facts.get("pid")
    if folder.status != "running" or folder.facts.get("host") != platform.node():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid()


def require_same(
    before: Mapping[str, Any], config: Mapping[str, Any], what: str, *, may_be_longer: bool = False
) -> None:
    """Refuse to resume a run of another configuration; more epochs may be allowed.

    Raises:
        ValueError: it begins with `what`, by which the run was chosen, and names the keys.
    """
    if may_be_longer and is_longer(before, config):
        if config.get("stages"):
            raise ValueError(
                f"{what}: stages cannot be given more epochs; start anew with init_from"
            )
        different = differences(before, config, ignored=(*LAUNCH_KEYS, "trainer.max_epochs"))
    else:
        different = differences(before, config)
    if different:
        fewer = "a run cannot be given fewer epochs; " if is_longer(config, before) else ""
        raise ValueError(
            f"{what}: it was started with another configuration ({'; '.join(different[:8])}); "
            f"{fewer}give the same, or start anew with init_from"
        )


def is_longer(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether `now` asks for more epochs."""
    return _epochs(now) > _epochs(before)


def schedule_epochs(
    before: Mapping[str, Any], now: Mapping[str, Any], *, folder: Path
) -> int | None:
    """The epochs for which a resumed run's schedule was made; None where these are all.

    A run that was given more epochs keeps its schedule, and the log says what its rate will be.
    """
    spanned = before.get("schedule_epochs")
    spanned = spanned or (_epochs(before) if is_longer(before, now) else None)
    if spanned is not None and spanned < _epochs(now):
        if str(now["scheduler"]["_target_"]).endswith("ReduceLROnPlateau"):
            rate = "the schedule goes on as it was"
        else:
            rate = (
                f"the schedule stays that of {spanned} epochs, and its last rate that of the others"
            )
        log.info(
            "%d epochs: %s; for a new schedule start with init_from=%s", _epochs(now), rate, folder
        )
    return spanned


def keep_keys(before: Mapping[str, Any], now: dict[str, Any]) -> None:
    """Take out of `now` what the run that it resumes is without (see `LATER`)."""
    nodes = [(c, *(c.get("stages") or {}).values()) for c in (before, now)]
    for a, b in zip(*nodes, strict=True):
        if LATER not in (a.get("optimizer") or {}):
            (b.get("optimizer") or {}).pop(LATER, None)


def _epochs(config: Mapping[str, Any]) -> int:
    return (config.get("trainer") or {}).get("max_epochs") or 0


def require_fitting(saved: Mapping[str, Any], now: Mapping[str, Any], *, path: Path) -> None:
    """Refuse a checkpoint of other data or another model.

    Args:
        saved: its classes, the fingerprint of its data, and the shapes of its weights by name.
        now: those of this run.
        path: of the checkpoint.
    Raises:
        ValueError: it names the difference.
    """
    if "position" not in saved:
        raise ValueError(f"{path}: is of an older version; start anew with init_from")
    classes = [", ".join(metadata["classes"]) for metadata in (saved, now)]
    if classes[0] != classes[1]:
        raise ValueError(
            f"{path}: its classes are {classes[0]}, not {classes[1]}; "
            "restore them, or start anew with init_from"
        )
    if saved["data"] != now["data"]:
        raise ValueError(
            f"{path}: the data are not those of this run (fingerprint {saved['data'][:12]}, now "
            f"{now['data'][:12]}); restore them, or start a new run"
        )
    different = _differences(saved["shapes"], now["shapes"], "", ())
    if different:
        more = f" and {len(different) - 3} more" if len(different) > 3 else ""
        raise ValueError(
            f"{path}: the model is another one ({'; '.join(different[:3])}{more}); "
            "restore its code, or start anew with init_from"
        )


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], *, ignored: Sequence[str] = LAUNCH_KEYS
) -> list[str]:
    """`key: before -> now` for every difference between two configurations that matters."""
    before, now = named(before), named(now)
    different = _differences(before, now, "", (*ignored, "schedule_epochs"))
    # a run that was given more epochs has it, and the command that resumes it need not
    spanned, wanted = before.get("schedule_epochs") or _epochs(before), now.get("schedule_epochs")
    if wanted not in (None, spanned):
        different.append(f"schedule_epochs: {spanned} -> {wanted}")
    return different


def _differences(
    before: Mapping[str, Any], now: Mapping[str, Any], prefix: str, ignored: Sequence[str]
) -> list[str]:
    different = []
    for key in sorted(before.keys() | now.keys(), key=str):
        if f"{prefix}{key}" in ignored or (key == LATER and key not in before):
            continue
        # a further stage has the keys of the first
        name = re.sub(r"^stages\.[^.]+\.", "", f"{prefix}{key}")
        a, b = (side.get(key, EARLIER.get(name)) for side in (before, now))
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            different += _differences(a, b, f"{prefix}{key}.", ignored)
        elif a != b and not {str(a), str(b)} <= ALIKE.get(f"{prefix}{key}", set()):
            different.append(f"{prefix}{key}: {a} -> {b}")
    return different
