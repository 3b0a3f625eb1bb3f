"""All that one run folder tells, however much of it is there; nothing outside it is believed."""

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from seg.report.run import audits
from seg.runs import results as result
from seg.runs import split_table
from seg.runs.results import Result
from seg.runs.split_table import SplitTable


@dataclass
class Evidence:
    """status: what run.json says, `unknown` without one. facts: of run.json. config: nested, as in
    config.yaml. epochs: rows of metrics.csv, numbers where they are some. test: at the end of the
    training. evaluations: of RUN/evaluate/*. problems: files that could not be used, and why.
    """

    folder: Path
    name: str
    status: str = "unknown"
    facts: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    allocation: SplitTable | None = None
    audit: dict[str, Any] | None = None
    test: Result | None = None
    evaluations: list[Result] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def results(self) -> list[Result]:
        """The training's test first."""
        return [r for r in (self.test, *self.evaluations) if r is not None]

    @property
    def best_epoch(self) -> int | None:
        """The epoch whose weights were kept, counted from 1."""
        if isinstance(self.facts.get("best_epoch"), int):
            return self.facts["best_epoch"]
        scored = [row for row in self.epochs if isinstance(row.get("val/dice"), float)]
        return int(max(scored, key=lambda r: r["val/dice"])["epoch"]) if scored else None

    @property
    def planned_epochs(self) -> int | None:
        """What the configuration asked for, all stages together."""
        stages = self.get("stages")
        stages = stages if isinstance(stages, Mapping) else {}
        each = [self.get("trainer.max_epochs")]
        each += [s.get("max_epochs") for s in stages.values() if isinstance(s, Mapping)]
        return sum(each) if all(isinstance(n, int) for n in each) else None

    def get(self, path: str, default: Any = None) -> Any:
        """A value of the configuration by its dotted key."""
        node: Any = self.config
        for key in path.split("."):
            if not isinstance(node, Mapping) or key not in node:
                return default
            node = node[key]
        return node


def read_evidence(folder: Path) -> Evidence:
    """Read a run folder; a file that is missing or torn is a problem, never an error."""
    found = Evidence(folder=folder, name=folder.name)
    found.facts = _object(found, "run.json", json.loads)
    found.status = str(found.facts.get("status", "unknown"))
    found.config = _object(found, "config.yaml", yaml.safe_load)
    found.name = str(found.facts.get("name") or found.config.get("name") or folder.name)
    found.epochs = _epochs(found)
    found.allocation = _allocation(found)
    if found.allocation is not None:
        found.audit = audits.find(folder, found.allocation)
    if (folder / "test.json").is_file():
        found.test, problems = result.read(folder / "test.json", name="test")
        found.problems += problems
    for path in sorted((folder / "evaluate").glob("*/*.json")):
        if path.stem != path.parent.name:
            continue  # beside the figures, not the figures
        one, problems = result.read(path, name=f"evaluate/{path.parent.name}")
        found.evaluations += [one] if one is not None else []
        found.problems += problems
    return found


def _object(found: Evidence, name: str, parse: Any) -> dict[str, Any]:
    try:
        content = parse((found.folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        found.problems.append(f"{name} is not there")
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        found.problems.append(f"{name} cannot be read ({reason})")
        return {}
    if not isinstance(content, dict):
        found.problems.append(f"{name} must hold keys and values")
        return {}
    return content


def _epochs(found: Evidence) -> list[dict[str, Any]]:
    path = found.folder / "metrics.csv"
    if not path.is_file():
        return []
    rows = []
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            for row in csv.DictReader(handle):
                numbers = {k: _number(v) for k, v in row.items() if k}
                if isinstance(numbers.get("epoch"), float):  # else a line that was cut short
                    rows.append(numbers)
    except (OSError, UnicodeError, csv.Error) as error:
        found.problems.append(f"metrics.csv cannot be read ({error})")
    return rows


def _number(text: str | None) -> float | str | None:
    try:
        value = float(text or "")
    except ValueError:
        return text
    return value if math.isfinite(value) else None


def _allocation(found: Evidence) -> SplitTable | None:
    path = found.folder / "split.csv"
    if not path.is_file():
        return None
    try:
        return split_table.read(path)
    except (OSError, UnicodeError, csv.Error, ValueError) as error:
        found.problems.append(f"split.csv cannot be read ({error})")
        return None
