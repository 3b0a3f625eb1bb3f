"""The options of a search, keys of `hydra.sweeper`, and its objectives."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from seg.cli.compose import ConfigError
from seg.cli.rule import count, or_null, positive
from seg.runs.folder import MONITOR, RunFolder
from seg.sweeps.search.study import SAMPLERS
from seg.training.pruning import PRUNERS

MINIMUM = {
    "n_trials": 1, "n_jobs": 1, "startup_trials": 1, "pruner_startup": 1, "warmup_epochs": 0,
    "seed": 0,
}  # fmt: skip
MAXIMIZED = ("dice", "iou", "accuracy", "precision", "recall", "specificity")
COSTS = ("seconds", "parameters")


@dataclass(frozen=True)
class Options:
    """The keys of conf/hydra/sweeper/seg_optuna.yaml, which explains them."""

    n_trials: int
    cpu_minutes: float | None
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
    default_params: dict[str, Any] = field(default_factory=dict)

    @property
    def reported(self) -> str | None:
        """The figure that trials report after each epoch; None where trials cannot be pruned."""
        names = self.objectives
        return names[0] if len(names) == 1 and names[0].startswith("val/") else None


def read(stated: dict[str, Any]) -> Options:
    """Check the options.

    Raises:
        ConfigError: everything that is wrong with them.
    """
    stated = {"default_params": {}} | stated  # a sweep of one's own may have none
    known = {f.name for f in fields(Options)}
    problems = [f"hydra.sweeper.{key}: no such key" for key in sorted(stated.keys() - known)]
    problems += [f"hydra.sweeper.{key}: missing" for key in sorted(known - stated.keys())]
    if problems:
        raise ConfigError(problems)
    for key, minimum in MINIMUM.items():
        rule = count(minimum)
        if not rule.allows(stated[key]):
            problems.append(f"hydra.sweeper.{key}={stated[key]}: must be {rule.wanted}")
    minutes, budget = stated["cpu_minutes"], or_null(positive())
    if not budget.allows(minutes):
        problems.append(f"hydra.sweeper.cpu_minutes={minutes}: must be {budget.wanted}")
    for key, names in (("sampler", SAMPLERS), ("pruner", PRUNERS)):
        if stated[key] not in names:
            problems.append(f"hydra.sweeper.{key}={stated[key]}: must be one of {', '.join(names)}")
    storage, objectives = stated["storage"], stated["objectives"]
    if storage is not None and not (isinstance(storage, str) and storage):
        problems.append(f"hydra.sweeper.storage={storage}: must be null, a file, or a URL")
    if isinstance(objectives, str):
        objectives = [objectives]
    if not isinstance(objectives, Sequence) or not all(isinstance(n, str) for n in objectives):
        problems.append(f"hydra.sweeper.objectives={objectives}: must be a list such as [val/dice]")
    else:
        problems += _objective_problems(objectives)
    if problems:
        raise ConfigError(problems)
    spaces = {key: stated[key] or {} for key in ("params", "default_params")}
    return Options(**{**stated, **spaces, "objectives": list(objectives)})


def _objective_problems(names: Sequence[str]) -> list[str]:
    problems = []
    if not names:
        problems.append("hydra.sweeper.objectives=[]: name at least one, such as val/dice")
    for name in names:
        if name.startswith("test/") or name == "test":
            figure = name.partition("/")[2]
            problems.append(f"{name}: the test set must not choose; val/{figure} may")
        elif direction(name) is None:
            problems.append(
                f"{name}: no such figure; there are val/loss, val/ with {', '.join(MAXIMIZED)} and "
                f"their kinds (val/dice_positive, val/dice/CLASS), {', '.join(COSTS)}"
            )
    repeated = sorted({name for name in names if list(names).count(name) > 1})
    problems += [f"{name}: is there twice" for name in repeated]
    return [f"hydra.sweeper.objectives: {line}" for line in problems]


def direction(name: str) -> str | None:
    """`maximize` or `minimize`; None for a name that is no objective."""
    if name in COSTS or name == "val/loss":
        return "minimize"
    split, _, figure = name.partition("/")
    kind = figure.partition("/")[0].partition("_")[0]
    return "maximize" if split == "val" and kind in MAXIMIZED else None


def read_objectives(
    names: Sequence[str], run: RunFolder, *, parameters: int | None = None
) -> list[float]:
    """The objectives of a finished run: figures of its best epoch, and what it cost.

    Args:
        names: the objectives. `seconds` are those of all epochs, also of those before a kill.
        run: the run.
        parameters: the size of the network, which the training has told the study.

    Raises:
        ValueError: an objective is missing or not finite.
    """
    scored = [row for row in run.epochs if isinstance(row.get(MONITOR), float)]
    best = max(scored, key=lambda row: row[MONITOR], default={})
    values = []
    for name in names:
        value = run.facts.get(name, best.get(name))
        if name == "seconds" and run.epochs:
            value = sum(row["seconds"] for row in run.epochs)
        elif name == "parameters":
            value = value or parameters
        if not isinstance(value, int | float):
            raise ValueError(f"it has no {name}")
        if not math.isfinite(value):
            raise ValueError(f"its {name} is {value}")
        values.append(float(value))
    return values
