"""Exported files predict as their model does."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from seg.exporting import build, onnx, pt2, quantise
from seg.exporting.graph import Graph
from seg.inference.model import LoadedModel
from seg.inference.segmentation import clean_up
from tests.exporting.networks import images, network, preprocessing

Exported = tuple[LoadedModel, Path, Callable]


def _reference_predict(model: LoadedModel, image: NDArray) -> tuple[NDArray, NDArray]:
    """Resized by OpenCV, predicted, resized back by OpenCV."""
    size = model.preprocessing.size
    fewer = size[0] * size[1] < image.shape[0] * image.shape[1]
    how = cv2.INTER_AREA if fewer else cv2.INTER_LINEAR
    small = cv2.resize(image, size[::-1], interpolation=how)
    inputs = (small.astype(np.float32) - model.mean) / model.std
    with torch.no_grad():
        inputs = torch.tensor(inputs.transpose(2, 0, 1)[None], dtype=torch.float32)
        logits = model.predictor.model(inputs)
    one = logits.shape[1] == 1
    probs = (torch.sigmoid(logits) if one else torch.softmax(logits, 1))[0].numpy()
    probs = np.stack([cv2.resize(p, image.shape[1::-1]) for p in probs])
    mask = (probs[0] > model.threshold) if one else probs.argmax(0)
    return clean_up(mask.astype(np.uint8), model.postprocess, model.classes), probs


def assert_predicts_as(model: LoadedModel, predict: Callable) -> None:
    for image in images():
        mask, probs = predict(image)
        true_mask, true_probs = _reference_predict(model, image)
        assert mask.dtype == np.uint8
        assert probs.dtype == np.float32
        assert np.abs(probs - true_probs).max() < 2e-5
        assert (mask == true_mask).mean() > 0.998


@pytest.fixture(scope="module")
def exported_model(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    pytest.importorskip("onnxruntime")
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    path.with_name("best.ckpt").write_text("any")
    model = network(path.with_name("best.ckpt"))
    build.write_graph(model, preprocessing(), "onnx", path)
    return model, path, build.exported_predict(path)


def test_an_onnx_file_predicts_as_the_network_at_any_size(exported_model: Exported) -> None:
    model, _, predict = exported_model
    assert_predicts_as(model, predict)


def test_a_batch_is_predicted_as_its_images(exported_model: Exported) -> None:
    _, path, predict = exported_model
    from seg.inference.exported import run_onnx

    run, _ = run_onnx(path)
    some = np.random.default_rng(1).integers(0, 256, (3, 40, 50, 3), dtype=np.uint8)
    masks, probs = run(some)
    assert masks.shape == (3, 40, 50)
    for i, image in enumerate(some):
        assert np.abs(predict(image)[1] - probs[i]).max() < 1e-5


def test_the_metadata_describe_the_file_and_name_no_folder_of_the_training(
    exported_model: Exported,
) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(exported_model[1]))
    properties = session.get_modelmeta().custom_metadata_map
    about = json.loads(properties["seg"])
    assert about["classes"] == ["a"]
    assert about["threshold"] == 0.4
    assert about["preprocessing"]["mean"] == [90.0, 100.0, 110.0]
    assert about["training"]["seed"] == 7
    assert properties["threshold"] == "0.4"
    assert [i.shape for i in session.get_inputs()] == [["batch", "height", "width", 3]]
    assert [o.type for o in session.get_outputs()] == ["tensor(uint8)", "tensor(float)"]
    assert b"/secret/place" not in exported_model[1].read_bytes()
    assert [p.name for p in exported_model[1].parent.iterdir() if p.suffix == ".data"] == []


def test_quantised_files_predict_nearly_the_same_and_their_metadata_say_int8(
    exported_model: Exported, tmp_path: Path
) -> None:
    model, path, predict = exported_model
    metadata = json.loads(_metadata(path))
    for method in quantise.METHODS:
        small = tmp_path / f"{method}.onnx"
        build.to_8_bits(path, small, method, metadata, images()[:2])
        assert json.loads(_metadata(small))["int8"] == method
        off = [
            np.abs(build.exported_predict(small)(i)[1] - predict(i)[1]).max() for i in images()[:2]
        ]
        assert 0 < max(off) < 0.3


def _metadata(path: Path) -> str:
    from seg.inference.exported import run_onnx

    return run_onnx(path)[1] or ""


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "pt2"])
@pytest.mark.parametrize("classes", [1, 2])
def test_the_postprocessing_is_inside(form: str, classes: int, tmp_path: Path) -> None:
    (tmp_path / "best.ckpt").write_text("any")
    model = network(tmp_path / "best.ckpt", classes=classes, clean=True)
    path = tmp_path / f"model.{form}"
    build.write_graph(model, preprocessing(), form, path)
    predict = build.exported_predict(path)
    assert_predicts_as(model, predict)
    rough = [_reference_predict(network(model.path, classes=classes), i)[0] for i in images()]
    assert any((predict(i)[0] != r).any() for i, r in zip(images(), rough, strict=True))


@pytest.mark.slow
def test_a_network_that_fixes_its_batch_makes_a_file_of_one_image() -> None:
    class Fixed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(len(x), *x.shape[1:])[:, :1]

    model = Graph(network(Path("any")))
    model.model = Fixed()
    assert not pt2.trace(model, channels=3).any_batch


@pytest.mark.slow
def test_a_network_that_cannot_be_traced_is_refused() -> None:
    class Looks(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :1] if x.sum() > 0 else x[:, 1:2]

    model = Graph(network(Path("any")))
    model.model = Looks()
    with pytest.raises(ValueError, match=r"format=pth"):
        pt2.trace(model, channels=3)


def test_what_does_not_fit_into_one_onnx_file_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    traced = SimpleNamespace(state_dict={"weight": torch.zeros(26)})
    monkeypatch.setattr(onnx, "MAX_BYTES", 100)
    with pytest.raises(ValueError, match=r"model\.onnx: .*format=pt2"):
        onnx.write(pt2.Program(traced, any_batch=True), {}, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_a_file_and_its_report_are_both_replaced_or_none(tmp_path: Path) -> None:
    output = tmp_path / "new" / "model.pth"
    with build.with_report(output) as (path, report):
        path.write_text("new")
        report.write_text("{}")
    assert sorted(p.name for p in output.parent.iterdir()) == ["model.pth", "model.pth.parity.json"]
    with pytest.raises(IsADirectoryError), build.with_report(output) as (path, _):
        path.write_bytes(path.parent.read_bytes())
    assert output.read_text() == "new"
    assert len(list(output.parent.iterdir())) == 2
