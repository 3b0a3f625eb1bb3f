"""What `run` names: run folders, checkpoints, weights, sweeps, and several of them as one."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hydra.utils import instantiate
from numpy.typing import NDArray
from torch import nn

from seg.data.images import read_image
from seg.inference.ensemble import GreyPredictor, join, to_grey
from seg.inference.files.input_checks import input_warnings
from seg.inference.load import Loader, digest_of
from seg.inference.model import LoadedModel
from seg.models.normalize import Normalize
from seg.models.unet import UNet

build = partial(instantiate, _convert_="all")
IMAGE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)


def content(
    *, seed: int = 0, size: int = 32, channels: int = 3, classes: tuple[str, ...] = ("polyp",),
    threshold: float = 0.5, postprocess: dict | None = None, window: list | None = None,
    axis: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    torch.manual_seed(seed)
    outputs = 1 if len(classes) == 1 else len(classes) + 1
    node = {"in_channels": channels, "out_channels": outputs, "width": 4, "depth": 2}
    mean, std = [90.0] * channels, [50.0] * channels
    layers: dict[str, nn.Module] = {
        "model": UNet(**node), "normalize": Normalize(mode="dataset", mean=mean, std=std),
    }  # fmt: skip
    state = {f"{n}.{k}": v for n, layer in layers.items() for k, v in layer.state_dict().items()}
    data = {"classes": {name: i + 1 for i, name in enumerate(classes)}}
    data |= {} if axis is None else {"axis": axis}
    node = {"_target_": "seg.models.unet.UNet", **node}
    return {
        "state_dict": state,
        "seg": {
            "config": {"model": node, "dataset": data},
            "classes": list(classes),
            "preprocessing": {
                "size": [size, size], "channels": channels, "window": window,
                "normalize": "dataset", "mean": mean, "std": std,
            },
            "threshold": threshold,
            **({"postprocess": postprocess} if postprocess else {}),
        },
    }  # fmt: skip


def run(folder: Path, *, status: str = "finished", **more: Any) -> Path:
    (folder / "checkpoints").mkdir(parents=True)
    checkpoint = content(**more)
    torch.save(checkpoint, folder / "checkpoints" / "best.ckpt")
    (folder / "config.yaml").write_text(yaml.safe_dump(checkpoint["seg"]["config"]))
    (folder / "run.json").write_text(json.dumps({"status": status}))
    return folder


def loaded(*sources: Path) -> LoadedModel:
    return join(Loader(build=build).load([str(source) for source in sources]))


def probabilities(*sources: Path) -> NDArray:
    return loaded(*sources).predictor.probabilities(IMAGE)


def test_a_run_its_checkpoint_and_weights_beside_it_are_one_model(tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    checkpoint = content()
    weights = {k[6:]: v for k, v in checkpoint["state_dict"].items() if k.startswith("model.")}
    torch.save(weights, folder / "model.pth")
    torch.save(checkpoint, tmp_path / "export.pth")
    expected = probabilities(folder)
    assert np.ptp(expected) > 0
    places = [folder / "checkpoints" / "best.ckpt", folder / "model.pth", tmp_path / "export.pth"]
    for place in places:
        np.testing.assert_array_equal(probabilities(place), expected)
    model = loaded(folder)
    assert model.members == [folder / "checkpoints" / "best.ckpt"]
    assert (model.mean, model.std) == ([90.0] * 3, [50.0] * 3)


def test_images_are_told_from_the_training_images_not_from_what_weights_expect(
    tmp_path: Path,
) -> None:
    checkpoint = content()
    of_images = {"mean": [120.0, 60.0, 40.0], "std": [70.0, 50.0, 40.0]}
    checkpoint["seg"]["preprocessing"]["images"] = of_images
    torch.save(checkpoint, tmp_path / "best.ckpt")
    model = loaded(tmp_path / "best.ckpt")
    assert {"mean": model.mean, "std": model.std} == of_images
    assert model.predictor.normalize.mean.flatten().tolist() == [90.0] * 3


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ([127.5] * 3, [127.5] * 3),
        ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]),
        ([0.485 * 255, 0.456 * 255, 0.406 * 255], [0.229 * 255, 0.224 * 255, 0.225 * 255]),
    ],
)
def test_an_earlier_file_with_the_values_of_weights_alone_warns_of_no_colours(
    tmp_path: Path, mean: list[float], std: list[float]
) -> None:
    checkpoint = content()
    checkpoint["seg"]["preprocessing"] |= {"mean": mean, "std": std}
    torch.save(checkpoint, tmp_path / "best.ckpt")
    model = loaded(tmp_path / "best.ckpt")
    for colourful in (True, False):
        image = np.random.default_rng(0).integers(0, 30, (32, 32, 3), dtype=np.uint8)
        about = {"mean": model.mean, "std": model.std, "size": (32, 32), "windowed": False}
        assert input_warnings(image, colourful=colourful, **about) == []


def test_other_weights_beside_a_run_are_taken_and_not_the_checkpoints(tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    state = content(seed=1)["state_dict"]
    torch.save({k[6:]: v for k, v in state.items() if k.startswith("model.")}, folder / "model.pth")
    expected = probabilities(run(tmp_path / "other", seed=1))
    np.testing.assert_array_equal(probabilities(folder / "model.pth"), expected)


def test_weights_alone_are_refused_with_the_way_out(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "model.pth")
    with pytest.raises(ValueError, match=r"model\.pth: .*seg\.export"):
        probabilities(tmp_path / "model.pth")


def test_safetensors_carry_all_or_lie_beside_a_run(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    checkpoint, folder = content(), run(tmp_path / "run")
    safetensors.save_file(
        checkpoint["state_dict"], tmp_path / "a.safetensors", {"seg": json.dumps(checkpoint["seg"])}
    )
    bare = {k[6:]: v for k, v in checkpoint["state_dict"].items() if k.startswith("model.")}
    safetensors.save_file(bare, folder / "model.safetensors")
    expected = probabilities(folder)
    for place in (tmp_path / "a.safetensors", folder / "model.safetensors"):
        np.testing.assert_array_equal(probabilities(place), expected)
    (tmp_path / "b.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"b\.safetensors: "):
        probabilities(tmp_path / "b.safetensors")


def test_several_are_the_mean_of_their_probabilities(tmp_path: Path) -> None:
    a = run(tmp_path / "a", threshold=0.2)
    b = run(tmp_path / "b", seed=1, size=48, threshold=0.6)
    expected = (probabilities(a) + probabilities(b)) / 2
    result = probabilities(a, b)
    np.testing.assert_allclose(result, expected, atol=1e-6)
    model = loaded(a, b)
    assert model.threshold == pytest.approx(0.4)
    assert len(model.members) == 2


def test_a_sweeps_folder_is_the_ensemble_of_its_finished_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for i in range(3):
        run(tmp_path / "sweep" / f"{i}", seed=i, status="failed" if i == 1 else "finished")
    expected = (
        probabilities(tmp_path / "sweep" / "0") + probabilities(tmp_path / "sweep" / "2")
    ) / 2
    np.testing.assert_allclose(probabilities(tmp_path / "sweep"), expected, atol=1e-6)
    assert "1 (failed)" in caplog.text


def test_a_folder_without_finished_runs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(FileNotFoundError, match="run=.*none: .*checkpoints/"):
        probabilities(tmp_path / "none")
    run(tmp_path / "sweep" / "0", status="interrupted")
    with pytest.raises(ValueError, match=r"run=.* 0 \(interrupted\)"):
        probabilities(tmp_path / "sweep")


@pytest.mark.parametrize(
    "other", [{"classes": ("tumour",)}, {"classes": ("a", "b")}, {"window": [0, 9]}]
)
def test_members_that_mean_other_things_are_no_ensemble(tmp_path: Path, other: dict) -> None:
    a, b = run(tmp_path / "a"), run(tmp_path / "b", **other)
    with pytest.raises(ValueError, match=r"b/checkpoints/best\.ckpt: .*a/checkpoints/best\.ckpt"):
        probabilities(a, b)


def test_an_ensemble_cleans_up_what_all_its_members_clean_up(tmp_path: Path) -> None:
    steps = {"largest_component": ["polyp"], "fill_holes": ["polyp"]}
    a = run(tmp_path / "a", postprocess=steps)
    b = run(tmp_path / "b", postprocess=steps | {"fill_holes": []})
    model = loaded(a, b)
    assert model.postprocess == {"largest_component": ["polyp"], "fill_holes": []}


def test_a_member_of_grey_images_sees_the_picture_in_grey(tmp_path: Path) -> None:
    a, b = run(tmp_path / "a", channels=1), run(tmp_path / "b")
    grey = loaded(a).predictor.probabilities(to_grey(IMAGE))
    result = probabilities(a, b)
    np.testing.assert_allclose(result, (grey + probabilities(b)) / 2, atol=1e-6)


@pytest.mark.parametrize("deep", [False, True])
def test_grey_is_the_readers_grey(tmp_path: Path, deep: bool) -> None:
    values = IMAGE.astype(np.float32) if deep else IMAGE
    np.save(tmp_path / "a.npy", values)
    expected = read_image(tmp_path / "a.npy", channels=1)
    np.testing.assert_allclose(to_grey(values), expected, atol=1e-4 if deep else 0)
    grey = GreyPredictor(_Brightness())
    np.testing.assert_allclose(grey.batch([values])[0], expected[None, ..., 0] / 255, atol=1e-5)


class _Brightness:
    def probabilities(self, image: NDArray) -> NDArray:
        return image[None, ..., 0].astype(np.float32) / 255

    def batch(self, images: list[NDArray]) -> list[NDArray]:
        return [self.probabilities(image) for image in images]


def test_the_digest_is_of_all_members_and_their_bytes(tmp_path: Path) -> None:
    a, b = run(tmp_path / "a"), run(tmp_path / "b", seed=1)
    result = {digest_of(loaded(*places).members) for places in ([a], [b], [a, b])}
    assert len(result) == 3


def test_the_axis_of_volumes_comes_from_the_training(tmp_path: Path) -> None:
    assert loaded(run(tmp_path / "a", axis=0)).axis == 0
    with pytest.raises(ValueError, match="axis="):
        loaded(tmp_path / "a", run(tmp_path / "b"))
