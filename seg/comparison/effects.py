"""The effect of each swept key on val/dice, over what the other keys were set to.

A mean over all jobs of a value mixes it with whatever else those jobs had. So values are held
against each other within settings of the other keys (seeds and folds among them) for which every
value has a job that finished; only where there is no such setting, as in a random search, are all
jobs of a value averaged.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seg.comparison.choices import normal
from seg.comparison.configurations import SAME
from seg.comparison.sweep_jobs import MONITOR
from seg.comparison.sweep_rows import keys

# More numbers than FEW, most of them tried once, are a range that was searched; MANY always are.
FEW, MANY = 8, 14


@dataclass(frozen=True)
class Value:
    """text: as the user wrote it. scores: val/dice of its finished jobs. paired: its mean in each
    complete setting of the other keys, in one order for all values. jobs: of this value in all.
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
        """NaN if it is none."""
        try:
            return float(self.text)
        except ValueError:
            return math.nan


@dataclass(frozen=True)
class Effect:
    """values: numbers in their order, else the best first. complete: settings of the other keys in
    which all values finished, of all `settings`.
    """

    key: str
    values: list[Value]
    complete: int
    settings: int

    @property
    def best(self) -> Value:
        return max(self.values, key=lambda v: v.mean if math.isfinite(v.mean) else -math.inf)

    @property
    def ranked(self) -> list[Value]:
        """Those with a mean, best first."""
        there = [value for value in self.values if math.isfinite(value.mean)]
        return sorted(there, key=lambda v: -v.mean)

    @property
    def is_range(self) -> bool:
        """Whether it was searched, rather than set to a few values."""
        jobs = sum(value.jobs for value in self.values)
        numeric = all(math.isfinite(value.number) for value in self.values)
        count = len(self.values)
        return numeric and (count > MANY or (count > FEW and count > jobs / 2))


def effects(rows: Sequence[dict[str, Any]]) -> list[Effect]:
    """Of every swept key with two values or more, seeds and folds left out; the largest first."""
    found = [_effect(key, rows) for key in keys(rows) if key not in SAME]
    told = [effect for effect in found if effect is not None]
    return sorted(told, key=lambda e: -_size(e))


def _effect(key: str, rows: Sequence[dict[str, Any]]) -> Effect | None:
    texts: dict[str, str] = {}
    scores, jobs = defaultdict(list), defaultdict(int)
    settings: dict[Any, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if key not in row["overrides"]:
            continue
        value = normal(row["overrides"][key])
        texts.setdefault(value, row["overrides"][key])
        jobs[value] += 1
        others = {k: normal(v) for k, v in row["overrides"].items() if k != key}
        setting = settings[tuple(sorted(others.items()))]
        if row["status"] == "finished" and MONITOR in row:
            scores[value].append(row[MONITOR])
            setting[value].append(row[MONITOR])
    if len(texts) < 2 or not scores:
        return None
    # a value that never finished would leave no setting complete
    ran = [value for value in texts if scores[value]]
    complete = [s for s in settings.values() if all(s.get(value) for value in ran)]
    complete = complete if len(ran) > 1 else []
    values = [
        Value(texts[v], scores[v], [float(np.mean(s[v])) for s in complete] if v in ran else [],
              jobs[v])
        for v in texts
    ]  # fmt: skip
    if all(math.isfinite(value.number) for value in values):
        values.sort(key=lambda v: v.number)
    else:
        values.sort(key=lambda v: -v.mean if math.isfinite(v.mean) else math.inf)
    return Effect(key, values, len(complete), len(settings))


def _size(effect: Effect) -> float:
    means = [value.mean for value in effect.ranked]
    return max(means) - min(means) if means else 0.0


def ahead(best: Value, other: Value) -> tuple[float, float, float, int]:
    """Mean, least and greatest difference within complete settings, and in how many the best is
    the better one.
    """
    differences = np.subtract(best.paired, other.paired)
    won = int((differences > 0).sum())
    return float(differences.mean()), float(differences.min()), float(differences.max()), won
