"""The run in sentences: what was trained on what, and what that gave; no more than is known."""

import difflib
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from seg.report.comparison.text import number
from seg.report.run.caveats.caveat import counted
from seg.report.run.evidence import Evidence
from seg.runs.results import Interval, Result

UNSTATED = "not stated"


class Headline(NamedTuple):
    """The figure that stands for the run. metric: as the user says it, such as `dice/polyp`."""

    metric: str
    figure: Interval
    result: Result


def headline(evidence: Evidence, *, metric: str, source: str) -> Headline | None:
    """None where the run has no test, or test.json cannot be read.

    Raises FileNotFoundError for an evaluation that is not there, ValueError for a figure that it
    does not have.
    """
    result = next((r for r in evidence.results if r.name == source), None)
    if result is None:
        if source == "test":
            return None
        there = ", ".join(r.name for r in evidence.results) or "none"
        raise FileNotFoundError(
            f"source={source}: {evidence.folder} has no such results (it has {there}); "
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


def interval(figure: Interval) -> str:
    """`0.4914 (95 % 0.4225 to 0.5585)`; without the bracket where there is no interval."""
    if not (math.isfinite(figure.low) and math.isfinite(figure.high)):
        return number(figure.value)
    return f"{number(figure.value)} (95 % {number(figure.low)} to {number(figure.high)})"


def data_name(evidence: Evidence) -> str:
    """The data set by the name of its folder, else of its source."""
    root = evidence.get("dataset.root")
    if isinstance(root, str) and PurePath(root.replace("\\", "/")).name:
        return PurePath(root.replace("\\", "/")).name
    return _class(evidence.get("dataset")) or UNSTATED


def class_names(evidence: Evidence) -> list[str]:
    """Of the foreground; none where nothing tells."""
    classes = evidence.get("dataset.classes")
    if isinstance(classes, Mapping):
        return [str(name) for name in classes]
    return list(evidence.results[0].classes) if evidence.results else []


def part(evidence: Evidence, key: str) -> str:
    """A part of the run by its class, such as `AdamW`; of a sum, of its terms."""
    node = evidence.get(key)
    terms = node.get("losses") if isinstance(node, Mapping) else None
    if isinstance(terms, list) and all(map(_class, terms)):
        return " + ".join(map(_class, terms))
    return _class(node) or UNSTATED


def _class(node: Any) -> str:
    target = node.get("_target_") if isinstance(node, Mapping) else None
    return str(target).rpartition(".")[2] if target else ""


def cases(evidence: Evidence, split: str) -> str:
    """`280 cases`, with their groups where these are known; an unknown number of them else."""
    if evidence.allocation is None:
        return "an unknown number of cases"
    count = counted(evidence.allocation.cases[split], "case")
    if not evidence.allocation.grouped:
        return count
    return f"{count} of {counted(evidence.allocation.groups[split], 'group')}"


def training(evidence: Evidence) -> str:
    """What was trained on what."""
    epochs = counted(len(evidence.epochs), "epoch") if evidence.epochs else "an unknown time"
    return (
        f"{part(evidence, 'model')} trained for {epochs} with {part(evidence, 'loss')} and "
        f"{part(evidence, 'optimizer')} on {cases(evidence, 'train')} of {data_name(evidence)}"
    )


def scored(evidence: Evidence, result: Result) -> str:
    """On what a result stands, and how far it is known to be apart from the training."""
    count = counted(result.cases, "case")
    if result.groups < result.cases:
        count += f" of {counted(result.groups, 'group')}"
    allocation = evidence.allocation
    if result.split not in ("test", "val", "train"):
        return f"{count} of another data set"
    if result.split != "test":
        return f"{count} of its own {result.split} split"
    if allocation is None or allocation.parted or allocation.parted_groups:
        return f"{count} of its test split"
    by_file = evidence.get("dataset.split.by") == "file"
    if allocation.grouped and not by_file:
        return f"{count}, none of these groups seen in training"
    return f"{count} not seen in training (whether their patients were is unknown)"


def verdict(evidence: Evidence, found: Headline | None) -> str:
    """The report in a sentence or two."""
    if evidence.status != "finished":
        error = " ".join(str(evidence.facts.get("error") or "").split())
        ended = {"running": "has not finished", "unknown": "cannot be told how it ended"}
        lead = f"{evidence.name}: {ended.get(evidence.status, evidence.status)}"
        lead += f" ({error})" if error else ""
        best = best_validation(evidence)
        if found is None:
            return f"{lead}. No test figures.{f' Until then, {best}.' if best else ''}"
        return f"{lead}. {_scores(evidence, found)}"
    if found is None:
        return f"{training(evidence)}. No test figures."
    return f"{training(evidence)}: {_scores(evidence, found)}"


def _scores(evidence: Evidence, found: Headline) -> str:
    result = found.result
    said = (
        f"{result.split} {found.metric} {interval(found.figure)} on {scored(evidence, result)}, at "
        f"{result.resolution}."
    )
    own = next(
        (
            r
            for r in evidence.evaluations
            if r.split == result.split and r.size is None and r.of_best
        ),
        None,
    )
    if result.name == "test" and own is not None and found.metric in own.metrics:
        tuned = ", tuned on the validation cases" if own.tuned(evidence.get("threshold")) else ""
        said += f" At the masks' own size{tuned}: {interval(own.metrics[found.metric])}."
    return said


def best_validation(evidence: Evidence) -> str:
    """`validation Dice 0.81 in epoch 12`, "" where there was none."""
    row = next((r for r in evidence.epochs if r["epoch"] == evidence.best_epoch), None)
    if row is None or not isinstance(row.get("val/dice"), float):
        return ""
    return f"the best validation Dice was {row['val/dice']:.4f}, in epoch {int(row['epoch'])}"
