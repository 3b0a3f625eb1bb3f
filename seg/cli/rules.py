"""The values that the keys of each command may have, where no signature says it."""

from typing import Any

from seg.cli.rule import (
    Rule,
    count,
    number,
    one_of,
    or_list,
    or_null,
    path,
    positive,
    share,
    text,
)


def _is_size(value: Any) -> bool:
    sides = value if isinstance(value, list) and len(value) == 2 else [value]
    return all(map(count(1).allows, sides))


def _is_window(value: Any) -> bool:
    if not isinstance(value, list):
        return value in (None, "percentile")
    return len(value) == 2 and all(map(number("").allows, value)) and value[0] < value[1]


def _amounts(rule: Rule) -> Rule:
    """Of a corruption, by strength."""
    return Rule(
        lambda v: isinstance(v, list) and all(map(rule.allows, v)), f"a list, each {rule.wanted}"
    )


def _is_part(value: float) -> bool:
    return 0 <= value < 1 or value == int(value) > 0


FLAG = one_of(True, False)
FIGURES = or_null(or_list(one_of("pdf", "svg", "png")))
SIZE = Rule(_is_size, "a side in pixels, or [height, width]")
SPLIT = one_of("train", "val", "test")
URL = text("http(s)://...", "https?://.*")
NAME = Rule(lambda v: path().allows(v) and ".." not in v, "the name of a folder")
PROBABILITY = number("a probability between 0 and 1", lambda v: 0 < v < 1)
PRECISIONS = ("auto", "32", "32-true", "bf16-mixed", "16-mixed", "bf16-true", "64", "64-true")
CHECKPOINTS = ("top_k", "every_steps", "weights")

_DEVICE = {
    "trainer.accelerator": one_of("auto", "cpu", "gpu", "cuda", "mps"),
    "trainer.precision": Rule(lambda v: str(v) in PRECISIONS, f"one of {', '.join(PRECISIONS)}"),
}
_PART = number("a share above 0, up to 1", lambda v: 0 < v <= 1)
_MODEL_FILE = {
    "run": path("one run folder; seg.predict takes several"),
    "checkpoint": path("best, last, or a checkpoint's path"),
    "trust": or_list(path("a package"), least=0),
}
_RUNS = or_list(path("a run folder, a folder of runs, a glob"))
_DATASETS = Rule(lambda v: v is None or isinstance(v, str | list | dict), "a list of data sets")
DATASET = {
    "dataset.root": path(),
    "dataset.name": NAME,
    "dataset.cache_dir": path(),
    "dataset.image_size": or_null(SIZE),
    "dataset.patch_size": or_null(SIZE),
    "dataset.patch_foreground": number("a share from 0 to 1", lambda value: 0 <= value <= 1),
    "dataset.patches_per_image": Rule(
        lambda v: v == "auto" or count(1).allows(v), "auto, or a count from 1"),
    "dataset.sampling": one_of("uniform", "foreground"),
    "dataset.sampling_foreground": _PART,
    "dataset.channels": count(1, "a count from 1: 1 (grey), 3 (RGB), or those of the files"),
    "dataset.batch_size": count(1),
    "dataset.num_workers": Rule(
        lambda v: v == "auto" or count(0).allows(v), "auto, or a count from 0"),
    "dataset.window": Rule(_is_window, "null, percentile, or [low, high] in stored units"),
    "dataset.overlap": FLAG,
    "dataset.mask_threshold": or_null(positive("a stored mask value above 0")),
    "dataset.axis": one_of(0, 1, 2),
    "dataset.recursive": FLAG,
    "dataset.missing_masks": one_of("error", "empty"),
    "dataset.exclude": or_null(or_list(text("a glob of files, relative to the root"))),
    "dataset.normalize": one_of("auto", "unit", "dataset", "image"),
    "dataset.url": or_null(URL),
    "dataset.mirrors": Rule(
        lambda v: isinstance(v, list) and all(map(URL.allows, v)), "a list of http(s)://..."),
    "dataset.sha256": or_null(text("64 hex digits", "[0-9a-fA-F]{64}")),
    "dataset.split.by": one_of("group", "file"),
    "dataset.split.duplicates": one_of("together", "ignore"),
    "dataset.split.val": number("a fraction or a count, above 0", lambda v: v and _is_part(v)),
    "dataset.split.test": number("a fraction or a count, from 0", _is_part),
    "dataset.split.folds": or_null(count(2, "a count from 2")),
    "dataset.split.fold": or_null(count(0, "a count from 0")),
    "dataset.split.seed": count(0),
}  # fmt: skip
STAGE = {  # of a training; further stages have the same keys below stages.NAME
    "optimizer.lr": number("a number from 0", lambda v: v >= 0),
    "optimizer.weight_decay": number("a number from 0", lambda v: v >= 0),
    "optimizer.encoder_lr_scale": positive("a factor above 0"),
    "optimizer.decay_norms_and_biases": FLAG,
    "scheduler.warmup": share(),
    "scheduler.final": number("a share from 0 to 1", lambda v: 0 <= v <= 1),
    "scheduler.power": positive(),
}
_VIEWS = {"tta": one_of(True, False, "flips", "d4"), "tta_check": FLAG}
_PREDICTION = _VIEWS | {
    "run": or_list(path("a run folder")),
    "threshold": or_null(or_list(PROBABILITY)),
    "postprocess": FLAG,
    "tile": Rule(
        lambda v: v in (None, "auto") or count(16).allows(v), "auto, null, or pixels, at least 16"
    ),
    "scale": or_null(number("a factor up to 8", lambda v: 0 < v <= 8)),
    "overlap": number("a share from 0 to 0.75", lambda v: 0 <= v <= 0.75),
    "axis": one_of(None, 0, 1, 2),
    "batch_size": count(1),
}
RULES: dict[str, dict[str, Rule]] = {
    "train": DATASET | STAGE | _DEVICE | {
        "name": NAME,
        "seed": Rule(
            lambda v: type(v) is int and 0 <= v < 2**32, "a whole number from 0, below 2^32"),
        "output_dir": path(),
        "resume": or_null(path("auto, or a run folder")),
        "init_from": or_null(path("a checkpoint or a run folder")),
        "init_from_partial": FLAG,
        "threshold": PROBABILITY,
        "early_stopping": or_null(count(1, "epochs of patience")),
        "ema": Rule(lambda v: v is None or isinstance(v, dict), "null, or {decay: 0.999}"),
        "ema.decay": or_null(number("a number between 0 and 1", lambda v: 0 < v < 1)),
        "schedule_epochs": or_null(count(1, "a count of epochs from 1")),
        "checkpoints": Rule(
            lambda v: isinstance(v, dict) and v.keys() >= set(CHECKPOINTS), ", ".join(CHECKPOINTS)),
        "checkpoints.top_k": count(1, "a count of epochs from 1"),
        "checkpoints.every_steps": or_null(count(1, "a count of optimizer steps from 1")),
        "checkpoints.weights": one_of("pth", "safetensors"),
        "figures": FIGURES,
        "panels_every": count(1, "a number of epochs, at least 1"),
        "model.width": count(1),
        "model.depth": count(1),
        "model.dropout": share(),
        "model.deep_supervision": FLAG,
        "model.freeze_encoder_epochs": count(0),
        "model.frozen_stages": Rule(lambda v: v in range(8), "a count from 0 to 7"),
        "trainer.max_epochs": count(1),
        "trainer.devices": Rule(
            lambda v: v in ("auto", -1) or isinstance(v, list) or count(1).allows(v),
            "a count from 1"),
        "trainer.num_nodes": count(1),
        "trainer.accumulate_grad_batches": count(1),
        "trainer.gradient_clip_val": or_null(positive("a norm above 0")),
        "trainer.check_val_every_n_epoch": number("1: every epoch is validated", lambda v: v == 1),
        "trainer.val_check_interval": number("1.0: every epoch is validated", lambda v: v == 1),
        "trainer.limit_val_batches": number("1.0: all validation cases count", lambda v: v == 1),
        "trainer.limit_test_batches": number("1.0: all test cases count", lambda v: v == 1),
        "trainer.gradient_clip_algorithm": one_of("norm", "value"),
        "trainer.compile": one_of(True, False, "auto"),
        "stages": Rule(
            lambda v: isinstance(v, dict), "{NAME: {loss: ..., optimizer: ..., scheduler: ..., "
            "max_epochs: ...}}"),
    },
    "evaluate": _MODEL_FILE | _DEVICE | _VIEWS | {
        "run": or_null(path("one run folder; runs=GLOB takes several")),
        "runs": or_null(_RUNS),
        "datasets": _DATASETS,
        "again": FLAG,
        "split": SPLIT,
        "dataset.root": or_null(path()),
        "tune": FLAG,
        "tolerance": number("a distance from 0", lambda v: v >= 0),
        "batch_size": count(1),
        "output": or_null(path()),
        "output_dir": path(),
        "figures": FIGURES,
        "protocol.robustness.blur": _amounts(_PART),
        "protocol.robustness.noise": _amounts(_PART),
        "protocol.robustness.jpeg": _amounts(
            Rule(lambda v: type(v) is int and 1 <= v <= 100, "a quality from 1 to 100")),
        "protocol.robustness.brightness": _amounts(positive("a factor above 0")),
        "protocol.robustness.scale": _amounts(positive("a factor above 0")),
        "protocol.robustness.rotation": _amounts(
            number("an angle above 0, up to 180", lambda v: 0 < v <= 180)),
    },
    "predict": _MODEL_FILE | _DEVICE | _PREDICTION | {
        "input": or_list(path("an image, a folder, a glob, a CSV")),
        "output": path(),
        "recursive": FLAG,
        "root": or_null(path()),
        "values": one_of("index", 255, "palette"),
        "probabilities": one_of(None, "png16", "npy"),
        "overlays": FLAG,
        "figures": FIGURES,
        "contact_sheet": FLAG,
    },
    "demo": _MODEL_FILE | _PREDICTION | {
        "host": path("an address of this machine"),
        "port": Rule(lambda v: count(0).allows(v) and v < 65536, "a port from 0 to 65535"),
        "device": _DEVICE["trainer.accelerator"],
    },
    "export": _MODEL_FILE | {
        "format": one_of("onnx", "pt2", "safetensors", "pth"),
        "output": or_null(path("a file")),
        "overwrite": FLAG,
        "int8": one_of(True, False, "dynamic", "static"),
        "split": SPLIT,
        "images": or_null(path()),
        "count": count(1),
        "dataset.root": or_null(path()),
    },
    "prepare": DATASET | {
        "name": NAME,
        "output_dir": path(),
        "plan": or_null(text("the name of an experiment: letters, digits, _ - .", r"\w[\w.-]*")),
        "minutes": positive("minutes of training, above 0"),
        "figures": FIGURES,
        "against": or_null(path()),
        "clear_cache": FLAG,
    },
    "compare": {
        "runs": _RUNS,
        "datasets": _DATASETS,
        "metric": path("the name of a figure"),
        "output": path(),
        "source": text("test or evaluate/NAME", "test|evaluate/[^/]+"),
        "test": one_of("permutation", "wilcoxon"),
        "common": FLAG,
        "figure": one_of(None, "cases"),
        "cases": Rule(
            lambda v: count(1).allows(v) or isinstance(v, list) and v and all(
                isinstance(name, str) for name in v), "a count from 1, or a list of names"),
        "root": or_null(path()),
        "trust": or_list(path("a package"), least=0),
        "figures": FIGURES,
    },
}  # fmt: skip
MUST_EXIST = {  # keys of files or folders that are read; null and auto name none
    "train": ("init_from", "resume"), "evaluate": ("run",), "predict": ("run",), "export": ("run",),
    "prepare": ("against",), "compare": (), "demo": ("run",),
}  # fmt: skip
