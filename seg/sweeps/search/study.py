"""Optuna's study behind a search: its storage, its sampler and the sampler's seeds."""

import importlib.util
import json
import uuid
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seg.cli.compose import ConfigError
from seg.runs import atomic
from seg.sweeps.search.space import Dimension
from seg.training.pruning import import_optuna, open_storage

# not gp: Gaussian processes run torch in the process that jobs are forked from, see isolation.py
SAMPLERS = ("tpe", "random", "nsgaii", "qmc", "cmaes")
PACKAGES = {"cmaes": "cmaes"}  # a sampler and the package that Optuna does not install for it


def build_sampler(name: str, *, startup_trials: int, seed: int) -> Any:
    """Build Optuna's sampler.

    Args:
        name: one of `SAMPLERS`.
        startup_trials: trials drawn at random before the sampler learns; population size of nsgaii.
        seed: the sampler's seed.

    Raises:
        ConfigError: the sampler needs a package that is not installed.
    """
    optuna = import_optuna()
    samplers = optuna.samplers
    package = PACKAGES.get(name)
    if package is not None and importlib.util.find_spec(package) is None:
        raise ConfigError(
            [f"hydra.sweeper.sampler={name}: needs the package {package}: pip install {package}"]
        )
    if name == "tpe":
        return samplers.TPESampler(n_startup_trials=startup_trials, seed=seed)
    if name == "nsgaii":
        return samplers.NSGAIISampler(population_size=max(2, startup_trials), seed=seed)
    if name == "cmaes":
        return samplers.CmaEsSampler(
            n_startup_trials=startup_trials, seed=seed, warn_independent_sampling=False
        )
    if name == "qmc":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return samplers.QMCSampler(seed=seed, warn_independent_sampling=False)
    return samplers.RandomSampler(seed=seed)


def seed_of(seed: int, number: int) -> int:
    """The sampler's seed for one trial.

    Each trial has a seed of its own, so that an interrupted search proposes the same points as an
    uninterrupted one; with one seed, each command would propose the first points again.

    Args:
        seed: `hydra.sweeper.seed`.
        number: the number of the trial.
    """
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def address(storage: str | None, folder: Path) -> str:
    """The storage for `open_storage`, absolute since jobs may start in other directories."""
    if storage is None:
        return str(folder / "study.db")
    scheme, _, rest = storage.partition(":///")
    if scheme.startswith("sqlite") and rest and not rest.startswith("/"):
        return f"{scheme}:///{Path(rest).absolute()}"
    if "://" in storage:
        return storage
    return str(Path(storage).expanduser().absolute())


def open_study(
    *, where: str, name: str, directions: Sequence[str], fixed: dict[str, Any], folder: Path
) -> Any:
    """Open the study of a sweep's folder, or make it.

    Args:
        where: the storage, from `address`.
        name: the study's name, from `study_name`.
        directions: `maximize` or `minimize` for each objective.
        fixed: what must be the same in every command of this folder.
        folder: the sweep's folder, for the message.

    Raises:
        ValueError: the storage cannot be opened, or something in `fixed` differs.
    """
    optuna = import_optuna()
    storage = open_storage(where)
    try:
        study = optuna.create_study(study_name=name, storage=storage, directions=directions,
                                    load_if_exists=True)  # fmt: skip
    except ValueError:  # other directions; the check of `fixed` below says which
        study = optuna.load_study(study_name=name, storage=storage)
    before = study.user_attrs.get("fixed")
    if before is None:
        study.set_user_attr("fixed", fixed)
    elif before != json.loads(json.dumps(fixed)):
        changed = [
            f"{key} was {before.get(key)}, is {value}"
            for key, value in fixed.items()
            if before.get(key) != json.loads(json.dumps(value))
        ]
        raise ValueError(
            f"{folder}: the search there was another ({'; '.join(changed)}); give the same, or "
            "start anew with resume=never"
        )
    return study


def study_name(folder: Path, storage: str | None) -> str:
    """The study's name: the same in every command of a folder, and unique in a shared storage."""
    if storage is None:
        return "search"
    path = folder / "study.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))["study"]
    name = f"{folder.name}-{uuid.uuid4().hex[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_json(path, {"study": name})
    return name


def proposed(study: Any) -> list[Any]:
    """The trials that were proposed, finished or not."""
    waiting = import_optuna().trial.TrialState.WAITING
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state != waiting]


def unfinished(study: Any) -> list[Any]:
    """The trials that an earlier command started and did not finish."""
    state = import_optuna().trial.TrialState.RUNNING
    return [trial for trial in proposed(study) if trial.state == state]


def propose(trial: Any, space: Sequence[Dimension]) -> dict[str, Any]:
    """The parameters of a trial; those that it lacks are proposed now."""
    return {dimension.key: dimension.suggest(trial) for dimension in space}
