"""Runs of one configuration, brought together: seeds beside each other, folds pooled."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from seg.comparison.runs import Run
from seg.runs.case_table import CaseTable, pool

# Runs that differ in these alone are one configuration. The cache follows output_dir.
SAME = {
    "seed", "dataset.split.seed", "dataset.split.fold", "output_dir", "name", "resume",
    "init_from", "dataset.cache_dir",
}  # fmt: skip
REPEATED = ("seed", "dataset.split.seed")
LABEL_KEYS = 3


@dataclass
class Configuration:
    """runs: all that count. folds: their own tables, a list for each fold, where there are several
    folds. tables: one for each seed, folds pooled; all of the same cases. notes: what to know.
    """

    label: str
    runs: list[Run]
    tables: list[CaseTable]
    folds: list[list[CaseTable]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def text(value: Any) -> str:
    """A value of a configuration on one line, as YAML's users know it."""
    if value is None or isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False)
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _identity(run: Run) -> tuple[tuple[str, str], ...]:
    return tuple((k, text(v)) for k, v in sorted(run.config.items()) if k not in SAME)


def differing(runs: Iterable[Run]) -> list[str]:
    """The keys in which configurations differ, in the order of the first that has them."""
    runs = list(runs)
    keys = dict.fromkeys(k for run in runs for k in run.config if k not in SAME)
    return [k for k in keys if len({text(r.config.get(k, "(none)")) for r in runs}) > 1]


def gather(runs: Sequence[Run], *, common: bool = False) -> list[Configuration]:
    """Ranked runs (with tables) by configuration, in the order of their first run.

    common: runs of one configuration whose cases overlap are cut to what they share; else they
    are an error, since they are neither seeds (the same cases) nor folds (different cases).
    Raises ValueError that names the runs.
    """
    by_identity: dict[Any, list[Run]] = defaultdict(list)
    for run in runs:
        by_identity[_identity(run)].append(run)
    sets = list(by_identity.values())
    labels = _labels([members[0] for members in sets], [len(members) for members in sets])
    return [
        _configuration(label, members, common) for label, members in zip(labels, sets, strict=True)
    ]


def _configuration(label: str, runs: list[Run], common: bool) -> Configuration:
    notes = []
    repeats: dict[tuple, list[Run]] = defaultdict(list)
    seen: Counter[tuple] = Counter()
    for run in runs:  # the n-th run of a seed and fold belongs to the n-th repetition of that seed
        seed = tuple(run.config.get(key) for key in REPEATED)
        whole = (*seed, run.config.get("dataset.split.fold"))
        repeats[(*seed, seen[whole])].append(run)
        seen[whole] += 1
    if max(seen.values()) > 1:
        notes.append("some runs have the same seed: their spread is less than that of seeds")
    parts = list(repeats.values())
    if len({_cases(part) for part in parts}) > 1:
        # disjoint where each fold was trained with a seed of its own
        parts = [runs] if _disjoint(parts) else _whole(parts, notes)
    kept = [run for part in parts for run in part]
    if len({_cases(part) for part in parts}) > 1 or not all(_disjoint(_apart(p)) for p in parts):
        if not common:
            raise ValueError(_overlap(label, kept))
        return _cut(label, kept, notes)
    folds: dict[tuple[str, ...], list[CaseTable]] = defaultdict(list)
    for run in kept:
        folds[run.table.cases].append(run.table)
    if len(folds) > 1:
        planned = kept[0].config.get("dataset.folds", kept[0].config.get("dataset.split.folds"))
        if isinstance(planned, int) and len(folds) != planned:
            notes.append(f"{len(folds)} of {planned} folds")
    return Configuration(
        label=label,
        runs=kept,
        tables=[pool([run.table for run in part]) for part in parts],
        folds=list(folds.values()) if len(folds) > 1 else [],
        notes=notes,
    )


def _apart(part: list[Run]) -> list[list[Run]]:
    return [[run] for run in part]


def _cases(part: Iterable[Run]) -> frozenset[str]:
    return frozenset(case for run in part for case in run.table.cases)


def _disjoint(parts: Sequence[list[Run]]) -> bool:
    return sum(len(_cases(part)) for part in parts) == len(_cases(r for p in parts for r in p))


def _whole(parts: list[list[Run]], notes: list[str]) -> list[list[Run]]:
    """The repetitions that have all folds; one that lacks some is left out, and that is said."""
    folds = [frozenset(run.config.get("dataset.split.fold") for run in part) for part in parts]
    most = max(folds, key=len)
    if len(most) == 1:
        return parts
    kept = []
    for part, held in zip(parts, folds, strict=True):
        if held < most:
            missing = ", ".join(str(f) for f in sorted(most - held, key=str))
            seed = part[0].config.get("seed")
            notes.append(f"seed {seed} left out of all figures: no finished fold {missing}")
        else:
            kept.append(part)
    return kept


def _overlap(label: str, runs: Sequence[Run]) -> str:
    for a, b in combinations(runs, 2):
        mine, theirs = set(a.table.cases), set(b.table.cases)
        if mine != theirs and mine & theirs:
            return (
                f"{label}: runs {a.name} and {b.name} have one configuration and share "
                f"{len(mine & theirs)} of their {len(mine)} and {len(theirs)} test cases: neither "
                "seeds (the same cases) nor folds (different cases). Compare them apart, or on "
                "what they share: common=true"
            )
    return f"{label}: its runs are neither seeds (the same cases) nor folds (different cases)"


def _cut(label: str, runs: list[Run], notes: list[str]) -> Configuration:
    shared = frozenset.intersection(*(_cases([run]) for run in runs))
    if not shared:
        raise ValueError(f"{label}: its {len(runs)} runs share no test case")
    notes.append(f"{len(runs)} runs with different test cases, cut to the {len(shared)} they share")
    return Configuration(label, runs, [run.table.keep(shared) for run in runs], [], notes)


def _labels(firsts: Sequence[Run], sizes: Sequence[int]) -> list[str]:
    """A short name for each configuration: its `name`, what sets it apart, or its one run's."""
    names = [str(run.config.get("name") or run.name) for run in firsts]
    labels = []
    for run, name, size in zip(firsts, names, sizes, strict=True):
        twins = [other for other, its in zip(firsts, names, strict=True) if its == name]
        if len(twins) == 1:
            labels.append(name)
        elif size == 1:
            labels.append(run.name)
        else:
            keys = [key for key in differing(twins) if key in run.config]
            said = " ".join(_said(key, run.config[key]) for key in keys[:LABEL_KEYS])
            labels.append(said if len(twins) == len(firsts) else f"{name} {said}")
    counts = Counter(labels)
    return [
        label if counts[label] == 1 else f"{label} ({run.name})"
        for label, run in zip(labels, firsts, strict=True)
    ]


def _said(key: str, value: Any) -> str:
    """`loss=DiceLoss`, `lr=0.001`."""
    if key.endswith("._target_"):
        return f"{key.split('.')[-2]}={text(value).rpartition('.')[2]}"
    return f"{key.rpartition('.')[2]}={text(value)}"


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (n - 1) of a few values; the deviation of one is NaN."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, math.nan
    return mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
