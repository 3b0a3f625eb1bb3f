"""The keys of hydra.sweeper, checked."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from seg.cli.compose import ConfigError
from seg.cli.ranges import is_count
from seg.sweeps.search import objectives as objective_names
from seg.sweeps.search.pruning import PRUNERS
from seg.sweeps.search.study import SAMPLERS

LEAST = {
    "n_trials": 1, "n_jobs": 1, "startup_trials": 1, "pruner_startup": 1, "warmup_epochs": 0,
    "seed": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Options:
    """As conf/hydra/sweeper/seg_optuna.yaml explains them."""

    n_trials: int
    n_jobs: int
    sampler: str
    startup_trials: int
    pruner: str
    pruner_startup: int
    warmup_epochs: int
    seed: int
    storage: str | None
    objectives: Sequence[str]
    params: dict[str, Any] = field(default_factory=dict)


def read(given: dict[str, Any]) -> Options:
    """Raises ConfigError with everything that is wrong."""
    known = {f.name for f in fields(Options)}
    problems = [f"hydra.sweeper.{key}: no such key" for key in sorted(given.keys() - known)]
    problems += [f"hydra.sweeper.{key}: missing" for key in sorted(known - given.keys())]
    if problems:
        raise ConfigError(problems)
    for key, least in LEAST.items():
        if not is_count(given[key], least):
            problems.append(
                f"hydra.sweeper.{key}={given[key]}: must be a whole number from {least}"
            )
    for key, names in (("sampler", SAMPLERS), ("pruner", PRUNERS)):
        if given[key] not in names:
            problems.append(f"hydra.sweeper.{key}={given[key]}: must be one of {', '.join(names)}")
    storage, wanted = given["storage"], given["objectives"]
    if storage is not None and not (isinstance(storage, str) and storage):
        problems.append(f"hydra.sweeper.storage={storage}: must be null, a file, or a URL")
    if isinstance(wanted, str):
        wanted = [wanted]
    if not isinstance(wanted, Sequence) or not all(isinstance(name, str) for name in wanted):
        problems.append(f"hydra.sweeper.objectives={wanted}: must be a list such as [val/dice]")
    else:
        problems += objective_names.problems(list(wanted))
    if problems:
        raise ConfigError(problems)
    return Options(**{**given, "objectives": list(wanted), "params": given["params"] or {}})
