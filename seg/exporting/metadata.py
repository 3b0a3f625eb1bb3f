"""What an exported file says of itself: plain containers, kept in it as JSON under `seg`."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch

import seg
from seg.data.preprocess import Preprocessing
from seg.inference.load import digest
from seg.inference.model import LoadedModel

KEY = "seg"
VERSION = 1  # of the layout below
# Keys that name places on the machine of the training, or that only it needs.
PATHS = ("output_dir", "init_from", "resume")
DATA_PATHS = (
    "root",
    "cache_dir",
    "image_dir",
    "mask_dir",
    "annotations",
    "table",
    "url",
    "mirrors",
    "by_hand",
    "kaggle",
)


def of_graph(
    model: LoadedModel, preprocessing: Mapping[str, Any], *, any_batch: bool
) -> dict[str, Any]:
    """The metadata of a file that computes masks itself.

    Args:
        model: of the checkpoint.
        preprocessing: as the checkpoint stores it.
        any_batch: whether the file takes several images at once.
    """
    channels, files = model.preprocessing.channels, model.preprocessing.image_suffix
    of_channels = {1: "grey", 3: "RGB"}.get(channels, "channels in the order of the training's")
    if files:
        of_channels = f"the files {', '.join(files)} of a case, stacked"
    return {
        "version": VERSION,
        "classes": list(model.classes),
        "preprocessing": dict(preprocessing),
        "mask_values": model.preprocessing.classes,
        "overlap": model.overlap,
        "threshold": model.threshold,
        "postprocess": {step: list(names) for step, names in model.postprocess.items()},
        "inside": [
            *(["resizing"] if model.preprocessing.patch is None else []),
            "normalisation",
            "network",
            "threshold",
            "postprocess",
        ],
        "input": f"{_input(model.preprocessing)}, {of_channels}",
        "outputs": [
            f"mask: uint8 (N, {len(model.classes)}, H, W), 1 where the class is"
            if model.overlap
            else "mask: uint8 (N, H, W), 0 background, then the classes",
            f"probabilities: float32 (N, {model.outputs}, H, W)",
        ],
        "batch": "any" if any_batch else 1,
        "int8": None,
        "symmetries": model.symmetries,
        "training": _training(model),
        "versions": {"seg": seg.__version__, "torch": str(torch.__version__)},
    }


def of_weights(model: LoadedModel, preprocessing: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a file of weights, from which `inference.load` builds the network again.

    Arguments as in `of_graph`. The configuration is without the folders that it names.
    """
    config = {k: v for k, v in model.config.items() if k not in PATHS}
    config["dataset"] = {k: v for k, v in config["dataset"].items() if k not in DATA_PATHS}
    return {
        "version": VERSION,
        "config": config,
        "classes": list(model.classes),
        "preprocessing": dict(preprocessing),
        "threshold": model.threshold,
        "postprocess": {step: list(names) for step, names in model.postprocess.items()},
        "symmetries": model.symmetries,
        "training": _training(model),
        "versions": {"seg": seg.__version__, "torch": str(torch.__version__)},
    }


def _input(pre: Preprocessing) -> str:
    if pre.patch is None:
        return f"image: uint8 (N, H, W, {pre.channels})"
    height, width = pre.patch
    where = "" if pre.size is None else " resized to {}x{}".format(*pre.size)
    return f"image: uint8 (N, {height}, {width}, {pre.channels}), windows of an image{where}"


def _training(model: LoadedModel) -> dict[str, Any]:
    text = json.dumps(model.config, sort_keys=True, default=str)
    return {
        "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "checkpoint_sha256": digest(model.path),
        "seed": model.config.get("seed"),
    }
