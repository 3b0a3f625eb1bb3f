"""The search space: what a search may choose from, written as overrides in Hydra's grammar."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

# not to be searched: figures of different data cannot be compared, and a lucky seed is only luck
EXCLUDED = {
    "dataset": "other cases give another figure",
    "dataset.root": "other cases give another figure",
    "dataset.classes": "other classes give another figure",
    "dataset.split": "other cases give another figure; sweep=folds is for folds",
    "experiment": "it sets what the search sets; make a search of each",
    "seed": "a lucky seed is no better than others; sweep=grid tries several",
    "name": "it says where results go",
    "output_dir": "it says where results go",
    "resume": "it says where results go",
}
TAGS = ("log",)


@dataclass(frozen=True)
class Numbers:
    """Numbers from `low` to `high`, both included.

    Args:
        key: the key, with its `+` where the key is added.
        low, high: whole numbers if both are int.
        step: the distance between two values; None for all numbers between.
        log: whether values are drawn by their logarithm.
    """

    key: str
    low: float
    high: float
    step: float | None = None
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether all values are whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def suggest(self, trial: Any) -> float:
        """Optuna's proposal for a trial."""
        if self.whole:
            step = 1 if self.step is None else self.step
            return trial.suggest_int(self.key, self.low, self.high, step=step, log=self.log)
        return trial.suggest_float(self.key, self.low, self.high, step=self.step, log=self.log)

    def member(self, value: Any) -> float | None:
        """The value as a member of this dimension, or None if it is outside it."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if not self.low <= value <= self.high or (self.whole and value != int(value)):
            return None
        if self.step is not None:
            steps = (value - self.low) / self.step
            if not math.isclose(steps, round(steps), abs_tol=1e-6):
                return None
        return int(value) if self.whole else float(value)

    def size(self) -> float:
        """The number of members."""
        if self.step is None and not self.whole:
            return math.inf if self.high > self.low else 1
        return round((self.high - self.low) / (self.step or 1)) + 1

    def facts(self) -> dict[str, Any]:
        """What search.json holds of this dimension."""
        numbers = {"low": self.low, "high": self.high, "step": self.step, "log": self.log}
        return {"kind": "int" if self.whole else "float", **numbers}


@dataclass(frozen=True)
class Choices:
    """Separate choices.

    Args:
        key: the key, with its `+` where the key is added.
        values: the choices as on the command line.
        members: the same choices as they stand in a configuration.
    """

    key: str
    values: tuple[str, ...]
    members: tuple[Any, ...]

    def suggest(self, trial: Any) -> str:
        """Optuna's proposal for a trial."""
        return trial.suggest_categorical(self.key, list(self.values))

    def member(self, value: Any) -> str | None:
        """The choice that a configuration's value is, or None if it is none of them."""
        for text, member in zip(self.values, self.members, strict=True):
            if member == value and isinstance(member, bool) == isinstance(value, bool):
                return text
        return None

    def size(self) -> float:
        """The number of choices."""
        return len(self.values)

    def facts(self) -> dict[str, Any]:
        """What search.json holds of this dimension."""
        return {"kind": "choice", "values": list(self.values)}


Dimension = Numbers | Choices


def read(overrides: Sequence[Override]) -> tuple[list[Dimension], list[str], list[str]]:
    """Read a space. The last override of a key counts, at the place of its first.

    Returns:
        The dimensions, the overrides that do not vary, and a line for everything that is wrong.
    """
    last = {o.get_key_element().lstrip("+~"): o for o in overrides}
    space: list[Dimension] = []
    constant, problems = [], []
    for key, override in last.items():
        if not override.is_sweep_override():
            constant.append(override.input_line)
            continue
        wrong = list(_problems(key, override))
        problems += [f"{override.input_line}: {problem}" for problem in wrong]
        if not wrong:
            dimension = _dimension(override)
            if dimension.size() == 1:  # it does not vary
                only = dimension.values[0] if isinstance(dimension, Choices) else dimension.low
                constant.append(f"{dimension.key}={only}")
            else:
                space.append(dimension)
    if not space and not problems:
        problems.append(
            "nothing to search: give a key several values, such as "
            "'optimizer.lr=tag(log, interval(1e-4, 1e-2))' or loss=choice(bce,dice)"
        )
    return space, constant, problems


def _problems(key: str, override: Override) -> Iterator[str]:
    for name, reason in EXCLUDED.items():
        if key == name or key.startswith(f"{name}."):
            yield f"a search must not choose {name}: {reason}"
            return
    value = override.value()
    tags = getattr(value, "tags", set())
    unknown = sorted(tags - set(TAGS))
    if unknown:
        yield f"unknown tag {unknown[0]}; there is {', '.join(TAGS)}"
    if override.is_choice_sweep():
        texts = list(override.sweep_string_iterator())
        if "log" in tags:
            yield "log is for intervals and ranges"
        if not texts:
            yield "no choice matches"
        doubled = sorted({t for t in texts if texts.count(t) > 1})
        if doubled:
            yield f"{doubled[0]} is there twice"
    elif isinstance(value, IntervalSweep):
        yield from _interval_problems(value.start, value.end, log="log" in tags)
    elif isinstance(value, RangeSweep):
        if value.step == 0 or not list(value.range()):
            yield f"the range from {value.start} to {value.stop} by {value.step} is empty"
        elif "log" in tags and (abs(value.step) != 1 or isinstance(value.step, float)):
            yield "log goes with steps of 1 alone"
        elif "log" in tags and min(value.range()) < 1:
            yield "log needs numbers above 0"


def _interval_problems(low: float, high: float, *, log: bool) -> Iterator[str]:
    if not (math.isfinite(low) and math.isfinite(high)):
        yield "both ends must be finite"
    elif low >= high:
        yield f"the interval must go up, from {high:g} to {low:g}"
    elif log and low <= 0:
        yield f"log needs numbers above 0, not {low:g}"


def _dimension(override: Override) -> Dimension:
    key, value = override.get_key_element(), override.value()
    if isinstance(value, IntervalSweep):
        return Numbers(key=key, low=value.start, high=value.end, log="log" in value.tags)
    if isinstance(value, RangeSweep):
        members = sorted(value.range())
        step = abs(value.step)
        log = "log" in value.tags
        return Numbers(
            key=key, low=members[0], high=members[-1], step=None if log else step, log=log
        )
    texts = tuple(override.sweep_string_iterator())
    return Choices(
        key=key,
        values=texts,
        members=tuple(Override._convert_value(element) for element in override.sweep_iterator()),
    )


def lines(params: dict[str, Any]) -> list[str]:
    """The parameters of a trial as overrides; numbers with all their digits."""
    return [f"{key}={value}" for key, value in params.items()]
