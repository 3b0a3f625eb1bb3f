"""Caveats about the training: how it ended, and what one run cannot tell."""

from collections.abc import Iterator, Mapping

from seg.report.run import sentences
from seg.report.run.caveats import Caveat
from seg.runs.folder import RunFolder

GAP = 0.15  # of Dice, training above validation


def training_caveats(run: RunFolder) -> Iterator[Caveat]:
    """In the order in which they are to be read."""
    yield from _ending(run)
    yield from _epochs(run)
    commit = run.facts.get("git_commit")
    if run.facts and (commit is None or str(commit).endswith("+")):
        what = "outside a checkout" if commit is None else "with changes that no commit holds"
        yield Caveat(
            "code not pinned", f"The code ran {what}: it cannot be named exactly, only its version."
        )
    fold, folds = run.get("dataset.split.fold"), run.get("dataset.split.folds")
    if fold is not None and folds:
        yield Caveat(
            "one fold",
            f"This is fold {fold} (from 0) of {folds}: its test cases are that fold alone.",
            "compare all folds with seg.compare, which pools them",
        )
    if run.results:
        yield Caveat(
            "one seed",
            f"One training, seed {run.get('seed', 'not stated')}: the intervals are about "
            "other cases; by how much another seed would move the figures, one run cannot tell.",
            "train again with seed=1, seed=2 and compare them with seg.compare",
        )


def _ending(run: RunFolder) -> Iterator[Caveat]:
    status = sentences.status(run)
    if status == "finished":
        return
    ending = {
        "failed": "The run failed",
        "interrupted": "The run was interrupted",
        "pruned": "The run was ended early by the search that it is of",
        "running": "run.json says that the run is running: it still is, or it was killed",
        "unknown": "How the run ended is not known",
    }.get(status, f"The run did not finish (status {status})")
    error = sentences.error(run)
    yield Caveat(
        "not finished",
        f"{ending}{f': {error}' if error else '.'}",
        {"interrupted": "the same command with resume=auto goes on with it"}.get(status, ""),
        grave=True,
    )


def _epochs(run: RunFolder) -> Iterator[Caveat]:
    best, planned = run.best_epoch, _planned_epochs(run)
    if best is None or not run.epochs:
        return
    last = int(run.epochs[-1]["epoch"])
    if run.status == "finished" and planned is not None and last < planned:
        patience = run.get("early_stopping")
        if isinstance(patience, int):
            yield Caveat(
                "stopped early",
                f"The training stopped after epoch {last} of {planned}, since validation Dice had "
                f"not risen for {patience} epochs (early_stopping={patience}).",
            )
        else:
            yield Caveat(
                "stopped early", f"The training has {last} of the {planned} epochs asked for."
            )
    if best == last and last > 1:
        yield Caveat(
            "still improving",
            f"The best epoch is the last one, {last}: validation Dice may still have been "
            "rising, and a longer training may do better.",
            "more epochs (trainer.max_epochs)",
        )
    row = next((r for r in run.epochs if int(r["epoch"]) == best), {})
    train, val = row.get("train/dice"), row.get("val/dice")
    if isinstance(train, float) and isinstance(val, float) and train - val > GAP:
        yield Caveat(
            "fits its training",
            f"At the best epoch Dice was {train:.3f} in training and {val:.3f} in validation: the "
            "network knows its training cases better than new ones.",
            "more data, stronger augmentation, a smaller network or more weight decay",
        )


def _planned_epochs(run: RunFolder) -> int | None:
    """What the configuration asks for, all stages together."""
    stages = run.get("stages")
    stages = stages.values() if isinstance(stages, Mapping) else ()
    planned = [run.get("trainer.max_epochs")]
    planned += [stage.get("max_epochs") for stage in stages if isinstance(stage, Mapping)]
    return sum(planned) if all(isinstance(count, int) for count in planned) else None
