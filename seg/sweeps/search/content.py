"""search.json: what a search has found, for whoever has no Optuna."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seg.sweeps.jobs import state
from seg.sweeps.search import objectives, study
from seg.sweeps.search.pruning import import_optuna, shown
from seg.sweeps.search.search import Search
from seg.sweeps.search.space import lines

STATES = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "unfinished"}
ENOUGH = 6  # finished trials for each figure of importance to mean something


def content(search: Search, *, final: bool = True) -> dict[str, Any]:
    """The whole of search.json. A pruned trial's value is its last, and never the best.

    final: whether importance is worked out as well, which takes a second.
    """
    options, trials = search.options, study.asked(search.study)
    rows = [_row(trial, search) for trial in trials]
    counts = {name: sum(row["status"] == name for row in rows) for name in STATES.values()}
    importance, note = (
        _importance(search, trials) if final else (None, "the search was not at its end")
    )
    return {
        "study": search.study.study_name,
        "storage": shown(search.where),
        "sampler": options.sampler,
        "pruner": options.pruner if search.reported else "none",
        "seed": options.seed,
        "n_trials": options.n_trials,
        "objectives": [
            {"name": name, "direction": objectives.direction(name)} for name in options.objectives
        ],
        "space": {dimension.key: dimension.facts() for dimension in search.space},
        "constant": list(search.constant),
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
    record = state(search.folder / folder) if folder else {}
    return {
        "number": trial.number,
        "status": STATES[trial.state.name],
        "values": trial.values,
        "params": params,
        "overrides": [*_repeatable(search.constant), *lines(params)],
        "folder": folder,
        "epochs": max(trial.intermediate_values, default=None),
        "seconds": record.get("seconds"),
        "error": attributes.get("error"),
        "same_as": attributes.get("same_as"),
    }


def _repeatable(constant: Sequence[str]) -> list[str]:
    """Without what makes a command a search."""
    return [line for line in constant if line.partition("=")[0] not in ("sweep", "resume")]


def _best(found: Any, finished: int) -> list[int]:
    """Numbers of the best trial, or of the front that none is better than in everything."""
    if not finished:
        return []
    trials = [found.best_trial] if len(found.directions) == 1 else found.best_trials
    return sorted({t.user_attrs.get("same_as", t.number) for t in trials})


def _importance(search: Search, trials: Sequence[Any]) -> tuple[dict[str, Any] | None, str | None]:
    """Shares of every parameter for every objective, or why there are none.

    By fANOVA (Hutter et al. 2014) of the finished trials: how much of the objective's variance each
    parameter explains.
    """
    optuna = import_optuna()
    complete = [t for t in trials if t.state == optuna.trial.TrialState.COMPLETE]
    if len(search.space) == 1:
        return None, "one parameter alone varies"
    if len(complete) < ENOUGH:
        return None, f"{len(complete)} finished trials are too few, {ENOUGH} are needed"
    found = {}
    for i, name in enumerate(search.options.objectives):
        if len({t.values[i] for t in complete}) == 1:
            return None, f"all trials have the same {name}"
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # forests of few trials
            shares = optuna.importance.get_param_importances(
                search.study, evaluator=evaluator, target=lambda trial, i=i: trial.values[i]
            )
        found[name] = {key: round(float(share), 6) for key, share in shares.items()}
    return found, None


def path(folder: Path) -> Path:
    return folder / "search.json"
