"""Runs that are compared, and configurations: runs that differ in seed and fold alone."""

import json
import math
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seg.comparison.statistic import Spread
from seg.runs import results
from seg.runs.case_table import CaseTable
from seg.runs.folder import MONITOR, UNSTARTED, RunFolder, flatten
from seg.runs.results import Result
from seg.runs.resume import EARLIER

SEEDS, FOLD = ("seed", "dataset.split.seed"), "dataset.split.fold"
# Runs that differ in these alone are one configuration. The cache follows output_dir.
SAME = {*SEEDS, FOLD, "output_dir", "name", "resume", "init_from", "init_from_partial",
        "dataset.cache_dir", "figures", "logger"}  # fmt: skip
LABEL_KEYS = 3

Progress = Callable[[Iterator, int, str], Iterator]


@dataclass(eq=False)
class ComparedRun:
    """A run folder and the result by which it is compared.

    Args:
        folder: its label is the run's name in tables.
        status: of run.json; instead of `finished` or none, `incomplete` where a file is missing,
            `broken` where one cannot be read.
        problem: why the run cannot be ranked, None if it can.
        result: None where the run has not finished, or its figures cannot be read.
        is_readable: whether config.yaml, and run.json if there is one, can be read.
        number: of a job of a sweep.
        overrides: of a job of a sweep, what sets it apart.
    """

    folder: RunFolder
    status: str
    problem: str | None = None
    result: Result | None = None
    is_readable: bool = True
    number: int | None = None
    overrides: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What tables call the run."""
        return self.folder.name

    @property
    def config(self) -> dict[str, Any]:
        """Its configuration by dotted keys."""
        return self.folder.flat_config

    @property
    def table(self) -> CaseTable | None:
        """The cases of its result; None where the run cannot be ranked."""
        return self.result.table if self.result is not None and self.problem is None else None

    @property
    def has_score(self) -> bool:
        """Whether it has finished with a validation score."""
        return self.status == "finished" and math.isfinite(self.folder.best_score)

    def curve(self, metric: str) -> list[tuple[float, float]]:
        """(epoch, value) of a metric on the validation cases; Dice where it was not measured."""
        if not self.is_readable:
            return []
        name = f"val/{metric}"
        return self.folder.curve(name if any(name in e for e in self.folder.epochs) else MONITOR)


def read_runs(
    paths: Sequence[Path], *, source: str = "test", progress: Progress = lambda it, n, t: it
) -> list[ComparedRun]:
    """Read run folders; what is wrong with one is its `problem`, never an error.

    Args:
        paths: run folders, labelled by what sets their paths apart.
        source: `test`, or `evaluate/NAME`.
        progress: wraps the iterator, given the number of runs and a title.
    """
    parents = [path.parent for path in paths]
    root = Path(os.path.commonpath(parents))
    root = root.parent if len(set(parents)) == 1 else root
    folders = (RunFolder(path, label=path.relative_to(root).as_posix()) for path in paths)
    runs = (read_run(folder, source=source) for folder in folders)
    return list(progress(runs, len(paths), "runs read"))


def read_run(folder: RunFolder, *, source: str = "test") -> ComparedRun:
    """One run with the result of `source`; see `read_runs`."""
    status, _ = folder.status, folder.config
    torn = None if status == UNSTARTED else folder.problem_with(folder.status_path)
    unread = problem = torn or folder.problem_with(folder.config_path)
    needed, result = [folder.config_path], None
    if status == "finished":
        path = folder.result_path(source)
        result, wrong = results.read(path, name=source)
        problem = next(filter(None, [problem, *wrong]), None)
        needed += [path, results.table_path(path)]
    if torn:
        status = "broken"
    elif problem and status in ("finished", UNSTARTED):
        status = "broken" if all(map(os.path.exists, needed)) else "incomplete"
    elif status != "finished":
        problem = problem or status
    if problem:  # a job that was refused before it started has its reason alone
        problem = " ".join(str(folder.facts.get("error") or problem).split())
    return ComparedRun(folder, status, problem, result, is_readable=unread is None)


@dataclass(eq=False)
class Configuration:
    """Runs that differ in seed and fold alone.

    Args:
        label: its name in tables.
        runs: in their order.
        tables: one for each seed, folds pooled, all of the same cases. Only `same_cases.pool_runs`
            gives a configuration tables, folds and notes.
        folds: the runs' own tables, a list for each fold, where there are several folds.
        notes: what to know about its figures.
    """

    label: str
    runs: list[ComparedRun]
    tables: list[CaseTable] = field(default_factory=list)
    folds: list[list[CaseTable]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def finished(self) -> list[ComparedRun]:
        """Its runs that finished with a validation score."""
        return [run for run in self.runs if run.has_score]

    @property
    def is_complete(self) -> bool:
        """Whether all of its runs finished."""
        return len(self.finished) == len(self.runs)

    @property
    def validation(self) -> Spread | None:
        """The best val/dice over its finished runs; None without one."""
        scores = [run.folder.best_score for run in self.finished]
        return Spread.over(scores) if scores else None

    @property
    def made_of(self) -> str:
        """What its jobs of a sweep are: `2 seeds x 3 folds`, `1 run`."""
        parts = []
        for keys, noun in ((SEEDS, "seeds"), ((FOLD,), "folds")):
            count = len({tuple(job.overrides.get(key) for key in keys) for job in self.runs})
            parts += [f"{count} {noun}"] if count > 1 else []
        count = len(self.runs)
        return " x ".join(parts) or ("1 run" if count == 1 else f"{count} runs")


def as_text(value: Any) -> str:
    """A value of a configuration on one line, as YAML's users know it."""
    if value is None or isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False)
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def normal(value: str) -> str:
    """A value as it was typed, in one spelling: `1e-3` and `0.001` are equal."""
    try:
        return f"{float(value):.10g}"
    except ValueError:
        return value


def differing(runs: Iterable[ComparedRun]) -> list[str]:
    """The keys in which configurations differ, in the order of the first run that has them."""
    runs = list(runs)
    keys = dict.fromkeys(key for run in runs for key in run.config if _matters(run, key))
    return [k for k in keys if len({as_text(run.config.get(k, "(none)")) for run in runs}) > 1]


def _matters(run: ComparedRun, key: str) -> bool:
    """Whether a key can set a configuration apart. Earlier versions had no loggers or callbacks."""
    return not (key in SAME or key.startswith("logger.") or run.config[key] == {})


def grouped(
    runs: Iterable[ComparedRun], identity: Callable[[ComparedRun], Hashable]
) -> list[list[ComparedRun]]:
    """Runs of equal identity together, in the order of their first run."""
    groups: dict[Hashable, list[ComparedRun]] = defaultdict(list)
    for run in runs:
        groups[identity(run)].append(run)
    return list(groups.values())


def by_config(runs: Sequence[ComparedRun]) -> list[Configuration]:
    """Runs grouped by their config.yaml, in the order of their first run."""

    earlier = flatten(EARLIER)  # runs of a version without these keys are repeated by later ones

    def identity(run: ComparedRun) -> Hashable:
        config = earlier | {k: v for k, v in run.config.items() if _matters(run, k)}
        return tuple((k, as_text(v)) for k, v in sorted(config.items()))

    groups = grouped(runs, identity)
    labels = _labels([members[0] for members in groups], [len(members) for members in groups])
    return [Configuration(label, group) for label, group in zip(labels, groups, strict=True)]


def _labels(firsts: Sequence[ComparedRun], sizes: Sequence[int]) -> list[str]:
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
            settings = " ".join(_setting(key, run.config[key]) for key in keys[:LABEL_KEYS])
            labels.append(settings if len(twins) == len(firsts) else f"{name} {settings}")
    counts = Counter(labels)
    return [
        label if counts[label] == 1 else f"{label} ({run.name})"
        for label, run in zip(labels, firsts, strict=True)
    ]


def _setting(key: str, value: Any) -> str:
    """`loss=DiceLoss`, `lr=0.001`."""
    if key.endswith("._target_"):
        return f"{key.split('.')[-2]}={as_text(value).rpartition('.')[2]}"
    return f"{key.rpartition('.')[2]}={as_text(value)}"
