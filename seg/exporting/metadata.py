"""What an exported file says of itself: plain containers, kept in it as JSON under `seg`."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch

import seg
from seg.inference.load import digest
from seg.inference.model import LoadedModel

KEY = "seg"
VERSION = 1  # of what is below
# Where things lay on the machine of the training, and what only it needs.
PLACES = ("output_dir", "init_from", "resume")
DATA_PLACES = ("root", "cache_dir", "image_dir", "mask_dir", "url", "mirrors", "by_hand", "kaggle")


def of_graph(
    network: LoadedModel, carried: Mapping[str, Any], *, any_batch: bool, int8: str | None = None
) -> dict[str, Any]:
    """Of a file that computes masks itself. carried: what the checkpoint has under `seg`.

    any_batch: whether it takes several images at once. int8: how it was quantised.
    """
    return {
        "version": VERSION,
        "classes": list(network.classes),
        "preprocessing": dict(carried["preprocessing"]),
        "mask_values": network.preprocessing.classes,
        "threshold": network.threshold,
        "postprocess": {step: list(names) for step, names in network.postprocess.items()},
        "inside": ["resizing", "normalisation", "network", "threshold", "postprocess"],
        "input": f"image: uint8 (N, H, W, {network.preprocessing.channels}), RGB or grey",
        "outputs": [
            "mask: uint8 (N, H, W), 0 background, then the classes",
            f"probabilities: float32 (N, {network.outputs}, H, W)",
        ],
        "batch": "any" if any_batch else 1,
        "int8": int8,
        "training": _training(network),
        "versions": {"seg": seg.__version__, "torch": str(torch.__version__)},
    }


def of_weights(network: LoadedModel, carried: Mapping[str, Any]) -> dict[str, Any]:
    """Of a file that `inference.load` can rebuild the network from: with the configuration, but
    for the folders that it names.
    """
    config = {k: v for k, v in network.config.items() if k not in PLACES}
    config["dataset"] = {k: v for k, v in config["dataset"].items() if k not in DATA_PLACES}
    return {
        "version": VERSION,
        "config": config,
        "classes": list(network.classes),
        "preprocessing": dict(carried["preprocessing"]),
        "threshold": network.threshold,
        "postprocess": {step: list(names) for step, names in network.postprocess.items()},
        "training": _training(network),
        "versions": {"seg": seg.__version__, "torch": str(torch.__version__)},
    }


def _training(network: LoadedModel) -> dict[str, Any]:
    text = json.dumps(network.config, sort_keys=True, default=str)
    return {
        "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "checkpoint_sha256": digest(network.path),
        "seed": network.config.get("seed"),
    }
