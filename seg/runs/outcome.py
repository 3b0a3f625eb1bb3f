"""What a training gives to Python: its score, and its run."""

from seg.runs.folder import MONITOR, RunFolder


class Outcome(float):
    """The best val/dice of a training; a number, since searches take one.

    Attributes:
        run: the run folder, with its `path`, `config`, `epochs`, `test`.
    """

    run: RunFolder

    def __new__(cls, score: float, run: RunFolder) -> "Outcome":
        self = super().__new__(cls, score)
        self.run = RunFolder(run.path)
        return self

    def __getnewargs__(self) -> tuple[float, RunFolder]:
        return float(self), self.run

    def __repr__(self) -> str:
        run = self.run
        lines = [f"{MONITOR} {float(self):.4f} in epoch {run.best_epoch} of {len(run.epochs)}"]
        dice = run.test.metrics.get("dice") if run.test is not None else None
        if dice is not None:
            lines.append(f"test dice {dice.value:.4f} ({dice.low:.4f} to {dice.high:.4f})")
        return "\n  ".join([*lines, str(run.path)])

    __str__ = float.__str__
