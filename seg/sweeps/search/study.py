"""Optuna's study behind a search: where it is kept, who proposes, and with which seed."""

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
from seg.sweeps.search.pruning import import_optuna, open_storage
from seg.sweeps.search.space import Dimension

# Gaussian processes (gp) would run torch in the process that jobs are forked from, see isolation.py
SAMPLERS = ("tpe", "random", "nsgaii", "qmc", "cmaes")
NEEDED = {"cmaes": "cmaes"}  # packages that Optuna leaves to its users


def build_sampler(name: str, *, startup_trials: int, seed: int) -> Any:
    """Raises ConfigError naming the package that a sampler needs."""
    optuna = import_optuna()
    samplers = optuna.samplers
    package = NEEDED.get(name)
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

    A seed of its own for each makes a search that was interrupted propose what it would have
    proposed; one seed for every command would propose the first points again.
    """
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def address(storage: str | None, folder: Path) -> str:
    """Where the study is kept, for every process on this machine and those that share its files."""
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
    """The study of this folder, made if it is not there.

    fixed: what must not differ between two commands in one folder. Raises ValueError naming what
    does, or where the study cannot be opened.
    """
    optuna = import_optuna()
    storage = open_storage(where)
    try:
        study = optuna.create_study(study_name=name, storage=storage, directions=directions,
                                    load_if_exists=True)  # fmt: skip
    except ValueError:  # Optuna's word on other directions names neither of them
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
    """The same in every command of a sweep's folder, and nobody else's in a database."""
    if storage is None:
        return "search"
    path = folder / "study.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))["study"]
    name = f"{folder.name}-{uuid.uuid4().hex[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_json(path, {"study": name})
    return name


def asked(study: Any) -> list[Any]:
    """The trials that have a number and were proposed, finished or not."""
    waiting = import_optuna().trial.TrialState.WAITING
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state != waiting]


def unfinished(study: Any) -> list[Any]:
    """The trials that an earlier command began and did not end."""
    state = import_optuna().trial.TrialState.RUNNING
    return [trial for trial in asked(study) if trial.state == state]


def propose(trial: Any, space: Sequence[Dimension]) -> dict[str, Any]:
    """The trial's parameters: those it has, and proposals for those it lacks."""
    return {dimension.key: dimension.suggest(trial) for dimension in space}
