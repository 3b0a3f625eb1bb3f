"""From a run folder to what its report says."""

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg.report import embedded
from seg.report.embedded import Picture
from seg.report.run.caveats import Caveat, find_caveats
from seg.report.run.sentences import Headline
from seg.runs import split_table
from seg.runs.folder import RunFolder

AUDITS = 40  # the newest ones, which may be of the same files
SIZE_KEYS = ("min", "median", "max")
TEST_PANELS = ("worst", "median", "best")
DIAGNOSTICS = {
    "pr_curve": "precision against recall",
    "reliability": "reliability of the probabilities",
    "confusion": "what each true class was called",
    "robustness": "Dice on degraded images",
}


@dataclass(frozen=True)
class Report:
    """What the page, the card and the console show.

    Args:
        headline: the figure that stands for the run, None if it has no test.
        audit: what `seg.prepare` wrote about the same files, None if it did not.
        caveats: what limits the figures, the gravest first.
    """

    run: RunFolder
    headline: Headline | None
    audit: dict[str, Any] | None
    panels: list[Picture]
    diagnostics: list[Picture]
    caveats: list[Caveat]


def read(folder: Path, *, metric: str = "dice", source: str = "test") -> Report:
    """Read a run folder for its report. Whatever is wrong in it is a caveat, never an error.

    Args:
        folder: the run folder, whatever the state of the run.
        metric: the figure of the headline, such as `dice` or `dice/polyp`.
        source: the result that it is of: `test`, or `evaluate/NAME`.

    Raises:
        FileNotFoundError: the run has no such evaluation.
        ValueError: the result has no such figure.
    """
    run = RunFolder(folder)
    problems = list(run.problems)
    headline = _headline(run, metric=metric, source=source)
    audit = None if run.split is None else _find_audit(run)
    panels = [(run.test_panel(kind), f"test, {kind} cases") for kind in TEST_PANELS]
    for path in run.panels()[-1:]:
        epoch = path.stem.removeprefix("epoch_").lstrip("0")
        panels.append((path, f"validation, after epoch {epoch}"))
    diagnostics = [
        (result.folder / f"{stem}.png", f"{result.name}: {title}")
        for result in run.evaluations
        for stem, title in DIAGNOSTICS.items()
        if stem != "robustness" or stem in result.facts  # else it is of an earlier evaluation
    ]
    panels, diagnostics = _read(panels, problems), _read(diagnostics, problems)
    caveats = find_caveats(run, audit, problems)
    return Report(run, headline, audit, panels, diagnostics, caveats)


def _headline(run: RunFolder, *, metric: str, source: str) -> Headline | None:
    result = next((r for r in run.results if r.name == source), None)
    if result is None:
        if source == "test":
            return None
        names = ", ".join(r.name for r in run.results) or "none"
        raise FileNotFoundError(
            f"source={source}: {run.path} has no such results (it has {names}); "
            "python -m seg.evaluate makes them"
        )
    name, _, class_name = metric.partition("/")
    figures = result.classes.get(class_name, {}) if class_name else result.metrics
    if name not in figures:
        known = [*result.metrics, *(f"{name}/{c}" for c in result.classes)]
        near = difflib.get_close_matches(metric, known, n=1)
        raise ValueError(
            f"metric={metric}: {result.name} does not have it"
            f"{f' (nearest: {near[0]})' if near else ''}; there are {', '.join(result.metrics)}"
        )
    return Headline(metric, figures[name], result)


def _find_audit(run: RunFolder) -> dict[str, Any] | None:
    """The newest audit of the same images and masks, by their digests, with the same classes and
    all else that says what they mean, where `seg.prepare` writes it: beside the folder of the runs,
    or of the sweep. Its split and image size may be others.
    """
    root = run.path.parent.parent
    paths = [*root.glob("prepare/*/*/audit.json"), *root.parent.glob("prepare/*/*/audit.json")]
    paths.sort(key=lambda path: path.parent.name, reverse=True)
    for path in paths[:AUDITS]:
        try:
            table = split_table.read(path.with_name(split_table.FILE_NAME))
            if table.digests != run.split.digests:
                continue
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # a broken one is not of this run
        if _is_audit(content) and _is_read_alike(content["dataset"], run):
            return content
    return None


def _is_read_alike(dataset: dict[str, Any], run: RunFolder) -> bool:
    """Whether the data set's own keys, but for its place, are those of the run."""
    own = {key: run.get(f"dataset.{key}") for key in dataset if key != "root"}
    return json.loads(json.dumps(own)) == {key: dataset[key] for key in own}


def _is_audit(content: Any) -> bool:
    """Whether what a report reads in it has the form that seg.prepare gives it."""
    if not isinstance(content, dict):
        return False
    pairs, warnings, errors = map(content.get, ("near_duplicates", "warnings", "errors"))
    if not all(isinstance(part, list) for part in (pairs, warnings, errors)):
        return False
    if not isinstance(content.get("dataset"), dict):  # of an earlier version: of which classes?
        return False
    sizes = [content[key] for key in ("width", "height") if content.get(key) is not None]
    return (
        all(isinstance(pair, list) and list(map(type, pair)) == [str, str] for pair in pairs)
        and all(isinstance(finding, dict) and "text" in finding for finding in warnings + errors)
        and all(isinstance(size, dict) for size in sizes)
        and all(isinstance(s.get(end), int | float) for s in sizes for end in SIZE_KEYS)
    )


def _read(paths: list[tuple[Path, str]], problems: list[str]) -> list[Picture]:
    """Those that are there; what is wrong with the others is added to `problems`."""
    pictures = []
    for path, title in paths:
        try:
            pictures.append(embedded.read(path, title))
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(f"{path.name} cannot be read ({error.strerror})")
        except ValueError as error:
            problems.append(str(error))
    return pictures
