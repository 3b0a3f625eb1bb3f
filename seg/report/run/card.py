"""model_card.md: what the run tells of its network, under the headings that readers look for.

Mitchell et al. 2019, arXiv:1810.03993. The header is YAML, as Hugging Face's hub reads it. What the
run folder does not tell stands there as not stated; the author fills it in.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from seg.comparison.configurations import text
from seg.report.comparison.files import escaped
from seg.report.comparison.text import number
from seg.report.run import data, environment, repeat
from seg.report.run import text as words
from seg.report.run.reading import Report
from seg.runs.results import Interval, Result

FIGURES = (
    "dice", "iou", "dice_positive", "dice_pooled", "dice_group", "precision", "recall",
    "specificity", "hd95", "nsd", "lesion_f1", "ece", "ap",
)  # fmt: skip
PARTS = ("model", "loss", "optimizer", "scheduler", "augmentation")
AUTHOR = f"*{words.UNSTATED}: for the author to fill in.*"
# Of the machine that trained it: of no use to others, and not theirs to know.
PRIVATE = ("host", "pid", "command", "status")


def card(report: Report) -> str:
    """The whole card."""
    evidence = report.evidence
    best = report.evidence.best_epoch
    blocks = [
        _header(report),
        f"# {escaped(evidence.name)}",
        escaped(words.verdict(evidence, report.headline)),
        *_details(report, best),
        *_use(report),
        *_factors(report),
        *_metrics(report),
        *_evaluation_data(report),
        *_training_data(report),
        *_analyses(report),
        *_ethics(),
        *_caveats(report),
        *_how_to_use(),
    ]
    return "\n\n".join(blocks) + "\n"


def _header(report: Report) -> str:
    """Between dashes; a comment stands where the author must decide."""
    evidence = report.evidence
    content: dict[str, Any] = {
        "library_name": "seg",
        "pipeline_tag": "image-segmentation",
        "tags": ["medical-imaging", "image-segmentation", "pytorch"],
    }
    found = report.headline
    if found is not None:
        value = round(found.figure.value, 6)
        content["model-index"] = [{
            "name": evidence.name,
            "results": [{
                "task": {"type": "image-segmentation"},
                "dataset": {"name": words.data_name(evidence), "type": "other",
                            "split": found.result.split},
                "metrics": [{"type": found.metric, "value": value,
                             "name": f"{found.metric}, at {found.result.resolution}"}],
            }],
        }]  # fmt: skip
    said = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    return f"---\n# license: {words.UNSTATED}; the author states it here\n{said}---"


def _details(report: Report, best: int | None) -> Iterable[str]:
    evidence = report.evidence
    known = {k: v for k, v in environment.facts(evidence).items() if k not in PRIVATE}
    rows = {
        "architecture": words.part(evidence, "model"),
        "input": _input(report),
        "output": _output(report),
        "weights of epoch": best,
        "licence": None,
        "authors, contact": None,
        **known,
    }
    yield "## Model details"
    yield _table(("", ""), ((k, v or None) for k, v in rows.items()))
    yield "Trained with:"
    yield _list(
        f"{part}: {_call(evidence.config[part]) if part in evidence.config else words.UNSTATED}"
        for part in PARTS
    )


def _input(report: Report) -> str | None:
    evidence = report.evidence
    size, channels = evidence.get("dataset.image_size"), evidence.get("dataset.channels")
    if not isinstance(size, int | list) or not isinstance(channels, int):
        return None
    side = size if isinstance(size, list) else [size, size]
    kind = {1: "grey", 3: "RGB"}.get(channels, f"{channels} channels")
    return f"{kind}, brought to {'x'.join(map(str, side))} (height x width)"


def _output(report: Report) -> str | None:
    names = words.class_names(report.evidence)
    if not names:
        return None
    configured = report.evidence.get("threshold")
    latest = next((r for r in reversed(report.evidence.results) if r.of_best), None)
    used = configured if latest is None else latest.facts.get("threshold", configured)
    tuned = latest.tuned(configured) if latest is not None else []
    after = f"; tuned on validation: {'; '.join(tuned)}" if tuned else ""
    if len(names) == 1:
        known = isinstance(used, float | int)
        at = f", foreground above a probability of {used:g}" if known else ""
        return f"one class, {names[0]}{at}{after}"
    return f"{len(names)} classes and background, the likeliest: {', '.join(names)}{after}"


def _call(node: Any) -> str:
    """A part of the configuration as the call that it stands for: `AdamW(lr=0.001)`."""
    if isinstance(node, Mapping):
        said = [f"{k}={_call(v)}" for k, v in node.items() if k not in ("_target_", "_partial_")]
        if "_target_" not in node:
            return f"{{{', '.join(said)}}}"
        return f"{str(node['_target_']).rpartition('.')[2]}({', '.join(said)})"
    if isinstance(node, list):
        return f"[{', '.join(map(_call, node))}]"
    return "none" if node is None else text(node)


def _use(report: Report) -> Iterable[str]:
    names = ", ".join(words.class_names(report.evidence)) or words.UNSTATED
    yield "## Intended use"
    yield (
        f"Outlines {escaped(names)} in 2-D images like those of its training data. Intended "
        f"users and setting: {AUTHOR}"
    )
    yield (
        "**Not a medical device.** It has not been cleared or tested for diagnosis, and its masks "
        "must not be used for the care of patients. Images of another kind, scanner, site or "
        "population than the training's are out of scope until it has been tested on them."
    )


def _factors(report: Report) -> Iterable[str]:
    """What the run could tell apart, and what it could not."""
    known = report.evidence.allocation
    yield "## Factors"
    yield _list([
        "classes: figures by class stand below" if len(words.class_names(report.evidence)) > 1
        else "classes: there is one",
        "patients or videos: " + (
            words.UNSTATED if known is None
            else "known, and kept in one split" if known.grouped and not known.parted_groups
            and report.evidence.get("dataset.split.by") != "file"
            else "unknown, or not kept in one split"
        ),
        f"age, sex, ethnicity, site, device, acquisition: {words.UNSTATED}; the figures are not "
        "broken down by them",
    ])  # fmt: skip


def _metrics(report: Report) -> Iterable[str]:
    yield "## Metrics"
    yield _list([
        "dice, iou, precision, recall, specificity: mean over images; an empty mask that is "
        "predicted empty scores 1, one of the two empty 0",
        "_positive: over images whose reference has foreground; _pooled: all pixels together; "
        "_group: mean over groups",
        "several classes: the mean of the classes, without background",
        "intervals: 95 %, percentile bootstrap, 1000 resamples of whole groups",
    ])  # fmt: skip


def _evaluation_data(report: Report) -> Iterable[str]:
    results = report.evidence.results
    yield "## Evaluation data"
    if not results:
        yield f"No test: {words.UNSTATED}."
        return
    yield _list(
        f"{result.name}: {words.scored(report.evidence, result)}, at {result.resolution}"
        for result in results
    )


def _training_data(report: Report) -> Iterable[str]:
    yield "## Training data"
    known = data.facts(report.evidence)
    yield _table(("", ""), ((k, v) for k, v in known.items() if k != "split drawn"))
    yield f"Origin, consent, licence and annotation of the images: {AUTHOR}"


def _analyses(report: Report) -> Iterable[str]:
    results = report.evidence.results
    yield "## Quantitative analyses"
    if not results:
        yield f"No test figures: {words.UNSTATED}."
        return
    for result in results:
        yield f"### {escaped(result.name)}, at {result.resolution}"
        yield _figures(result)
    if len(results) > 1:
        yield (
            "The tables above are different measurements, of other images or at another "
            "resolution: they are not to be compared with each other."
        )


def _figures(result: Result) -> str:
    names = [n for n in FIGURES if n in result.metrics]
    names = names or list(result.metrics)
    several = list(result.classes) if len(result.classes) > 1 else []
    rows = [
        (n, _value(result.metrics[n]), *(_value(result.classes[c].get(n)) for c in several))
        for n in names
    ]
    return _table(("figure", "all classes" if several else "value (95 %)", *several), rows)


def _value(figure: Interval | None) -> str:
    if figure is None:
        return "-"
    if not (math.isfinite(figure.low) and math.isfinite(figure.high)):
        return number(figure.value)
    return f"{number(figure.value)} ({number(figure.low)} to {number(figure.high)})"


def _ethics() -> Iterable[str]:
    yield "## Ethical considerations"
    yield _list([
        "Medical images are personal data. Whether those of the training may be used, and under "
        f"which terms the weights may be passed on: {words.UNSTATED}.",
        "Whether the network serves all groups of people equally has not been measured.",
        "A mask looks equally sure where it is wrong. Somebody who can read the image must see it.",
    ])  # fmt: skip


def _caveats(report: Report) -> Iterable[str]:
    yield "## Caveats and recommendations"
    said = [
        f"**{escaped(c.kind)}**: {escaped(c.text)}{f' Mend: {escaped(c.mend)}.' if c.mend else ''}"
        for c in report.caveats
    ]
    shown = [
        "What the figures do not show: how the network does on images of other sites, devices or "
        "populations; whether its masks help anybody; how far two readers would agree.",
        *said,
    ]
    yield "\n".join(f"- {line}" for line in shown)


def _how_to_use() -> Iterable[str]:
    commands = repeat.commands("RUN")
    wanted = ("segment images", "score it at the masks' own size", "export it", "train it again")
    lines = [line for what in wanted for line in (f"# {what}", commands[what])]
    yield "## How to use"
    yield "RUN is the run folder; its checkpoints carry preprocessing, classes and threshold."
    yield "\n".join(["```sh", *lines, "```"])
    yield (
        "The exported ONNX file needs no `seg`: `python -m seg.predict run=model.onnx` takes it, "
        "and so does onnxruntime alone."
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(map(escaped, head))} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return words.UNSTATED if value is None or value == "" else escaped(str(value))


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {escaped(line)}" for line in lines)
