"""search.json: the trials of a search and their results, readable without Optuna."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seg.runs.folder import RunFolder
from seg.sweeps.search import study
from seg.sweeps.search.options import direction
from seg.sweeps.search.search import Search
from seg.sweeps.search.space import lines
from seg.training.pruning import import_optuna, without_password

STATES = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "unfinished"}
MIN_TRIALS = 6  # finished trials that importance needs


def path(folder: Path) -> Path:
    """The file in a sweep's folder."""
    return folder / "search.json"


def read(folder: Path) -> dict[str, Any]:
    """What is written there; empty where nothing is, or it cannot be read."""
    try:
        return json.loads(path(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def content(search: Search, *, final: bool = True) -> dict[str, Any]:
    """The content of search.json. The value of a pruned trial is its last one, and never the best.

    Args:
        search: the search.
        final: whether to work out the importance of the parameters, which takes a second.
    """
    options, trials = search.options, study.proposed(search.study)
    rows = [_row(trial, search) for trial in trials]
    counts = {name: sum(row["status"] == name for row in rows) for name in STATES.values()}
    importance, note = (
        _importance(search, trials) if final else (None, "the search was not at its end")
    )
    return {
        "study": search.study.study_name,
        "storage": without_password(search.where),
        "sampler": options.sampler,
        "pruner": options.pruner if options.reported else "none",
        "seed": options.seed,
        "n_trials": options.n_trials,
        "objectives": [{"name": name, "direction": direction(name)} for name in options.objectives],
        "space": {dimension.key: dimension.facts() for dimension in search.space},
        "constant": list(search.constant),
        "flags": list(search.flags),
        "counts": counts,
        "best": _best(search.study, counts["finished"]),
        "importance": importance,
        "importance_note": note,
        "trials": rows,
    }


def _row(trial: Any, search: Search) -> dict[str, Any]:
    keys = [d.key for d in search.space if d.key in trial.params]
    params = {key: trial.params[key] for key in keys}
    attributes = trial.user_attrs
    folder = attributes.get("folder")
    facts = RunFolder(search.folder / folder).facts if folder else {}
    return {
        "number": trial.number,
        "status": STATES[trial.state.name],
        "values": trial.values,
        "params": params,
        "overrides": [*_repeatable(search.constant), *lines(params)],
        "folder": folder,
        "epochs": max(trial.intermediate_values, default=None),
        "seconds": facts.get("seconds"),
        "error": attributes.get("error"),
        "same_as": attributes.get("same_as"),
    }


def _repeatable(constant: Sequence[str]) -> list[str]:
    """The overrides without those that make a command a search."""
    return [line for line in constant if line.partition("=")[0] not in ("sweep", "resume")]


def _best(optuna_study: Any, finished: int) -> list[int]:
    """The number of the best trial, or with several objectives those of the Pareto front."""
    if not finished:
        return []
    trials = (
        [optuna_study.best_trial] if len(optuna_study.directions) == 1 else optuna_study.best_trials
    )
    return sorted({t.user_attrs.get("same_as", t.number) for t in trials})


def _importance(search: Search, trials: Sequence[Any]) -> tuple[dict[str, Any] | None, str | None]:
    """How much of each objective's variance each parameter explains, or why that is not known.

    By fANOVA of the finished trials. Hutter et al. 2014, "An efficient approach for assessing
    hyperparameter importance".
    """
    optuna = import_optuna()
    complete = [t for t in trials if t.state == optuna.trial.TrialState.COMPLETE]
    if len(search.space) == 1:
        return None, "one parameter alone varies"
    if len(complete) < MIN_TRIALS:
        return None, f"{len(complete)} finished trials are too few, {MIN_TRIALS} are needed"
    importance = {}
    for i, name in enumerate(search.options.objectives):
        if len({t.values[i] for t in complete}) == 1:
            return None, f"all trials have the same {name}"
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about few trials
            shares = optuna.importance.get_param_importances(
                search.study, evaluator=evaluator, target=lambda trial, i=i: trial.values[i]
            )
        importance[name] = {key: round(float(share), 6) for key, share in shares.items()}
    return importance, None
