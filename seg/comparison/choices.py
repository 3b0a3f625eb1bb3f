"""What a sweep chooses between: jobs that differ in seed or fold alone are one choice."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from seg.comparison.configurations import REPEATED, SAME, spread
from seg.comparison.sweep_jobs import Job

FOLD = "dataset.split.fold"


@dataclass(frozen=True)
class Choice:
    """overrides: without seeds and folds. jobs: in their order, whatever became of them."""

    label: str
    overrides: dict[str, str]
    jobs: list[Job]

    @property
    def finished(self) -> list[Job]:
        return [job for job in self.jobs if job.is_finished]

    @property
    def is_whole(self) -> bool:
        return len(self.finished) == len(self.jobs)

    @property
    def score(self) -> tuple[float, float]:
        """Mean and standard deviation of val/dice over its finished jobs; NaN without one."""
        scores = [job.score for job in self.finished]
        return spread(scores) if scores else (math.nan, math.nan)

    @property
    def made_of(self) -> str:
        """`2 seeds x 3 folds`, `1 run`."""
        parts = []
        for keys, noun in ((REPEATED, "seeds"), ((FOLD,), "folds")):
            count = len({tuple(job.overrides.get(key) for key in keys) for job in self.jobs})
            parts += [f"{count} {noun}"] if count > 1 else []
        return " x ".join(parts) or ("1 run" if len(self.jobs) == 1 else f"{len(self.jobs)} runs")


def by_validation(jobs: Sequence[Job]) -> list[Choice]:
    """The best mean val/dice first. Choices that lack a seed or a fold come after those that are
    whole, since what they lack may be the hard one; then what did not finish, the furthest first.
    """
    found: dict[object, list[Job]] = defaultdict(list)
    for job in jobs:
        chosen = {k: v for k, v in job.overrides.items() if k not in SAME}
        # without overrides nothing says that two folders are one choice
        alone = None if job.overrides else job.name
        found[alone, tuple((k, normal(v)) for k, v in sorted(chosen.items()))].append(job)
    choices = []
    for members in found.values():
        overrides = {k: v for k, v in members[0].overrides.items() if k not in SAME}
        label = " ".join(f"{k}={v}" for k, v in overrides.items())
        choices.append(Choice(label or _name(members), overrides, members))
    return sorted(choices, key=_order)


def _name(members: Sequence[Job]) -> str:
    return members[0].name if len(members) == 1 else "all runs"


def normal(value: str) -> str:
    """`1e-3` and `0.001` are one value."""
    try:
        return f"{float(value):.10g}"
    except ValueError:
        return value


def _order(choice: Choice) -> tuple[float, ...]:
    count, mean = len(choice.finished), choice.score[0]
    first = choice.jobs[0]
    pruned = first.status == "pruned"
    return (
        count == 0,
        not choice.is_whole,
        -count if not choice.is_whole else 0,
        -mean if count else not pruned,
        -first.score if pruned and math.isfinite(first.score) else 0,
        math.inf if first.number is None else first.number,
    )
