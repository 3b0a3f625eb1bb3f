"""model_card.md: what the run tells of its network, under the headings that readers look for.

Mitchell et al. 2019, arXiv:1810.03993. The header is YAML, as Hugging Face's hub reads it. What the
run folder does not tell is "not stated" there, for the author to fill in. Names of cases and
groups, which may name patients, and of the machine are left out.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from seg.comparison.configurations import as_text
from seg.report import pages
from seg.report.run import facts, sentences
from seg.report.run.report import Report
from seg.report.run.sentences import data_name, foreground
from seg.report.text import interval
from seg.runs.folder import RunFolder
from seg.runs.results import Result
from seg.runs.results import as_text as threshold_text

FIGURES = (
    "dice", "iou", "dice_positive", "dice_pooled", "dice_group", "precision", "recall",
    "specificity", "hd95", "nsd", "lesion_f1", "ece", "ap",
)  # fmt: skip
PARTS = ("model", "loss", "optimizer", "scheduler", "augmentation")


def card(report: Report) -> str:
    """The whole card."""
    run = report.run
    data = facts.data(run, report.audit)
    del data["split drawn"]  # it may name a file of the author's machine
    return pages.render(
        "model_card.md",
        header=_header(report),
        name=run.name,
        verdict=sentences.verdict(run, report.headline),
        details=_details(run),
        parts={part: _call(run.config[part]) if part in run.config else None for part in PARTS},
        classes=foreground(run),
        groups=_groups(run),
        evaluated=[(r, sentences.scored_on(run, r)) for r in run.results],
        data=data,
        tables=[(result, *_figures(result)) for result in run.results],
        caveats=report.caveats,
        commands=facts.commands("RUN"),
    )


def _header(report: Report) -> str:
    """The YAML between the dashes."""
    content: dict[str, Any] = {
        "library_name": "seg",
        "pipeline_tag": "image-segmentation",
        "tags": ["medical-imaging", "image-segmentation", "pytorch"],
    }
    if report.headline is not None:
        metric, figure, result = report.headline
        content["model-index"] = [{
            "name": report.run.name,
            "results": [{
                "task": {"type": "image-segmentation"},
                "dataset": {"name": data_name(report.run), "type": "other", "split": result.split},
                "metrics": [{"type": metric, "value": round(figure.value, 6),
                             "name": f"{metric}, at {result.resolution}"}],
            }],
        }]  # fmt: skip
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _details(run: RunFolder) -> dict[str, Any]:
    environment = facts.environment(run)
    del environment["status"]
    return {
        "architecture": sentences.part(run, "model"),
        "input": _input(run),
        "output": _output(run),
        "weights of epoch": run.best_epoch,
        "licence": None,
        "authors, contact": None,
        **environment,
    }


def _input(run: RunFolder) -> str | None:
    size, patch = (sentences.sides(run, key) for key in ("image_size", "patch_size"))
    channels = run.get("dataset.channels")
    if (size is None and patch is None) or not isinstance(channels, int):
        return None
    kind = {1: "grey", 3: "RGB"}.get(channels, f"{channels} channels")
    brought = "at its own size" if size is None else f"brought to {size}"
    windows = "" if patch is None else f", in windows of {patch}"
    return f"{kind}, {brought}{windows} (height x width)"


def _output(run: RunFolder) -> str | None:
    """The classes, and how the newest evaluation decides between them."""
    names = foreground(run)
    if not names:
        return None
    configured = run.get("threshold")
    latest = next((r for r in reversed(run.results) if r.of_best), None)
    threshold = configured if latest is None else latest.facts.get("threshold", configured)
    tuned = [] if latest is None else latest.tuned(configured)
    after = f"; tuned on validation: {'; '.join(tuned)}" if tuned else ""
    above = threshold_text(threshold)
    if len(names) > 1 and run.get("dataset.overlap"):
        each = f", each above a probability of {above}" if above else ""
        return f"{len(names)} classes that may share pixels{each}: {', '.join(names)}{after}"
    if len(names) > 1:
        return f"{len(names)} classes and background, the likeliest: {', '.join(names)}{after}"
    above = f", foreground above a probability of {above}" if above else ""
    return f"one class, {names[0]}{above}{after}"


def _call(node: Any) -> str:
    """A part of the configuration as the call that it stands for: `AdamW(lr=0.001)`."""
    if isinstance(node, Mapping):
        keys = [k for k in node if k not in ("_target_", "_partial_")]
        arguments = ", ".join(f"{key}={_call(node[key])}" for key in keys)
        if "_target_" not in node:
            return f"{{{arguments}}}"
        return f"{str(node['_target_']).rpartition('.')[2]}({arguments})"
    if isinstance(node, list):
        return f"[{', '.join(map(_call, node))}]"
    return "none" if node is None else as_text(node)


def _groups(run: RunFolder) -> str | None:
    """Whether patients or videos were known and kept in one split."""
    if run.split is None:
        return None
    if (
        run.split.has_groups
        and not run.split.groups_in_two_splits
        and run.get("dataset.split.by") != "file"
    ):
        return "known, and kept in one split"
    return "unknown, or not kept in one split"


def _figures(result: Result) -> tuple[list[str], list[list[str]]]:
    """The heads and the rows of a result's table: a column for each of several classes."""
    classes = list(result.classes) if len(result.classes) > 1 else []
    names = [name for name in FIGURES if name in result.metrics] or list(result.metrics)
    columns = [result.metrics, *(result.classes[name] for name in classes)]
    rows = [
        [name, *(interval(*column[name]) if name in column else "-" for column in columns)]
        for name in names
    ]
    return ["figure", "all classes" if classes else "value (95 %)", *classes], rows
