"""Exported files as models, with a graph that is written by hand."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from seg.inference.exported import load
from seg.inference.threads import threads

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

ABOUT: dict[str, Any] = {
    "classes": ["polyp"],
    "preprocessing": {
        "size": [24, 32], "channels": 3, "window": [0, 500], "mean": [1, 2, 3], "std": [4, 5, 6],
    },
    "mask_values": {"polyp": 255},
    "threshold": 0.3,
    "postprocess": {"largest_component": ["polyp"], "fill_holes": []},
    "batch": "any",
}  # fmt: skip


def written(path: Path, about: dict[str, Any] | None = None, **names: str) -> Path:
    """Probabilities are the green channel / 255; the mask's part of the graph is a loop."""
    h, outputs = onnx.helper, {"image": "image", "probabilities": "probabilities", **names}
    flag, number = onnx.TensorProto.BOOL, onnx.TensorProto.INT64
    body = h.make_graph(
        [h.make_node("Identity", ["going"], ["go_on"]), h.make_node("Identity", ["m"], ["m_out"])],
        "body",
        [h.make_tensor_value_info("i", number, []), h.make_tensor_value_info("going", flag, []),
         h.make_tensor_value_info("m", onnx.TensorProto.UINT8, None)],
        [h.make_tensor_value_info("go_on", flag, []),
         h.make_tensor_value_info("m_out", onnx.TensorProto.UINT8, None)],
    )  # fmt: skip
    nodes = [
        h.make_node("Transpose", [outputs["image"]], ["nchw"], perm=[0, 3, 1, 2]),
        h.make_node("Gather", ["nchw", "one"], ["green"], axis=1),
        h.make_node("Cast", ["green"], ["float"], to=onnx.TensorProto.FLOAT),
        h.make_node("Div", ["float", "most"], [outputs["probabilities"]]),
        h.make_node("Greater", [outputs["probabilities"], "threshold"], ["above"]),
        h.make_node("Cast", ["above"], ["bytes"], to=onnx.TensorProto.UINT8),
        h.make_node("Loop", ["rounds", "", "bytes"], ["looped"], body=body),
        h.make_node("Squeeze", ["looped", "one"], ["mask"]),
    ]
    constants = [
        h.make_tensor("one", number, [1], [1]), h.make_tensor("rounds", number, [], [3]),
        h.make_tensor("most", onnx.TensorProto.FLOAT, [], [255.0]),
        h.make_tensor("threshold", onnx.TensorProto.FLOAT, [], [0.3]),
    ]  # fmt: skip
    float32, byte = onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8
    graph = h.make_graph(
        nodes, "graph",
        [h.make_tensor_value_info(outputs["image"], byte, ["n", "h", "w", 3])],
        [h.make_tensor_value_info("mask", byte, ["n", "h", "w"]),
         h.make_tensor_value_info(outputs["probabilities"], float32, ["n", 1, "h", "w"])],
        constants,
    )  # fmt: skip
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 20)], ir_version=10)
    if about is not None:
        h.set_model_props(model, {"seg": json.dumps(about)})
    onnx.save(model, path)
    return path


def image(*size: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def test_all_that_a_prediction_needs_is_in_the_file(tmp_path: Path) -> None:
    model = load(written(tmp_path / "model.onnx", ABOUT))
    assert model.classes == ["polyp"]
    assert model.threshold == 0.3
    assert model.preprocessing.size == (24, 32)
    assert model.preprocessing.window == (0, 500)
    assert model.preprocessing.classes == {"polyp": 255}
    assert model.postprocess == {"largest_component": ["polyp"], "fill_holes": []}
    assert (model.mean, model.std) == ([1, 2, 3], [4, 5, 6])
    assert model.path == tmp_path / "model.onnx"


@pytest.mark.parametrize("batch", ["any", 1])
def test_images_of_any_sizes_are_answered_in_their_order(tmp_path: Path, batch: Any) -> None:
    predictor = load(written(tmp_path / "model.onnx", ABOUT | {"batch": batch})).predictor
    images = [image(5, 9), image(4, 4), image(5, 9, seed=1), image(1, 1)]
    for one, probs in zip(images, predictor.batch(images), strict=True):
        assert probs.shape == (1, *one.shape[:2])
        assert np.allclose(probs[0], one[..., 1] / 255, atol=1e-6)
    assert np.array_equal(predictor.probabilities(images[0]), predictor.batch(images)[0])


def test_more_than_8_bits_are_rounded(tmp_path: Path) -> None:
    predictor = load(written(tmp_path / "model.onnx", ABOUT)).predictor
    fine = np.full((2, 2, 3), 99.6, np.float32)
    assert np.allclose(predictor.probabilities(fine), 100 / 255)
    assert np.allclose(predictor.probabilities(fine + 200), 1)


def test_no_network_and_no_torch_are_needed(tmp_path: Path) -> None:
    path = written(tmp_path / "model.onnx", ABOUT)
    text = (
        "import sys; from pathlib import Path; from seg.inference.exported import load;"
        f"load(Path({str(path)!r})); sys.exit('torch' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", text], cwd=root).returncode == 0


def test_files_that_are_no_models_of_ours_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none.onnx"):
        load(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(ValueError, match=r"text\.onnx: "):
        load(tmp_path / "text.onnx")
    with pytest.raises(ValueError, match=r"a\.onnx: .*seg\.export"):
        load(written(tmp_path / "a.onnx"))
    with pytest.raises(ValueError, match=r"b\.onnx: .*preprocessing"):
        load(written(tmp_path / "b.onnx", {"classes": ["a"]}))
    with pytest.raises(ValueError, match=r"c\.onnx: "):
        load(written(tmp_path / "c.onnx", ABOUT, image="picture"))


def test_a_program_of_a_stranger_is_not_opened(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    with zipfile.ZipFile(tmp_path / "model.pt2", "w") as archive:
        # what torch 2.7 and older read with pickle
        archive.writestr("version", "8.8")
        archive.writestr("serialized_state_dict.pt", f"cos\nmkdir\n(S'{mark}'\ntR.".encode())
    with pytest.raises(ValueError, match=r"model\.pt2: .*trust=pt2"):
        load(tmp_path / "model.pt2")
    assert not mark.exists()


def test_threads_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads() == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert threads() >= 1
