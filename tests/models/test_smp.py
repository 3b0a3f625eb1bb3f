"""Networks of segmentation_models_pytorch and timm: any image, their weights, and refusals."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from seg.models.smp import SMPNetwork, TimmUNet
from tests.models import matrix

smp = pytest.importorskip(
    "segmentation_models_pytorch", reason="needs pip install 'seg-med[smp]'", exc_type=ImportError
)
SMALL = "tu-mobilenetv3_small_050"
NETWORKS: dict[str, matrix.Make] = {
    "unet": lambda **keys: SMPNetwork(encoder=SMALL, **keys),
    "fpn": lambda **keys: SMPNetwork(arch="fpn", encoder=SMALL, **keys),
    "segformer": lambda **keys: SMPNetwork(arch="segformer", encoder="mit_b0", **keys),
    "timm_unet": lambda **keys: TimmUNet(encoder="convnext_atto", **keys),
}
ONE = {"in_channels": 3, "out_channels": 1}
UNUSED = ("pspnet", "dpt")  # do not use all of their encoder
QUICK = ("unet", "fpn")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of downloaded weights, and no network."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    torch.manual_seed(0)
    return tmp_path / "hub"


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in NETWORKS]
)
def test_every_image_and_target_is_taken(name: str) -> None:
    matrix.takes_everything(NETWORKS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_an_onnx_file_gives_the_same(name: str, tmp_path: Path) -> None:
    matrix.exports(NETWORKS[name], tmp_path)


@pytest.mark.parametrize("arch", smp.MODEL_ARCHITECTURES_MAPPING)
def test_every_architecture_trains_even_on_one_image(arch: str) -> None:
    """An epoch's last batch may be of one: torch's batch normalisation refuses a pooled one."""
    encoders = {"dpt": "tu-vit_tiny_patch16_224", "segformer": "mit_b0"}
    network = SMPNetwork(arch=arch, encoder=encoders.get(arch, "resnet18"), **ONE)
    image = torch.randn(1, 3, 65, 97)
    for sizes in (image, image[..., :64, :64]):
        logits = network(sizes)
        assert logits.shape[-2:] == sizes.shape[-2:]
        logits.sum().backward()
    if arch not in UNUSED:
        assert [key for key, p in network.named_parameters() if p.grad is None] == []


def test_one_pixel_to_normalise_is_refused_in_training() -> None:
    with pytest.raises(ValueError, match=r"dataset\.image_size"):
        NETWORKS["unet"](**ONE)(torch.rand(1, 3, 20, 20))


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"arch": "unett"}, r"model\.arch=unett.*unet"),
        ({"encoder": "resnet19"}, r"model\.encoder=resnet19.*resnet18.*tu-"),
        ({"encoder": "tu-convnext_tin"}, r"model\.encoder=.*convnext_tiny"),
        ({"weights": "imagenot"}, r"model\.weights=imagenot.*imagenet"),
        ({"encoder": SMALL, "weights": "swsl"}, r"model\.weights=swsl.*imagenet or null"),
        ({"deep_supervision": True}, r"model\.deep_supervision"),
        ({"activation": "sigmoid"}, r"model\.activation"),
        ({"decoder_channel": [8]}, r"model\.decoder_channel:.*decoder_channels"),
        ({"decoder_channels": [8]}, r"model: Unet cannot be built"),
        ({"encoder": SMALL, "drop_rat": 0.1}, r"model: Unet cannot be built.*drop_rat"),
    ],
)
def test_what_the_library_does_not_have_is_refused(keys: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        SMPNetwork(**ONE, **keys)


def test_further_arguments_reach_the_architecture_and_an_encoder_of_timm() -> None:
    keys = {"decoder_channels": [32, 16, 8, 8, 4], "decoder_attention_type": "scse"}
    network = SMPNetwork(encoder=SMALL, drop_path_rate=0.2, **keys, **ONE)
    assert network.head[0].in_channels == 4
    assert any("attention" in key for key, _ in network.named_parameters())
    assert any(type(layer).__name__ == "DropPath" for layer in network.modules())


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(ImportError, match=r"pip install 'seg-med\[smp\]'"):
        SMPNetwork(**ONE)


def place(error: OSError, files: dict[str, object]) -> None:
    """Put files where the message says."""
    assert "\n" not in str(error)
    folder = Path(re.search(r" into (\S+), or set model\.weights=null$", str(error))[1])
    folder.mkdir(parents=True)
    for name, content in files.items():
        assert name in str(error)
        if isinstance(content, dict) and name.endswith(".json"):
            (folder / name).write_text(json.dumps(content))
        else:
            from safetensors.torch import save_file

            save_file(content, folder / name)


def test_weights_placed_by_hand_are_found_without_a_network(cache: Path) -> None:
    trained = SMPNetwork(encoder="resnet18", **ONE).encoder.state_dict()
    with pytest.raises(OSError, match="smp-hub/resnet18.imagenet") as caught:
        SMPNetwork(encoder="resnet18", weights="imagenet", **ONE)
    assert str(cache) in str(caught.value)
    mean, std = [0.5, 0.4, 0.3], [0.2, 0.1, 0.3]
    about = {"mean": mean, "std": std, "input_range": [0, 1], "input_space": "RGB"}
    place(caught.value, {"config.json": about, "model.safetensors": trained})
    for channels in (1, 2, 3):
        keys = {"in_channels": channels, "out_channels": 1, "weights": "imagenet"}
        network = SMPNetwork(encoder="resnet18", **keys)
        rgb, own = trained["conv1.weight"], network.encoder.state_dict()["conv1.weight"]
        torch.testing.assert_close(own.sum(1), rgb.sum(1) if channels != 2 else own.sum(1))
        torch.testing.assert_close(network.encoder.layer1[0].bn1.bias, trained["layer1.0.bn1.bias"])
        means, deviations = network.expects
        if channels == 1:
            assert (means, deviations) == ([pytest.approx(102)], [pytest.approx(51)])
        else:
            assert means == pytest.approx([255 * v for v in mean[:channels]])
            assert deviations == pytest.approx([255 * v for v in std[:channels]])


def test_timms_weights_placed_by_hand_are_found_without_a_network() -> None:
    import timm

    name = SMALL.removeprefix("tu-")
    trained = timm.create_model(name).state_dict()
    with pytest.raises(OSError, match=f"timm/{name}") as caught:
        TimmUNet(encoder=name, weights="imagenet", **ONE)
    place(caught.value, {"model.safetensors": trained})
    for encoder in (name, SMALL):  # with and without the prefix
        network = TimmUNet(encoder=encoder, weights="imagenet", in_channels=1, out_channels=1)
        own = network.encoder.model.state_dict()
        torch.testing.assert_close(
            own["conv_stem.weight"].sum(1), trained["conv_stem.weight"].sum(1)
        )
        torch.testing.assert_close(own["blocks.0.0.bn1.bias"], trained["blocks.0.0.bn1.bias"])
        about = timm.get_pretrained_cfg(name)
        assert network.expects[0] == pytest.approx([255 * sum(about.mean) / 3])


def test_random_weights_expect_no_normalisation_of_their_own() -> None:
    assert NETWORKS["unet"](**ONE).expects is None


@pytest.mark.slow
def test_without_a_network_a_training_ends_with_one_line(tmp_path: Path) -> None:
    away = {"HTTPS_PROXY": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}  # nothing listens there
    command = [sys.executable, "-m", "seg.train", "model=smp", f"output_dir={tmp_path / 'runs'}"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **away})
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    first, last = done.stderr.strip().splitlines()
    assert first.startswith("weights: downloading")
    assert last.startswith("error: model.weights:")
    assert str(tmp_path / "hub" / "models--smp-hub--resnet34.imagenet") in last
    assert not (tmp_path / "runs").exists()
