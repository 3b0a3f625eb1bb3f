"""Run folders, found and read: what the run was, how it ended, its curves and its cases."""

import csv
import glob
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from seg.runs.case_table import CaseTable, TableError, read_cases
from seg.runs.folder import MARKS, flatten
from seg.runs.results import AGREE

Progress = Callable[[Iterator, int, str], Iterator]


@dataclass
class Run:
    """One run folder.

    problem: why the run cannot be ranked, None if it can. config: flat, dotted keys. figures: of
    the JSON beside the table, name to value. curve: (epoch, validation figure).
    """

    folder: Path
    name: str
    status: str
    problem: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    curve: list[tuple[float, float]] = field(default_factory=list)
    table: CaseTable | None = None


def find(where: str | Sequence[str]) -> list[Path]:
    """Run folders by path, by glob (`**` as well), or below folders at any depth; sorted.

    Raises FileNotFoundError where nothing matches, or no match is or holds a run folder.
    """
    found: dict[Path, None] = {}
    for pattern in [where] if isinstance(where, str) else where:
        given = os.path.expanduser(pattern)
        # the folder of a job of a sweep may have brackets in its name, which a glob would read
        matches = [given] if os.path.exists(given) else sorted(glob.glob(given, recursive=True))
        if not matches:
            raise FileNotFoundError(f"runs={pattern}: no such folder; give a run, a folder, a glob")
        below = [folder for match in matches for folder in _below(Path(match))]
        if not below:
            raise FileNotFoundError(
                f"runs={pattern}: no run in it or below it (a run folder has run.json, config.yaml)"
            )
        found |= dict.fromkeys(folder.absolute() for folder in below)
    return sorted({folder.resolve(): folder for folder in found}.values())


def _below(root: Path) -> Iterator[Path]:
    for path, folders, files in os.walk(root):
        if any(mark in files for mark in MARKS):
            folders.clear()  # nothing in a run folder is a run
            yield Path(path)
        else:
            folders[:] = sorted(f for f in folders if not f.startswith("."))


def read_runs(
    folders: Sequence[Path], *, source: str, metric: str, progress: Progress = lambda it, n, t: it
) -> list[Run]:
    """Read them all; what is wrong with one is its `problem`, never an error.

    source: `test`, or `evaluate/NAME`. metric: whose validation curve to read.
    """
    root = _parent_of(folders)
    read = (
        read_run(f, name=f.relative_to(root).as_posix(), source=source, metric=metric)
        for f in folders
    )
    return list(progress(read, len(folders), "runs read"))


def _parent_of(folders: Iterable[Path]) -> Path:
    """What all paths share; one run is named by its last two parts."""
    parents = [folder.parent for folder in folders]
    common = Path(os.path.commonpath(parents))
    return common.parent if len(set(parents)) == 1 else common


def read_run(folder: Path, *, name: str, source: str, metric: str) -> Run:
    """One run folder; see `read_runs`."""
    run = Run(folder=folder, name=name, status="never started")
    try:
        if (folder / "run.json").is_file():
            run.facts = _object(folder / "run.json")
            run.status = str(run.facts.get("status", "unknown"))
        run.config = flatten(_yaml(folder / "config.yaml"))
        run.curve = _curve(folder / "metrics.csv", metric)
        if run.status != "finished":
            run.problem = " ".join(str(run.facts.get("error") or run.status).split())
            return run
        table, content = _results(folder, source)
        run.table = read_cases(table)
        _read_figures(run, content, source)
    except (OSError, ValueError, csv.Error) as error:
        # a job that was refused before it started has nothing but its reason
        run.problem = " ".join(str(run.facts.get("error") or _short(error, folder)).split())
        if run.status in ("finished", "never started"):
            run.status = "broken" if _exists(error) else "incomplete"
        run.table = None
    return run


def _exists(error: Exception) -> bool:
    return not isinstance(error, FileNotFoundError)


def _short(error: Exception, folder: Path) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.path.relpath(error.filename, folder)}: {error.strerror}"
    return " ".join(str(error).split())


def _object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TableError(f"{path.name}: is no JSON ({error})") from None
    if not isinstance(content, dict):
        raise TableError(f"{path.name}: must hold an object")
    return content


def _yaml(path: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times faster
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except yaml.YAMLError as error:
        raise TableError(f"{path.name}: is no YAML ({error})") from None
    if not isinstance(content, dict):
        raise TableError(f"{path.name}: must hold keys and values")
    return content


def _curve(path: Path, metric: str) -> list[tuple[float, float]]:
    if not path.is_file():
        return []
    points = []
    with path.open(newline="", encoding="utf-8", errors="replace") as handle:
        rows = csv.DictReader(handle)
        names = rows.fieldnames or []
        column = next((n for n in (f"val/{metric}", "val/dice") if n in names), None)
        for row in rows if column else ():
            try:
                points.append((float(row["epoch"]), float(row[column])))
            except (KeyError, TypeError, ValueError):
                continue  # a line that was cut short by a kill
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def _results(folder: Path, source: str) -> tuple[Path, Path]:
    if source == "test":
        return folder / "test_cases.csv", folder / "test.json"
    place = folder / source
    tables = sorted(place.glob("*_cases.csv"))
    if not tables:
        raise FileNotFoundError(2, "no results; seg.evaluate makes them", str(place))
    if len(tables) > 1:
        raise TableError(f"{source}: several tables, {', '.join(t.name for t in tables)}")
    return tables[0], place / f"{tables[0].name.removesuffix('_cases.csv')}.json"


def _read_figures(run: Run, path: Path, source: str) -> None:
    """The figures beside the table; a table that they contradict is not the one of this test."""
    content = _object(path)
    try:
        run.figures = {
            name: float(figure["value"])
            for name, figure in content["metrics"].items()
            if figure["value"] is not None
        }
        cases = int(content["cases"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise TableError(f"{path.name}: has no cases and metrics") from None
    table = run.table
    if table is None or cases != len(table.cases):
        raise TableError(
            f"{path.name} speaks of {cases} cases, the table beside it has "
            f"{len(table.cases) if table else 0}"
        )
    if source == "test" and {"dice"} <= table.values.keys() & run.figures.keys():
        said, found = run.figures["dice"], float(table.values["dice"].mean())
        if not abs(said - found) < AGREE:
            raise TableError(
                f"{path.name} says dice {said:.4f}, the table beside it gives {found:.4f}"
            )
