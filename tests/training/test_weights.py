"""Weights alone: written beside a checkpoint, and started from."""

import json
import logging
from pathlib import Path

import pytest
import torch
from torch import nn

from seg.models.unet import UNet
from seg.training.checkpoint import write_atomically
from seg.training.weights import read_weights, start_from, write_weights

ABOUT = {"classes": ["polyp"], "preprocessing": {"size": [32, 32]}, "threshold": 0.5}


def network(outputs: int = 1, width: int = 4) -> UNet:
    made = UNet(in_channels=3, out_channels=outputs, width=width, depth=2)
    return made.to(memory_format=torch.channels_last)  # as in training


def content(model: nn.Module) -> dict:
    """What a checkpoint of this network holds."""
    state = {f"model.{key}": value for key, value in model.state_dict().items()}
    return {"state_dict": state | {"normalize.mean": torch.zeros(3)}, "seg": ABOUT}


def written(model: nn.Module, folder: Path, form: str) -> Path:
    """The network as a run folder, a checkpoint, or one of its files of weights."""
    run = folder / "run"
    write_atomically(content(model), run / "checkpoints" / "best.ckpt")
    if form in ("pth", "safetensors"):
        path = run / f"model.{form}"
        write_weights(content(model), path)
        return path
    return run if form == "folder" else run / "checkpoints" / "best.ckpt"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    logging.getLogger("seg").propagate = True
    caplog.set_level("INFO", logger="seg")
    return caplog


@pytest.mark.parametrize("form", ["folder", "ckpt", "pth", "safetensors"])
def test_all_weights_come_from_whatever_holds_them(
    tmp_path: Path, log: pytest.LogCaptureFixture, form: str
) -> None:
    if form == "safetensors":
        pytest.importorskip("safetensors", reason="in the export extra")
    source, model = network(), network()
    start_from(model, written(source, tmp_path, form))
    for name, value in source.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
    count = len(model.state_dict())
    assert log.records[0].message.startswith(f"{count} of {count} ")
    assert len(log.records) == 1


def test_safetensors_hold_what_the_weights_need(tmp_path: Path) -> None:
    safe = pytest.importorskip("safetensors", reason="in the export extra")
    path = written(network(), tmp_path, "safetensors")
    assert path.name == "model.safetensors"
    with safe.safe_open(path, framework="pt") as file:
        metadata = {k: json.loads(v) for k, v in file.metadata().items() if k != "format"}
    assert metadata == ABOUT
    assert [p.name for p in path.parent.glob("*model*")] == ["model.safetensors"]


def test_weights_with_names_of_an_exported_file_are_read(tmp_path: Path) -> None:
    safe = pytest.importorskip("safetensors.torch", reason="in the export extra")
    source = network()
    state = {key: value.contiguous() for key, value in content(source)["state_dict"].items()}
    safe.save_file(state, tmp_path / "exported.safetensors")
    assert read_weights(tmp_path / "exported.safetensors").keys() == source.state_dict().keys()


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (network(outputs=4), "head differs: head.weight is [1, 4, 1, 1] there, [4, 4, 1, 1] here"),
        (network(width=8), "[4, 3, 3, 3] there, [8, 3, 3, 3] here"),
    ],
    ids=["classes", "width"],
)
def test_weights_that_do_not_all_fit_are_refused_unless_asked_for(
    tmp_path: Path, other: nn.Module, named: str
) -> None:
    before = {key: value.clone() for key, value in other.state_dict().items()}
    with pytest.raises(ValueError, match=r"init_from=.*model\.pth: ") as caught:
        start_from(other, written(network(), tmp_path, "pth"))
    assert named in str(caught.value)
    assert len(str(caught.value).splitlines()) < 8
    for name, value in other.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_another_number_of_classes_keeps_all_but_the_head(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    source, model = network(outputs=1), network(outputs=4)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    start_from(model, written(source, tmp_path, "pth"), partial=True)
    for name, value in model.state_dict().items():
        expected = before[name] if name.startswith("head.") else source.state_dict()[name]
        assert torch.equal(value, expected), name
    (line,) = [record.message for record in log.records[1:]]
    assert all(text in line for text in ("head.weight", "[1, 4, 1, 1]", "[4, 4, 1, 1]"))


def test_missing_and_unused_weights_are_logged_in_a_line_each(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    weights = {f"old.{i}": torch.zeros(1) for i in range(9)} | {"0.weight": torch.ones(2, 2)}
    write_atomically(weights, tmp_path / "w.pth")
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    start_from(model, tmp_path / "w.pth", partial=True)
    missing, unused = [record.message for record in log.records[1:]]
    assert missing.startswith("3 ")
    assert missing.endswith(": 0.bias, 1.weight, 1.bias")
    assert unused.startswith("9 ")
    assert unused.endswith(": old.0, old.1, old.2 ...")


@pytest.mark.parametrize("name", ["none.pth", "none.ckpt", "none.safetensors"])
def test_a_source_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=name.replace(".", r"\.")):
        start_from(network(), tmp_path / name)


def test_weights_of_another_model_and_broken_files_are_refused(tmp_path: Path) -> None:
    write_atomically({"other": torch.zeros(1)}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"init_from=.*w\.pth: .* 1 .*: other "):
        start_from(network(), tmp_path / "w.pth")
    pytest.importorskip("safetensors", reason="in the export extra")
    (tmp_path / "w.safetensors").write_bytes(b"nonsense" * 9)
    with pytest.raises(ValueError, match=r"w\.safetensors: "):
        start_from(network(), tmp_path / "w.safetensors")
