"""The run in sentences: what was trained on what, and what that gave; no more than is known."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from seg.report.text import UNSTATED, counted, interval
from seg.runs.folder import UNSTARTED, RunFolder
from seg.runs.results import Interval, Result


class Headline(NamedTuple):
    """The figure that stands for the run, such as `dice/polyp` of the test."""

    metric: str
    figure: Interval
    result: Result


def verdict(run: RunFolder, headline: Headline | None) -> str:
    """The report in a sentence or two."""
    ending = status(run)
    if ending == "finished":
        if headline is None:
            return f"{_training(run)}. No test figures."
        return f"{_training(run)}: {_scores(run, headline)}"
    phrases = {"running": "has not finished", "unknown": "cannot be told how it ended"}
    start = f"{run.name}: {phrases.get(ending, ending)}{f' ({error(run)})' if error(run) else ''}"
    if headline is not None:
        return f"{start}. {_scores(run, headline)}"
    best = best_validation(run)
    return f"{start}. No test figures.{f' Until then, {best}.' if best else ''}"


def status(run: RunFolder) -> str:
    """The status in run.json; without that file it is `unknown`, since others may be there."""
    return "unknown" if run.status == UNSTARTED else run.status


def error(run: RunFolder) -> str:
    """Why the run failed, on one line; "" if run.json does not say."""
    return " ".join(str(run.facts.get("error") or "").split())


def best_validation(run: RunFolder) -> str:
    """`the best validation Dice was 0.8123, in epoch 12`; "" where there was none."""
    row = next((r for r in run.epochs if r["epoch"] == run.best_epoch), None)
    if row is None or not isinstance(row.get("val/dice"), float):
        return ""
    return f"the best validation Dice was {row['val/dice']:.4f}, in epoch {int(row['epoch'])}"


def scored_on(run: RunFolder, result: Result) -> str:
    """The cases of a result, and how far they are known to be apart from the training."""
    count = counted(result.cases, "case")
    if result.groups < result.cases:
        count += f" of {counted(result.groups, 'group')}"
    if result.split not in ("test", "val", "train"):
        return f"{count} of another data set"
    if result.split != "test":
        return f"{count} of its own {result.split} split"
    if run.split is None or parted_duplicates(run) or run.split.groups_in_two_splits:
        return f"{count} of its test split"
    if run.split.has_groups and run.get("dataset.split.by") != "file":
        return f"{count}, none of these groups seen in training"
    return f"{count} not seen in training (whether their patients were is unknown)"


def parted_duplicates(run: RunFolder) -> list[tuple[str, str]]:
    """Byte-equal images in two splits. A training that parts none leaves only blank ones there."""
    if run.split is None or run.get("dataset.split.duplicates") == "together":
        return []
    return run.split.equal_in_two_splits


def data_name(run: RunFolder) -> str:
    """The data set by its name; of an earlier version by that of its folder, else of its source."""
    root = run.get("dataset.root")
    folder = PurePath(root.replace("\\", "/")).name if isinstance(root, str) else ""
    return run.get("dataset.name") or folder or class_of(run.get("dataset")) or UNSTATED


def sides(run: RunFolder, key: str) -> str | None:
    """A size of `dataset` as `height x width`; None where there is none."""
    size = run.get(f"dataset.{key}")
    size = [size, size] if isinstance(size, int) else size
    return "x".join(map(str, size)) if isinstance(size, list) else None


def training_size(run: RunFolder) -> str | None:
    """What the images are brought to in training."""
    patches = sides(run, "patch_size") is not None
    return sides(run, "image_size") or ("their own" if patches else None)


def foreground(run: RunFolder) -> list[str]:
    """The names of the foreground classes; none where nothing tells."""
    classes = run.get("dataset.classes")
    if isinstance(classes, Mapping):
        return [str(name) for name in classes]
    return list(run.results[0].classes) if run.results else []


def part(run: RunFolder, key: str) -> str:
    """A part of the run by its class, such as `AdamW`; a sum of losses by those of its terms."""
    node = run.get(key)
    terms = node.get("terms") if isinstance(node, Mapping) else None
    if isinstance(terms, Mapping) and all(map(class_of, terms.values())):
        return " + ".join(map(class_of, terms.values()))
    return class_of(node) or UNSTATED


def class_of(node: Any) -> str:
    """The class that a node of the configuration builds, without its module; "" if none."""
    target = node.get("_target_") if isinstance(node, Mapping) else None
    return str(target).rpartition(".")[2] if target else ""


def _training(run: RunFolder) -> str:
    epochs = counted(len(run.epochs), "epoch") if run.epochs else "an unknown time"
    cases = "an unknown number of cases"
    if run.split is not None:
        cases = counted(run.split.cases["train"], "case")
        cases += (
            f" of {counted(run.split.groups['train'], 'group')}" if run.split.has_groups else ""
        )
    return (
        f"{part(run, 'model')} trained for {epochs} with {part(run, 'loss')} and "
        f"{part(run, 'optimizer')} on {cases} of {data_name(run)}"
    )


def _scores(run: RunFolder, headline: Headline) -> str:
    metric, figure, result = headline
    scores = (
        f"{result.split} {metric} {interval(*figure, name='95 % ')} on "
        f"{scored_on(run, result)}, at {result.resolution}."
    )
    own_size = [
        r for r in run.evaluations if r.split == result.split and r.size is None and r.of_best
    ]
    if result.name == "test" and own_size and metric in own_size[0].metrics:
        tuned = own_size[0].tuned(run.get("threshold"))
        how = ", tuned on the validation cases" if tuned else ""
        own = interval(*own_size[0].metrics[metric], name="95 % ")
        scores += f" At the masks' own size{how}: {own}."
    return scores
