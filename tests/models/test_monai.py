"""Networks of MONAI: any image, and refusals."""

import sys
from pathlib import Path

import pytest
import torch

from seg.models.monai import MonaiNetwork
from tests.models import matrix

pytest.importorskip("monai", reason="needs pip install 'seg-med[monai]'")
pytest.importorskip("einops", reason="needs pip install 'seg-med[monai]'")
FLEXIBLE = {"arch": "FlexibleUNet", "backbone": "efficientnet-b0"}
NETWORKS: dict[str, matrix.Make] = {
    "segresnet": lambda **keys: MonaiNetwork(arch="SegResNet", divisor=8, init_filters=8, **keys),
    "swinunetr": lambda **keys: MonaiNetwork(
        arch="SwinUNETR", feature_size=12, depths=[1, 1, 1, 1], **keys
    ),
    "flexibleunet": lambda **keys: MonaiNetwork(**FLEXIBLE, **keys),
}
ONE = {"in_channels": 3, "out_channels": 1}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_image_and_target_is_taken(name: str) -> None:
    matrix.takes_everything(NETWORKS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_an_onnx_file_gives_the_same(name: str, tmp_path: Path) -> None:
    matrix.exports(NETWORKS[name], tmp_path)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_is_trained(name: str) -> None:
    network = NETWORKS[name](**ONE)
    network(torch.randn(2, 3, 64, 64)).sum().backward()
    assert [key for key, p in network.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("name", ["swinunetr", "flexibleunet"])
def test_one_pixel_to_normalise_is_refused_in_training(name: str) -> None:
    with pytest.raises(ValueError, match=r"dataset\.image_size"):
        NETWORKS[name](**ONE)(torch.rand(1, 3, 20, 20))


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"arch": "SegResNett"}, r"model\.arch=SegResNett.*SegResNet"),
        ({"arch": "SegResNet", "init_filter": 8}, r"model\.init_filter:.*init_filters"),
        ({"arch": "SegResNet", "init_filters": 3}, r"model: SegResNet cannot be built"),
        ({"arch": "SegResNet", "deep_supervision": True}, r"model\.deep_supervision"),
        ({"arch": "SegResNet", "spatial_dims": 3}, r"model\.spatial_dims"),
        ({"arch": "SegResNet", "weights": "imagenet"}, r"model\.weights=imagenet.*FlexibleUNet"),
        ({**FLEXIBLE, "backbone": "resnet10", "weights": "imagenet"}, r"model\.weights=imagenet"),
        ({**FLEXIBLE, "weights": "swsl"}, r"model\.weights=swsl"),
    ],
)
def test_what_monai_does_not_have_is_refused(keys: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        MonaiNetwork(**ONE, **keys)


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "monai.networks.nets", None)
    monkeypatch.setitem(sys.modules, "monai", None)
    with pytest.raises(ImportError, match=r"pip install 'seg-med\[monai\]'"):
        MonaiNetwork(arch="SegResNet", **ONE)


def test_weights_placed_by_hand_are_found_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monai.networks.nets.efficientnet import url_map

    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    with pytest.raises(OSError, match=r"model\.weights") as caught:
        MonaiNetwork(**FLEXIBLE, weights="imagenet", **ONE)
    message, folder = str(caught.value), tmp_path / "checkpoints"
    assert "\n" not in message
    assert f"put {url_map['efficientnet-b0']} into {folder}, or set model.weights=null" in message
    trained = MonaiNetwork(**FLEXIBLE, **ONE).network.encoder.state_dict()
    flat = {key: value for key, value in trained.items() if key == "_conv_stem.weight"}
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", lambda *a, **k: flat)
    monkeypatch.setattr("torch.utils.model_zoo.load_url", lambda *a, **k: flat)
    for channels, expected in ((1, 1), (3, 3), (5, 5)):
        network = MonaiNetwork(**FLEXIBLE, weights="imagenet", in_channels=channels, out_channels=1)
        stem = network.network.encoder._conv_stem.weight
        assert stem.shape[1] == expected
        assert [len(values) for values in network.expects] == [channels, channels]
        if channels == 1:
            torch.testing.assert_close(stem.sum(1), flat["_conv_stem.weight"].sum(1))
        assert network.eval()(torch.rand(1, channels, 33, 40)).shape == (1, 1, 33, 40)
