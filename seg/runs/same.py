"""Whether what is asked for is the run that is there: configuration, classes, data and model."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

log = logging.getLogger(__name__)

# keys that say how and where a run was started, not what it is; data are compared by their contents
OF_THE_LAUNCH = (
    "resume", "output_dir", "dataset.cache_dir", "dataset.num_workers", "dataset.root",
    "checkpoints", "panels_every",
)  # fmt: skip


def require_same(
    before: Mapping[str, Any], config: Mapping[str, Any], what: str, *, may_be_longer: bool = False
) -> None:
    """Raises ValueError, with the keys that differ, unless a run is of this configuration.

    before: of the run. what: how it was asked for, for the message. may_be_longer: more epochs than
    it had are all right.
    """
    if may_be_longer and is_longer(before, config):
        if config.get("stages"):
            raise ValueError(
                f"{what}: stages cannot be given more epochs; start anew with init_from"
            )
        different = differences(before, config, left_out=(*OF_THE_LAUNCH, "trainer.max_epochs"))
    else:
        different = differences(before, config)
    if different:
        fewer = is_longer(config, before) and "a run cannot be given fewer epochs; "
        raise ValueError(
            f"{what}: it was started with another configuration ({'; '.join(different[:8])}); "
            f"{fewer or ''}give the same, or start anew with init_from"
        )


def is_longer(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether `now` asks for more epochs."""
    return _epochs(now) > _epochs(before)


def _epochs(config: Mapping[str, Any]) -> int:
    return (config.get("trainer") or {}).get("max_epochs") or 0


def spanned(before: Mapping[str, Any], now: Mapping[str, Any]) -> int | None:
    """`schedule_epochs` for going on with the run `before` as `now`: the epochs for which its
    schedule was made, None where these are all.
    """
    kept = before.get("schedule_epochs")
    return kept or (_epochs(before) if is_longer(before, now) else None)


def tell_schedule(config: Mapping[str, Any], folder: Path) -> None:
    """One line of the log for a run that goes on beyond its schedule."""
    epochs, spans = _epochs(config), config["schedule_epochs"]
    if spans is None or spans >= epochs:
        return
    if str(config["scheduler"]["_target_"]).endswith("ReduceLROnPlateau"):
        rate = "the schedule goes on as it was"
    else:
        rate = f"the schedule stays that of {spans} epochs, and its last rate that of the others"
    log.info("%d epochs: %s; for a new schedule start with init_from=%s", epochs, rate, folder)


def require_fitting(
    content: Mapping[str, Any],
    path: Path,
    *,
    state: Mapping[str, Tensor],
    classes: Sequence[str],
    data: str,
) -> None:
    """Raises ValueError, with the difference, unless a checkpoint is of these data and this model.

    content: of the checkpoint. state: of the module that shall go on. data: the data's fingerprint.
    """
    carried = content["seg"]
    if "position" not in carried:
        raise ValueError(f"{path}: is of an older version; start anew with init_from")
    if carried["classes"] != list(classes):
        raise ValueError(
            f"{path}: its classes are {', '.join(carried['classes'])}, not {', '.join(classes)}; "
            "restore them, or start anew with init_from"
        )
    if carried["data"] != data:
        raise ValueError(
            f"{path}: the data are not those of this run (fingerprint {carried['data'][:12]}, now "
            f"{data[:12]}); restore them, or start a new run"
        )
    weights = content["state_dict"]
    shapes = [{k: list(v.shape) for k, v in s.items()} for s in (weights, state)]
    different = _differing(*shapes, "", ())
    if different:
        more = f" and {len(different) - 3} more" if len(different) > 3 else ""
        raise ValueError(
            f"{path}: the model is another one ({'; '.join(different[:3])}{more}); "
            "restore its code, or start anew with init_from"
        )


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], *, left_out: Sequence[str] = OF_THE_LAUNCH
) -> list[str]:
    """`key: before -> now` for every difference that matters, between two configurations."""
    found = _differing(before, now, "", (*left_out, "schedule_epochs"))
    # a run that was given more epochs has it, and the command that goes on with it need not
    kept, given = before.get("schedule_epochs") or _epochs(before), now.get("schedule_epochs")
    return found + ([] if given in (None, kept) else [f"schedule_epochs: {kept} -> {given}"])


def _differing(
    before: Mapping[str, Any], now: Mapping[str, Any], prefix: str, left_out: Sequence[str]
) -> list[str]:
    found = []
    for key in sorted(before.keys() | now.keys(), key=str):
        if f"{prefix}{key}" in left_out:
            continue
        a, b = before.get(key), now.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += _differing(a, b, f"{prefix}{key}.", left_out)
        elif a != b:
            found.append(f"{prefix}{key}: {a} -> {b}")
    return found
