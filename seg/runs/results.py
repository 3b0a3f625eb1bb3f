"""The figures of one test or evaluation: its JSON, and the table of cases beside it."""

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from seg.runs.case_table import CaseTable, TableError, read_cases

AGREE = 1e-4  # test.json holds all digits, test_cases.csv six


class Interval(NamedTuple):
    """A figure and its 95 % interval; low and high are NaN where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Result:
    """One test or evaluation.

    Args:
        name: `test`, or `evaluate/NAME`.
        size: (H, W) in pixels at which masks were compared; None for the masks' own.
        metrics: over all classes; `classes` has those of each.
        facts: whatever else the JSON holds.
        table: its cases; None where it is missing or contradicts the figures.
    """

    name: str
    folder: Path
    split: str
    cases: int
    groups: int
    size: tuple[int, int] | None
    metrics: dict[str, Interval]
    classes: dict[str, dict[str, Interval]]
    protocols: dict[str, dict[str, float | str]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    table: CaseTable | None = None

    @property
    def of_best(self) -> bool:
        """Whether it is of the best weights, as the training's own test is."""
        used = self.facts.get("checkpoint")
        return used is None or str(used).replace("\\", "/").endswith("checkpoints/best.ckpt")

    @property
    def checkpoint(self) -> str:
        """The name of the checkpoint's file; "" where the JSON does not say."""
        used = str(self.facts.get("checkpoint") or "")
        return used.replace("\\", "/").rpartition("/")[2]

    @property
    def threshold(self) -> str:
        """The threshold, or that of each class that may share pixels; "" if there is none."""
        return as_text(self.facts.get("threshold"))

    def tuned(self, before: Any) -> list[str]:
        """What was chosen on the validation cases; `before` is the threshold of the training."""
        now, cleaning = self.threshold, self.facts.get("postprocess")
        differ = now and as_text(before) and now != as_text(before)
        lines = [f"threshold {now} instead of {as_text(before)}"] if differ else []
        steps = cleaning.items() if isinstance(cleaning, Mapping) else ()
        return lines + [f"{step} of {', '.join(map(str, names))}" for step, names in steps if names]

    @property
    def resolution(self) -> str:
        """Where it was scored, as part of a sentence."""
        return "the masks' own size" if self.size is None else f"{self.size[0]}x{self.size[1]}"

    @property
    def title(self) -> str:
        """`test, at 256x256`: the name, and where it was scored."""
        return f"{self.name}, at {self.resolution}"


def as_text(threshold: Any) -> str:
    """One threshold, or several, as `0.5` or `0.5, 0.4`; "" for what is none."""
    each = threshold if isinstance(threshold, list) else [threshold]
    known = all(isinstance(one, float | int) for one in each)
    return ", ".join(f"{one:g}" for one in each) if known else ""


def evaluation_path(folder: Path) -> Path:
    """The JSON of an evaluation, `<folder>.json`; in a folder of another name the only one that has
    a table, since `seg.evaluate output=DIR` names it by what was scored.
    """
    named = folder / f"{folder.name}.json"
    others = [] if named.exists() else [p for p in folder.glob("*.json") if table_path(p).exists()]
    return others[0] if len(others) == 1 else named


def table_path(path: Path) -> Path:
    """The table of cases beside the JSON of a result."""
    return path.with_name(f"{path.stem}_cases.csv")


def robustness_path(path: Path) -> Path:
    """The table of degraded cases beside the JSON of a result."""
    return path.with_name(f"{path.stem}_robustness.csv")


def evaluation_files(name: str) -> list[str]:
    """All files that an evaluation of this name may have, relative to its folder."""
    path = Path(f"{name}.json")
    tables = [str(path), str(table_path(path)), str(robustness_path(path))]
    panels = ("panels/worst", "panels/median", "panels/best")
    pictures = ("pr_curve", "reliability", "failure_prediction", "confusion", "robustness", *panels)
    endings = (".png", ".pdf", ".svg", "_300dpi.png")
    return tables + [picture + ending for picture in pictures for ending in endings]


def read(path: Path, *, name: str) -> tuple[Result | None, list[str]]:
    """Read a test.json or <split>.json and the `*_cases.csv` beside it.

    Returns:
        The result, None if the JSON cannot be read; and a line for each file with a fault.
    """
    try:
        result = _result(json.loads(path.read_text(encoding="utf-8")), path, name)
    except FileNotFoundError:
        hint = "" if name == "test" else "; seg.evaluate writes it"
        return None, [f"{_label(path, name)} is not there{hint}"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return None, [f"{_label(path, name)} cannot be read ({reason})"]
    try:
        table = read_cases(table_path(path))
        _require_agreement(result, table, path)
    except (OSError, UnicodeError, csv.Error, TableError) as error:
        missing = isinstance(error, FileNotFoundError)
        fault = "is not there" if missing else f"is left out: {error}"
        return result, [f"{_label(table_path(path), name)} {fault}"]
    return replace(result, table=table), []


def _label(path: Path, name: str) -> str:
    return path.name if name == "test" else f"{name}/{path.name}"


def _result(content: Mapping[str, Any], path: Path, name: str) -> Result:
    known = {"split", "cases", "groups", "size", "metrics", "classes", "protocols"}
    size = content.get("size", "original")
    metrics = _intervals(content["metrics"])
    if not metrics:
        raise ValueError("no figure in it")
    return Result(
        name=name,
        folder=path.parent,
        split=str(content["split"]),
        cases=int(content["cases"]),
        groups=int(content.get("groups", content["cases"])),
        size=None if isinstance(size, str) else (int(size[0]), int(size[1])),
        metrics=metrics,
        classes={str(k): _intervals(v) for k, v in dict(content.get("classes") or {}).items()},
        protocols={
            str(name): {str(k): v for k, v in figures.items() if isinstance(v, float | int | str)}
            for name, figures in dict(content.get("protocols") or {}).items()
        },
        facts={k: v for k, v in content.items() if k not in known},
    )


def _intervals(node: Mapping[str, Any]) -> dict[str, Interval]:
    """{name: {value, low, high}} of a JSON; figures without a value are left out."""
    figures = {}
    for name, figure in node.items():
        numbers = [math.nan if (v := figure.get(k)) is None else float(v) for k in Interval._fields]
        if math.isfinite(numbers[0]):
            figures[str(name)] = Interval(*numbers)
    return figures


def _require_agreement(result: Result, table: CaseTable, path: Path) -> None:
    """Raises TableError for a table of other figures."""
    if result.cases != len(table.cases):
        raise TableError(f"{path.name} speaks of {result.cases} cases, it has {len(table.cases)}")
    if "dice" in table.values and "dice" in result.metrics:
        stated, dice = result.metrics["dice"].value, table.values["dice"]
        # earlier versions counted the classes that no reference has
        means = [float(dice[:, table.existing].mean()), float(dice.mean())]
        if not any(abs(stated - mean) < AGREE for mean in means):
            raise TableError(f"{path.name} says dice {stated:.4f}, it gives {means[0]:.4f}")
