"""What the values of a configuration may be, where a signature cannot say it."""

import math
import re
from collections.abc import Callable
from typing import Any

PRECISIONS = ("auto", "32", "32-true", "bf16-mixed", "16-mixed", "bf16-true", "64", "64-true")

CHECKPOINTS = {"top_k", "every_steps", "weights"}


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_share(value: Any) -> bool:
    return is_number(value) and value >= 0 and (value < 1 or value == int(value))


def is_window(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) == 2 and all(map(is_number, value)) and value[0] < value[1]
    return value in (None, "percentile")


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def _is_size(value: Any) -> bool:
    sides = value if isinstance(value, list) else [value]
    return len(sides) == (2 if isinstance(value, list) else 1) and all(
        is_count(s, 1) for s in sides
    )


# What signatures cannot say: key, test, and what is wanted.
RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "seed": (lambda v: is_count(v, 0) and v < 2**32, "a whole number from 0, below 2^32"),
    "name": (lambda v: isinstance(v, str) and v and ".." not in v, "the name of a folder"),
    "output_dir": (lambda v: isinstance(v, str) and v != "", "a folder"),
    "dataset.root": (lambda v: isinstance(v, str) and v != "", "a folder"),
    "dataset.cache_dir": (lambda v: isinstance(v, str) and v != "", "a folder"),
    "plan": (
        lambda v: v is None or (isinstance(v, str) and re.fullmatch(r"\w[\w.-]*", v)),
        "null, or the name of an experiment: letters, digits, _ - ."),
    "minutes": (lambda v: is_number(v) and v > 0, "minutes of training, above 0"),
    "clear_cache": (lambda v: isinstance(v, bool), "true or false"),
    "runs": (
        lambda v: all(isinstance(x, str) and x for x in (v if isinstance(v, list) else [v])) and v,
        "a run folder, a folder of runs, a glob, or a list of them"),
    "metric": (lambda v: isinstance(v, str) and v != "", "the name of a figure"),
    "source": (
        lambda v: isinstance(v, str) and re.fullmatch(r"test|evaluate/[^/]+", v),
        "test or evaluate/NAME"),
    "test": (lambda v: v in ("permutation", "wilcoxon"), "permutation or wilcoxon"),
    "common": (lambda v: isinstance(v, bool), "true or false"),
    "run": (
        lambda v: v and all(isinstance(x, str) and x for x in (v if isinstance(v, list) else [v])),
        "a run folder; for seg.predict also a list"),
    "input": (
        lambda v: v and all(isinstance(x, str) and x for x in (v if isinstance(v, list) else [v])),
        "an image, a folder, a glob, a CSV, or a list of them"),
    "recursive": (lambda v: isinstance(v, bool), "true or false"),
    "root": (lambda v: v is None or (isinstance(v, str) and v != ""), "null, or a folder"),
    "values": (
        lambda v: v in ("index", 255, "palette") and not isinstance(v, bool),
        "index, 255 or palette"),
    "probabilities": (lambda v: v in (None, "png16", "npy"), "null, png16 or npy"),
    "overlays": (lambda v: isinstance(v, bool), "true or false"),
    "contact_sheet": (lambda v: isinstance(v, bool), "true or false"),
    "postprocess": (lambda v: isinstance(v, bool), "true or false"),
    "tile": (
        lambda v: v in (None, "auto") or is_count(v, 16), "auto, null, or pixels, at least 16"),
    "scale": (lambda v: v is None or is_number(v) and 0 < v <= 8, "null, or a factor up to 8"),
    "overlap": (lambda v: is_number(v) and 0 <= v <= 0.75, "a share from 0 to 0.75"),
    "tta": (
        lambda v: isinstance(v, bool) or v in ("flips", "d4"), "true, false, flips or d4"),
    "axis": (lambda v: v is None or is_count(v, 0) and v <= 2, "null, 0, 1 or 2"),
    "checkpoint": (lambda v: isinstance(v, str) and v != "", "best, last, or a checkpoint's path"),
    "split": (lambda v: v in ("train", "val", "test"), "train, val or test"),
    "tune": (lambda v: isinstance(v, bool), "true or false"),
    "tolerance": (lambda v: is_number(v) and v >= 0, "a distance from 0"),
    "batch_size": (lambda v: is_count(v, 1), "a whole number from 1"),
    "trust": (
        lambda v: isinstance(v, str) or isinstance(v, list) and all(isinstance(p, str) for p in v),
        "a package, or a list of them"),
    "output": (
        lambda v: v is None or (isinstance(v, str) and v != ""),
        "null, or a folder; for seg.export a file"),
    "format": (
        lambda v: v in ("onnx", "pt2", "safetensors", "pth"), "onnx, pt2, safetensors or pth"),
    "overwrite": (lambda v: isinstance(v, bool), "true or false"),
    "int8": (
        lambda v: isinstance(v, bool) or v in ("dynamic", "static"),
        "true, false, dynamic or static"),
    "images": (lambda v: v is None or (isinstance(v, str) and v != ""), "null, or a folder"),
    "count": (lambda v: is_count(v, 1), "a whole number from 1"),
    "threshold": (lambda v: is_number(v) and 0 < v < 1, "a probability between 0 and 1"),
    "schedule_epochs": (lambda v: v is None or is_count(v, 1), "null, or a count of epochs from 1"),
    "checkpoints": (
        lambda v: isinstance(v, dict) and v.keys() >= CHECKPOINTS, "top_k, every_steps, weights"),
    "checkpoints.top_k": (lambda v: is_count(v, 1), "a count of epochs from 1"),
    "checkpoints.every_steps": (
        lambda v: v is None or is_count(v, 1), "null, or a count of optimizer steps from 1"),
    "checkpoints.weights": (lambda v: v in ("pth", "safetensors"), "pth or safetensors"),
    "panels_every": (lambda v: is_count(v, 1), "a number of epochs, at least 1"),
    "early_stopping": (lambda v: v is None or is_count(v, 1), "null, or epochs of patience"),
    "dataset.image_size": (_is_size, "a side in pixels, or [height, width]"),
    "dataset.channels": (lambda v: v in (1, 3), "1 (grey) or 3 (RGB)"),
    "dataset.batch_size": (lambda v: is_count(v, 1), "a whole number from 1"),
    "dataset.num_workers": (lambda v: v == "auto" or is_count(v, 0), "auto, or a count from 0"),
    "dataset.window": (is_window, "null, percentile, or [low, high] in stored units"),
    "dataset.axis": (lambda v: v in (0, 1, 2), "0, 1 or 2"),
    "dataset.sha256": (
        lambda v: v is None or (isinstance(v, str) and re.fullmatch("[0-9a-fA-F]{64}", v)),
        "null, or 64 hex digits"),
    "dataset.url": (lambda v: v is None or _is_url(v), "null, or http(s)://..."),
    "dataset.mirrors": (
        lambda v: isinstance(v, list) and all(map(_is_url, v)), "a list of http(s)://..."),
    "dataset.normalize": (lambda v: v in ("unit", "dataset", "image"), "unit, dataset or image"),
    "dataset.split.by": (lambda v: v in ("group", "file"), "group or file"),
    "dataset.split.duplicates": (lambda v: v in ("together", "ignore"), "together or ignore"),
    "dataset.split.val": (lambda v: is_share(v) and v > 0, "a fraction or a count, above 0"),
    "dataset.split.test": (is_share, "a fraction or a count, from 0"),
    "dataset.split.folds": (lambda v: v is None or is_count(v, 2), "null, or a count from 2"),
    "dataset.split.fold": (lambda v: v is None or is_count(v, 0), "null, or a count from 0"),
    "dataset.split.seed": (lambda v: is_count(v, 0), "a whole number from 0"),
    "optimizer.lr": (lambda v: is_number(v) and v >= 0, "a number from 0"),
    "optimizer.weight_decay": (lambda v: is_number(v) and v >= 0, "a number from 0"),
    "model.width": (lambda v: is_count(v, 1), "a whole number from 1"),
    "model.depth": (lambda v: is_count(v, 1), "a whole number from 1"),
    "model.dropout": (lambda v: is_number(v) and 0 <= v < 1, "a share from 0, below 1"),
    "loss.smooth": (lambda v: is_number(v) and v > 0, "a number of pixels above 0"),
    "loss.pos_weight": (lambda v: is_number(v) and v > 0, "a number above 0"),
    "scheduler.warmup": (lambda v: is_number(v) and 0 <= v < 1, "a share from 0, below 1"),
    "scheduler.final": (lambda v: is_number(v) and 0 <= v <= 1, "a share from 0 to 1"),
    "trainer.devices": (
        lambda v: v in ("auto", -1) or is_count(v, 1) or isinstance(v, list), "a count from 1"),
    "trainer.check_val_every_n_epoch": (lambda v: v == 1, "1: every epoch is validated"),
    "trainer.val_check_interval": (lambda v: v == 1.0, "1.0: every epoch is validated"),
    "trainer.limit_val_batches": (lambda v: v == 1.0, "1.0: all validation cases count"),
    "trainer.max_epochs": (lambda v: is_count(v, 1), "a whole number from 1"),
    "trainer.num_nodes": (lambda v: is_count(v, 1), "a whole number from 1"),
    "trainer.accumulate_grad_batches": (lambda v: is_count(v, 1), "a whole number from 1"),
    "trainer.gradient_clip_val": (
        lambda v: v is None or (is_number(v) and v > 0), "null, or a norm above 0"),
    "trainer.accelerator": (
        lambda v: v in ("auto", "cpu", "gpu", "cuda", "mps"), "auto, cpu, gpu, cuda or mps"),
    "trainer.precision": (
        lambda v: str(v) in PRECISIONS, f"one of {', '.join(PRECISIONS)}"),
}  # fmt: skip
