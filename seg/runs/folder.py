"""A run folder as an object: the only place that knows the names of the files in it."""

import csv
import json
import math
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from seg.runs import results, split_table
from seg.runs.earlier_losses import named
from seg.runs.results import Result
from seg.runs.split_table import SplitTable
from seg.runs.watchdog import STATUS_FILE

MONITOR = "val/dice"
UNSTARTED = "never started"  # the status of a folder without run.json, as of a job to come
CONFIG_FILE = "config.yaml"
MARKS = (STATUS_FILE, CONFIG_FILE)  # a folder with one of them is a run folder
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times faster


class RunFolder:
    """A run folder that is read. Nothing is read before it is used, and nothing twice.

    A file that is missing or torn never raises here: its value is empty, and `problems` has a line
    about it, the same for every reader.

    Args:
        path: the run folder.
        label: what tables call the run; its own name without one.
    """

    def __init__(self, path: Path, *, label: str | None = None) -> None:
        self.path = path
        self.label = label
        self._problems: dict[str, str] = {}

        self.status_path = path / STATUS_FILE
        self.config_path = path / CONFIG_FILE
        self.metrics_path = path / "metrics.csv"
        self.log_path = path / "log.txt"  # what a job printed that ran beside others
        self.split_path = path / split_table.FILE_NAME
        self.test_path = path / "test.json"
        self.test_cases_path = results.table_path(self.test_path)
        self.checkpoints_path = path / "checkpoints"
        self.curves_path = path / "curves.png"
        self.panels_path = path / "panels"
        self.test_panels_path = path / "test_panels"
        self.evaluations_path = path / "evaluate"
        self.exports_path = path / "export"

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.path}: {self.status}, {MONITOR} {self.best_score:.4f}"

    def checkpoint(self, which: str) -> Path:
        """The path of the checkpoint `best` or `last`, whether it is there or not."""
        return self.checkpoints_path / f"{which}.ckpt"

    def weights_path(self, form: str) -> Path:
        """The path of the weights alone, `pth` or `safetensors`."""
        return self.path / f"model.{form}"

    def panels(self) -> list[Path]:
        """Pictures of the validation cases, by epoch."""
        return sorted(self.panels_path.glob("epoch_*.png"))

    def test_panel(self, title: str) -> Path:
        """The picture of the `worst`, `median` or `best` test cases."""
        return self.test_panels_path / f"{title}.png"

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What run.json says of the run."""
        return self._mapping(self.status_path, json.loads)

    @property
    def status(self) -> str:
        """`running`, `finished`, `failed`, `interrupted`, `pruned`; `never started` without
        run.json, `unknown` where that cannot be read.
        """
        status = self.facts.get("status")
        if self.problem_with(self.status_path) == _missing(self.status_path):
            return UNSTARTED
        return status if isinstance(status, str) else "unknown"

    @property
    def is_finished(self) -> bool:
        return self.status == "finished"

    @property
    def name(self) -> str:
        """The label, or what the run calls itself."""
        return str(self.label or self.facts.get("name") or self.get("name") or self.path.name)

    @cached_property
    def config(self) -> dict[str, Any]:
        """config.yaml, nested; losses as this version writes them."""
        return named(self._mapping(self.config_path, lambda text: yaml.load(text, Loader=LOADER)))

    @cached_property
    def flat_config(self) -> dict[str, Any]:
        """config.yaml by dotted keys."""
        return flatten(self.config) if self.config else {}

    def get(self, key: str, default: Any = None) -> Any:
        """A value of the configuration by its dotted key."""
        node: Any = self.config
        for part in key.split("."):
            if not isinstance(node, Mapping) or part not in node:
                return default
            node = node[part]
        return node

    @property
    def dataset_name(self) -> str:
        """What its data set is called; in runs of earlier versions the name of its root."""
        return str(self.get("dataset.name") or Path(str(self.get("dataset.root"))).name)

    @cached_property
    def epochs(self) -> list[dict[str, Any]]:
        """The rows of metrics.csv: finite numbers as float, others as None, texts as they are."""
        if not self.metrics_path.is_file():
            return []
        rows = []
        try:
            with self.metrics_path.open(newline="", encoding="utf-8", errors="replace") as handle:
                for line in csv.DictReader(handle):
                    row = {key: _number(value) for key, value in line.items() if key}
                    if isinstance(row.get("epoch"), float):  # else a line that a kill cut short
                        rows.append(row)
        except (OSError, csv.Error) as error:
            self._cannot_read(self.metrics_path, error)
        return rows

    def curve(self, figure: str) -> list[tuple[float, float]]:
        """(epoch, value) of a figure such as `val/dice`, where it is a number."""
        return [
            (row["epoch"], row[figure]) for row in self.epochs if isinstance(row.get(figure), float)
        ]

    @property
    def best_score(self) -> float:
        """The highest val/dice; NaN before the first epoch has ended."""
        stated = self.facts.get(MONITOR)
        if type(stated) in (int, float) and math.isfinite(stated):  # a bool is an int
            return float(stated)
        return max((value for _, value in self.curve(MONITOR)), default=math.nan)

    @property
    def best_epoch(self) -> int | None:
        """The epoch of the best weights, counted from 1."""
        if isinstance(self.facts.get("best_epoch"), int):
            return self.facts["best_epoch"]
        curve = self.curve(MONITOR)
        return int(max(curve, key=lambda point: point[1])[0]) if curve else None

    @cached_property
    def split(self) -> SplitTable | None:
        """Which case is in which split; None before the data were split."""
        if not self.split_path.is_file():
            return None
        try:
            return split_table.read(self.split_path)
        except (OSError, ValueError, csv.Error) as error:
            self._cannot_read(self.split_path, error)
            return None

    @cached_property
    def test(self) -> Result | None:
        """The test at the end of the training."""
        return self._result("test") if self.test_path.is_file() else None

    @cached_property
    def evaluations(self) -> list[Result]:
        """What `seg.evaluate` wrote, by name."""
        files = sorted(self.evaluations_path.glob("*/*.json"))
        names = [f"{self.evaluations_path.name}/{p.stem}" for p in files if p.stem == p.parent.name]
        return [result for name in names if (result := self._result(name)) is not None]

    @property
    def results(self) -> list[Result]:
        """The training's test first, then the evaluations."""
        return [result for result in (self.test, *self.evaluations) if result is not None]

    def result_path(self, source: str) -> Path:
        """The JSON of `test`, or of `evaluate/<name>`."""
        return self.test_path if source == "test" else results.evaluation_path(self.path / source)

    @property
    def problems(self) -> list[str]:
        """What is missing or cannot be read, a line for each file."""
        _ = self.facts, self.config, self.epochs, self.split, self.results
        return list(self._problems.values())

    def problem_with(self, path: Path) -> str | None:
        """What was wrong with a file of the folder when it was read, None if nothing was."""
        return self._problems.get(path.name)

    def _result(self, source: str) -> Result | None:
        result, problems = results.read(self.result_path(source), name=source)
        self._problems |= {line: line for line in problems}
        return result

    def _mapping(self, path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
        try:
            content = parse(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self._problems[path.name] = _missing(path)
            return {}
        except (OSError, ValueError, yaml.YAMLError) as error:
            self._cannot_read(path, error)
            return {}
        if not isinstance(content, dict):
            self._problems[path.name] = f"{path.name} must hold keys and values"
            return {}
        return content

    def _cannot_read(self, path: Path, error: Exception) -> None:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        self._problems[path.name] = f"{path.name} cannot be read ({reason})"


def flatten(node: Any, path: str = "") -> dict[str, Any]:
    """Nested mappings and lists of mappings by dotted keys; a list of plain values is a value."""
    if isinstance(node, dict) and node:
        entries = node.items()
    elif isinstance(node, list) and any(isinstance(value, dict) for value in node):
        entries = enumerate(node)
    else:
        return {path: node}
    flat: dict[str, Any] = {}
    for key, value in entries:
        flat |= flatten(value, f"{path}.{key}" if path else str(key))
    return flat


def _missing(path: Path) -> str:
    return f"{path.name} is not there"


def _number(text: str | None) -> float | str | None:
    try:
        value = float(text or "")
    except ValueError:
        return text
    return value if math.isfinite(value) else None
