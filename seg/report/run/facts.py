"""What a run folder tells of data, environment and choices, as names with values; None where it
does not tell.
"""

import math
import shlex
from pathlib import Path
from typing import Any

from seg.comparison.configurations import as_text
from seg.data.split.draw import SPLITS
from seg.report.run import sentences
from seg.report.text import counted
from seg.runs.folder import RunFolder
from seg.runs.split_table import SplitTable


def data(run: RunFolder, audit: dict[str, Any] | None) -> dict[str, Any]:
    """The data set and its split; sizes and near-duplicates only from an audit."""
    names = sentences.foreground(run)
    shared = " (may share pixels)" if run.get("dataset.overlap") and len(names) > 1 else ""
    rows: dict[str, Any] = {
        "data set": sentences.data_name(run),
        "classes": (", ".join(names) + shared) or None,
        "size in training": sentences.training_size(run),
        "patches in training": _patches(run),
        "cases of an epoch": _sampling(run),
    }
    for split in SPLITS:
        rows[f"{split} split"] = None if run.split is None else _counts(run.split, split)
    if run.split is not None:
        known = run.split.has_groups
        rows["groups"] = "known" if known else "unknown: every file is one of its own"
        rows["split fingerprint"] = run.split.fingerprint
        parted = len(sentences.parted_duplicates(run))
        rows["byte-equal images"] = counted(len(run.split.equal_images), "pair") + (
            f", {parted} of them in two splits" if parted else ""
        )
    drawn = run.get("dataset.split")
    rows["split drawn"] = _drawn(drawn) if isinstance(drawn, dict) and drawn else None
    return rows | ({} if audit is None else _audited(audit))


def _patches(run: RunFolder) -> str | None:
    size, count = sentences.sides(run, "patch_size"), run.get("dataset.patches_per_image")
    if size is None:
        return None
    each = "as many as cover an image" if count == "auto" else f"{count} of each image"
    share = run.get("dataset.patch_foreground")
    return f"{size}, {each} in an epoch, {share:.0%} of them around foreground"


def _sampling(run: RunFolder) -> str | None:
    if run.get("dataset.sampling") != "foreground":
        return None
    return f"at least {run.get('dataset.sampling_foreground'):.0%} with foreground"


def _counts(split: SplitTable, name: str) -> str:
    count = counted(split.cases[name], "case")
    return f"{count}, {counted(split.groups[name], 'group')}" if split.has_groups else count


def _drawn(split: dict[str, Any]) -> str:
    if split.get("file"):
        return f"given: {split['file']}"
    how = f"by {split.get('by')}, seed {split.get('seed')}"
    if split.get("fold") is not None:
        return f"{how}, fold {split['fold']} of {split.get('folds')}"
    return f"{how}, val {split.get('val')}, test {split.get('test')}"


def _audited(audit: dict[str, Any]) -> dict[str, Any]:
    masks, empty = audit.get("masks"), audit.get("empty")
    return {
        "width of the images": _span(audit.get("width")),
        "height of the images": _span(audit.get("height")),
        "empty masks": None if empty is None or not masks else f"{empty} of {masks}",
        "near-duplicates": counted(len(audit["near_duplicates"]), "pair"),
    }


def _span(ends: dict[str, float] | None) -> str | None:
    if ends is None:
        return None
    if ends["min"] == ends["max"]:
        return f"{ends['min']:g}, all of them"
    return f"{ends['min']:g} to {ends['max']:g}, median {ends['median']:g}"


def environment(run: RunFolder) -> dict[str, Any]:
    """With what the run was made, by run.json."""
    versions = run.facts.get("versions")
    rows: dict[str, Any] = {
        "status": sentences.status(run),
        "started": run.facts.get("started"),
        "took": _duration(run.facts.get("seconds")),
        "processor time": _duration(run.facts.get("cpu_seconds")),
        "device": run.facts.get("device"),
        "seed": run.get("seed", run.facts.get("seed")),
        "git commit": run.facts.get("git_commit"),
    }
    if isinstance(versions, dict):
        rows |= {str(name): version for name, version in versions.items()}
    return rows


def _duration(seconds: Any) -> str | None:
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return None
    if seconds < 120:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def choices(run: RunFolder) -> list[tuple[str, str, str]]:
    """(key, value on the command line, value in the configuration) of what the command in run.json
    sets. All other keys have their defaults.
    """
    try:
        words = shlex.split(str(run.facts.get("command") or ""))
    except ValueError:  # a quote without its other one
        return []
    rows = []
    for word in words:
        key, equals, value = word.partition("=")
        key = key.lstrip("+~")
        if equals and not key.startswith("-"):
            rows.append((key, value, _configured(run.get(key))))
    return rows


def _configured(node: Any) -> str:
    if isinstance(node, dict) and node.get("_target_"):
        return str(node["_target_"])
    return "" if node is None else as_text(node)


def commands(run: Path | str) -> dict[str, str]:
    """What for, and the command. run: the run folder, or a word that stands for it."""
    folder, key = shlex.quote(str(run)), shlex.quote(f"run={run}")
    return {
        "train it again": f"python -m seg.train --config-path {folder} --config-name config",
        "score it at the masks' own size": f"python -m seg.evaluate {key} protocol=all",
        "segment images": f"python -m seg.predict {key} input=IMAGES output=MASKS",
        "export it": f"python -m seg.export {key} format=onnx",
        "compare it with others": f"python -m seg.compare {shlex.quote(f'runs=[{run},OTHER_RUN]')}",
    }
