"""The package in Python: compose, train, load."""

import pickle
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import seg
from seg.cli.compose import ConfigError
from seg.runs.folder import RunFolder
from tests.commands import python
from tests.conftest import TINY, write_folder

pytestmark = pytest.mark.usefixtures("without_pictures")

SMALL = [line for line in TINY if line.startswith(("dataset.image", "model", "trainer"))]
OPTIONS = ["dataset=folder", "dataset.split.val=3", "dataset.split.test=3", "trainer=cpu", *SMALL]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> seg.train.Outcome:
    """Two epochs on 12 discs; the folder beside it holds the images."""
    root = tmp_path_factory.mktemp("python")
    write_folder(root / "set", count=12)
    places = [f"dataset.root={root / 'set'}", f"output_dir={root / 'outputs'}"]
    return seg.train.train(seg.compose([*OPTIONS, *places]))


@pytest.fixture(scope="module")
def model(trained):
    return seg.load(trained.run, device="cpu")


@pytest.fixture(scope="module")
def image(trained) -> np.ndarray:
    root = Path(trained.run.get("dataset.root"))
    return cv2.imread(str(root / "images" / "case_1.png"))[..., ::-1]


def test_importing_the_package_imports_neither_torch_nor_hydra() -> None:
    seen = "print([m for m in ('torch', 'hydra', 'numpy') if m in sys.modules])"
    assert python("-c", f"import sys, seg; dir(seg); {seen}", cwd=Path.cwd()).strip() == "[]"


def test_a_configuration_is_checked_and_has_its_overrides(tmp_path: Path) -> None:
    cfg = seg.compose(["loss=dice", "optimizer.lr=0.01"])
    assert (cfg.optimizer.lr, cfg.name) == (0.01, "synthetic-unet-dice")
    assert seg.compose(["run=.", "input=y", "output=z"], command="predict").tile == "auto"
    with pytest.raises(ConfigError, match=r"trainer\.max_epochs=5"):
        seg.compose(["epochs=5"])
    with pytest.raises(ValueError, match="trane"):
        seg.compose([], command="trane")
    with pytest.raises(TypeError, match="list"):
        seg.compose("loss=dice")
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text("_target_: seg.losses.dice.DiceLoss\n")
    assert seg.compose(["loss=mine"], config_dir=tmp_path).name == "synthetic-unet-mine"


def test_a_training_returns_its_score_and_its_run(trained) -> None:
    assert isinstance(trained, float)
    assert trained == trained.run.facts["val/dice"] == RunFolder(trained.run.path).best_score
    assert trained.run.is_finished
    shown = repr(trained)
    assert f"{float(trained):.4f} in epoch {trained.run.best_epoch} of 2" in shown
    assert str(trained.run.path) in shown
    assert f"{trained.run.test.metrics['dice'].value:.4f}" in shown
    again = pickle.loads(pickle.dumps(trained))
    assert (again, again.run.path) == (trained, trained.run.path)
    assert "finished" in repr(trained.run)


def test_an_array_is_predicted_as_its_file(trained, model, image: np.ndarray, tmp_path) -> None:
    mask, probs = model.predict(image), model.probabilities(image)
    assert (mask.shape, mask.dtype) == ((40, 48), np.uint8)
    assert (probs.shape, probs.dtype) == ((1, 40, 48), np.float32)
    assert np.array_equal(mask, probs[0] > model.threshold)
    file = Path(trained.run.get("dataset.root")) / "images" / "case_1.png"
    lines = [f"run={trained.run.path}", f"input={file}", f"output={tmp_path / 'out'}"]
    seg.predict.predict(seg.compose([*lines, "trainer.accelerator=cpu"], command="predict"))
    written = cv2.imread(str(tmp_path / "out" / "case_1.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(written, mask)
    assert np.array_equal(model.predict(file), mask)
    assert model.classes == ["foreground"]


def test_types_are_read_as_in_files(model, image: np.ndarray) -> None:
    probs = model.probabilities(image)
    for other in (image.astype(np.uint16) * 257, image.astype(np.float64), image / 255):
        # 8 bits are rounded when they are resized
        assert np.allclose(model.probabilities(other), probs, atol=5e-3)
    grey = image[..., 0]
    expected = model.probabilities(np.stack([grey] * 3, axis=2))
    assert np.array_equal(model.probabilities(grey), expected)
    assert np.array_equal(model.probabilities(grey[..., None]), expected)


@pytest.mark.parametrize(
    ("shape", "word"), [((8, 8, 4), "4 channels"), ((8,), "shape"), ((2, 8, 8, 3), "shape")]
)
def test_an_array_that_is_no_image_is_refused(model, shape: tuple, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        model.predict(np.zeros(shape, np.uint8))


def test_the_module_has_the_normalisation(model, image: np.ndarray) -> None:
    small = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
    with torch.no_grad():
        logits = model.module(torch.from_numpy(small.copy()).permute(2, 0, 1)[None])
    assert np.allclose(torch.sigmoid(logits)[0], model.probabilities(small), atol=1e-5)


@pytest.mark.parametrize("which", ["path", "text", "best.ckpt", "last.ckpt", "model.pth", "list"])
def test_a_model_is_loaded_from_what_a_run_leaves(trained, model, image, which: str) -> None:
    run = trained.run.path
    source = {
        "path": run, "text": str(run), "model.pth": run / "model.pth", "list": [run, run],
    }.get(which, run / "checkpoints" / which)  # fmt: skip
    loaded = seg.load(source, device="cpu")
    probs = loaded.probabilities(image)
    if which == "last.ckpt":
        assert probs.shape == (1, 40, 48)
    else:
        assert np.allclose(probs, model.probabilities(image), atol=1e-6)
    shown = repr(loaded)
    assert "foreground" in shown
    if which == "list":
        with pytest.raises(ValueError, match="module"):
            _ = loaded.module
    else:
        assert "UNet" in shown


def test_an_exported_file_is_loaded_too(trained, model, image, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    lines = [f"run={trained.run.path}", f"output={tmp_path / 'm.onnx'}", "count=2"]
    seg.export.export(seg.compose(lines, command="export"))
    loaded = seg.load(tmp_path / "m.onnx")
    assert np.allclose(loaded.probabilities(image), model.probabilities(image), atol=1e-4)
    with pytest.raises(ValueError, match="module"):
        _ = loaded.module


def test_the_three_lines_of_the_weights_alone(trained, model) -> None:
    run = trained.run.path
    network = seg.load(run, device="cpu").module.model
    network.load_state_dict(torch.load(run / "model.pth", weights_only=True))
    pairs = zip(network.parameters(), model.module.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_lightnings_way_of_loading_says_what_to_call(trained) -> None:
    from seg.training.module import SegmentationModule

    path = trained.run.checkpoint("best")
    with pytest.raises(TypeError, match=r"seg\.load"):
        SegmentationModule.load_from_checkpoint(path)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        seg.load(tmp_path / "nowhere")
    with pytest.raises(AttributeError, match="lode"):
        _ = seg.lode


def test_training_from_python_says_what_it_does(trained, tmp_path: Path) -> None:
    root = trained.run.get("dataset.root")
    places = [f"dataset.root={root}", f"output_dir={tmp_path}"]
    code = f"import seg; cfg = seg.compose({[*OPTIONS, *places]!r}); seg.train.train(cfg)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    assert len([line for line in lines if line.startswith("epoch ")]) == 2
    assert len(lines) == 4, lines
