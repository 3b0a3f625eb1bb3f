"""A small model as if from a checkpoint, and images to predict."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seg.data.preprocess import Preprocessing
from seg.inference.model import LoadedModel
from seg.inference.predictor import NetworkPredictor
from seg.models.normalize import Normalize
from seg.models.unet import UNet

MEAN, STD = [90.0, 100.0, 110.0], [50.0, 60.0, 70.0]
OWN_SIZES = [(61, 83), (24, 32), (17, 200), (9, 11), (1, 40)]


def network(
    path: Path, *, classes: int = 1, clean: bool = False, norm: str = "group"
) -> LoadedModel:
    """Untrained, of 24x32 pixels; its masks have parts and holes. path: a file, of any content."""
    torch.manual_seed(0)
    names = ["a", "b"][:classes]
    model = UNet(
        in_channels=3, out_channels=1 if classes == 1 else classes + 1, width=4, depth=1, norm=norm
    )
    with torch.no_grad():
        model.head.weight.mul_(4)
    steps = names if clean else []
    return LoadedModel(
        predictor=NetworkPredictor(
            model=model, normalize=Normalize(mode="dataset", mean=MEAN, std=STD), size=(24, 32)
        ),
        classes=names,
        preprocessing=Preprocessing((24, 32), 3, dict.fromkeys(names, 1), None),
        threshold=0.4,
        postprocess={"largest_component": steps, "fill_holes": steps},
        config={"seed": 7, "model": {}, "dataset": {"root": "/secret/place", "classes": None}},
        mean=MEAN,
        std=STD,
        axis=2,
        members=[path],
    )


def preprocessing() -> dict[str, Any]:
    """How its checkpoint would store the preprocessing."""
    shape = {"size": [24, 32], "channels": 3, "window": None, "normalize": "dataset"}
    return shape | {"mean": MEAN, "std": STD}


def images() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in OWN_SIZES]
