"""The effect of each swept key on val/dice, at equal settings of the other keys.

A mean over all jobs of a value mixes it with whatever else those jobs had. So values are compared
within settings of the other keys (seeds and folds among them) for which every value has a job that
finished; only where there is no such setting, as in a random search, are all jobs of a value
averaged.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seg.comparison.configurations import SAME, normal
from seg.comparison.sweep_jobs import swept_keys
from seg.runs.folder import MONITOR

# More numbers than FEW, most of them tried once, are a range that was searched; MANY always are.
FEW, MANY = 8, 14


@dataclass(frozen=True)
class Value:
    """A value of a swept key.

    Args:
        text: as the user wrote it.
        scores: val/dice of its finished jobs.
        paired: its mean in each complete setting of the other keys, in one order for all values.
        jobs: how many there are.
    """

    text: str
    scores: list[float]
    paired: list[float]
    jobs: int

    @property
    def mean(self) -> float:
        """Over the complete settings if there are any; NaN without a finished job."""
        counted = self.paired or self.scores
        return math.fsum(counted) / len(counted) if counted else math.nan

    @property
    def number(self) -> float:
        """The value as a number, NaN if it is no number."""
        try:
            return float(self.text)
        except ValueError:
            return math.nan


@dataclass(frozen=True)
class Effect:
    """What a swept key did.

    Args:
        key: swept.
        values: numbers in their order, else the best first.
        complete: settings of the other keys in which all values finished.
        settings: of the other keys, in all.
    """

    key: str
    values: list[Value]
    complete: int
    settings: int

    @property
    def ranked(self) -> list[Value]:
        """The values with a mean, best first."""
        scored = [value for value in self.values if math.isfinite(value.mean)]
        return sorted(scored, key=lambda value: -value.mean)

    @property
    def best(self) -> Value:
        """The value with the highest mean."""
        return self.ranked[0]

    @property
    def is_range(self) -> bool:
        """Whether it was searched, rather than set to a few values."""
        count, jobs = len(self.values), sum(value.jobs for value in self.values)
        numeric = all(math.isfinite(value.number) for value in self.values)
        return numeric and (count > MANY or (count > FEW and count > jobs / 2))


def effects(rows: Sequence[dict[str, Any]]) -> list[Effect]:
    """The effects of all keys with several values but seeds and folds, the largest first.

    Args:
        rows: from `sweep_jobs.make_rows`.
    """
    all_keys = (_effect(key, rows) for key in swept_keys(rows) if key not in SAME)
    return sorted((effect for effect in all_keys if effect is not None), key=lambda e: -_size(e))


def _effect(key: str, rows: Sequence[dict[str, Any]]) -> Effect | None:
    texts: dict[str, str] = {}
    scores, jobs = defaultdict(list), defaultdict(int)
    settings: dict[Hashable, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        overrides = {k: normal(v) for k, v in row["overrides"].items()}
        value = overrides.pop(key, None)
        if value is None:
            continue
        texts.setdefault(value, row["overrides"][key])
        jobs[value] += 1
        setting = settings[tuple(sorted(overrides.items()))]
        if row["status"] == "finished" and MONITOR in row:
            scores[value].append(row[MONITOR])
            setting[value].append(row[MONITOR])
    if len(texts) < 2 or not scores:
        return None
    # a value that never finished would leave no setting complete
    ran = [value for value in texts if scores[value]]
    complete = [s for s in settings.values() if len(ran) > 1 and all(s.get(v) for v in ran)]
    values = []
    for value, text in texts.items():
        paired = [float(np.mean(s[value])) for s in complete] if value in ran else []
        values.append(Value(text, scores[value], paired, jobs[value]))
    if all(math.isfinite(value.number) for value in values):
        values.sort(key=lambda v: v.number)
    else:
        values.sort(key=lambda v: -v.mean if math.isfinite(v.mean) else math.inf)
    return Effect(key, values, len(complete), len(settings))


def _size(effect: Effect) -> float:
    return effect.ranked[0].mean - effect.ranked[-1].mean if effect.ranked else 0.0


def lead(best: Value, other: Value) -> tuple[float, float, float, int]:
    """How far a value is ahead of another in complete settings: mean, least and greatest
    difference, and in how many settings it is the better one.
    """
    differences = np.subtract(best.paired, other.paired)
    won = int((differences > 0).sum())
    return float(differences.mean()), float(differences.min()), float(differences.max()), won
