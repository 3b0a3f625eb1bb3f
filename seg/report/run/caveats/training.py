"""Caveats about the training: how it ended, and what one run cannot tell."""

from collections.abc import Iterator

from seg.report.run.caveats.caveat import Caveat
from seg.report.run.evidence import Evidence

GAP = 0.15  # of Dice, training above validation


def caveats(evidence: Evidence) -> Iterator[Caveat]:
    """In the order in which they are to be read."""
    yield from _ending(evidence)
    yield from _epochs(evidence)
    commit = evidence.facts.get("git_commit")
    if evidence.facts and (commit is None or str(commit).endswith("+")):
        what = "outside a checkout" if commit is None else "with changes that no commit holds"
        yield Caveat(
            "code not pinned", f"The code ran {what}: it cannot be named exactly, only its version."
        )
    fold, folds = evidence.get("dataset.split.fold"), evidence.get("dataset.split.folds")
    if fold is not None and folds:
        yield Caveat(
            "one fold",
            f"This is fold {fold} (from 0) of {folds}: its test cases are that fold alone.",
            "compare all folds with seg.compare, which pools them",
        )
    if evidence.results:
        yield Caveat(
            "one seed",
            f"One training, seed {evidence.get('seed', 'not stated')}: the intervals are about "
            "other cases; by how much another seed would move the figures, one run cannot tell.",
            "train again with seed=1, seed=2 and compare them with seg.compare",
        )


def _ending(evidence: Evidence) -> Iterator[Caveat]:
    status = evidence.status
    if status == "finished":
        return
    said = {
        "failed": "The run failed",
        "interrupted": "The run was interrupted",
        "pruned": "The run was ended early by the search that it is of",
        "running": "run.json says that the run is running: it still is, or it was killed",
        "unknown": "How the run ended is not known",
    }.get(status, f"The run did not finish (status {status})")
    error = " ".join(str(evidence.facts.get("error") or "").split())
    yield Caveat(
        "not finished",
        f"{said}{f': {error}' if error else '.'}",
        {"interrupted": "the same command with resume=auto goes on with it"}.get(status, ""),
        grave=True,
    )


def _epochs(evidence: Evidence) -> Iterator[Caveat]:
    best, planned = evidence.best_epoch, evidence.planned_epochs
    if best is None or not evidence.epochs:
        return
    last = int(evidence.epochs[-1]["epoch"])
    if evidence.status == "finished" and planned is not None and last < planned:
        patience = evidence.get("early_stopping")
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
    row = next((r for r in evidence.epochs if int(r["epoch"]) == best), {})
    train, val = row.get("train/dice"), row.get("val/dice")
    if isinstance(train, float) and isinstance(val, float) and train - val > GAP:
        yield Caveat(
            "fits its training",
            f"At the best epoch Dice was {train:.3f} in training and {val:.3f} in validation: the "
            "network knows its training cases better than new ones.",
            "more data, stronger augmentation, a smaller network or more weight decay",
        )
