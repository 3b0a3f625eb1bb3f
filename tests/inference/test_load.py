"""Checkpoints of strangers: loaded or refused, and never run."""

import os
import sys
import types
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from torch import nn

from seg.inference.load import Loader
from seg.models.normalize import Normalize
from seg.models.unet import UNet
from seg.runs.weight_files import find_checkpoint

NODE = {"_target_": "seg.models.unet.UNet", "in_channels": 3, "out_channels": 1, "width": 4,
        "depth": 2}  # fmt: skip
build = partial(instantiate, _convert_="all")


def content(node: Any = NODE, model: nn.Module | None = None) -> dict[str, Any]:
    model = model or UNet(in_channels=3, out_channels=1, width=4, depth=2)
    mean, std = [1.0, 2.0, 3.0], [4.0, 5.0, 6.0]
    layers = {"model": model, "normalize": Normalize(mode="dataset", mean=mean, std=std)}
    state = {f"{n}.{k}": v for n, layer in layers.items() for k, v in layer.state_dict().items()}
    return {
        "state_dict": state,
        "seg": {
            "config": {"model": node, "threshold": 0.5, "dataset": {"classes": {"polyp": 255}}},
            "classes": ["polyp"],
            "preprocessing": {
                "size": [32, 48], "channels": 3, "window": None, "normalize": "dataset",
                "mean": mean, "std": std,
            },
            "threshold": 0.25,
            "stage": 0,
        },
    }  # fmt: skip


def saved(path: Path, stored: Any) -> Path:
    torch.save(stored, path)
    return path


def test_weights_and_what_a_prediction_needs_are_there(tmp_path: Path) -> None:
    stored = content()
    model = Loader(build=build).load_file(saved(tmp_path / "a.ckpt", stored))
    for key, value in model.predictor.model.state_dict().items():
        assert torch.equal(value, stored["state_dict"][f"model.{key}"])
    assert model.preprocessing.size == (32, 48)
    assert model.preprocessing.classes == {"polyp": 255}
    assert (model.classes, model.threshold) == (["polyp"], 0.25)
    assert model.postprocess == {"largest_component": [], "fill_holes": []}
    assert not model.predictor.model.training
    out = model.predictor.normalize(torch.full((1, 3, 1, 1), 9, dtype=torch.uint8))
    assert out.flatten().tolist() == pytest.approx([8 / 4, 7 / 5, 6 / 6])


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.mark),)


def test_a_pickle_that_runs_code_is_refused_unrun(tmp_path: Path) -> None:
    path = saved(tmp_path / "evil.ckpt", {"seg": Evil(tmp_path / "ran")})
    with pytest.raises(ValueError, match=r"evil\.ckpt"):
        Loader(build=build).load_file(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "node",
    [
        {"_target_": "os.mkdir", "path": "{mark}"},
        {"_target_": "seg.runs.atomic.fresh_folder", "parent": "{mark}"},
        {"_target_": "torch.nn.Sequential", "_args_": [{"_target_": "pathlib.Path.mkdir"}]},
        {"_target_": "torch.nn.modules.module.torch.save", "obj": 1, "f": "{mark}"},
        {"_target_": "seg.models.unet.UNet", "norm": "${oc.create:{_target_:os.mkdir}}"},
        {"_target_": "my_package.Net"},
        {"_target_": "segmentation_models.Unet"},
        {"_target_": "torch.hub.load"},
        {"no": "target"},
        "seg.models.unet.UNet",
        None,
    ],
    ids=str,
)
def test_what_is_no_network_of_a_trusted_package_is_refused_unrun(
    node: Any, tmp_path: Path
) -> None:
    if isinstance(node, dict):
        mark = str(tmp_path / "ran")
        node = {k: v.format(mark=mark) if v == "{mark}" else v for k, v in node.items()}
    built = []
    path = saved(tmp_path / "a.ckpt", content(node))
    with pytest.raises(ValueError, match=r"a\.ckpt.*(refused|_target_)"):
        Loader(build=built.append).load_file(path)
    assert not built
    assert not (tmp_path / "ran").exists()


def test_an_interpolation_would_run_code_if_it_were_let_through(tmp_path: Path) -> None:
    """Why they are refused: Hydra instantiates what an interpolation resolves to."""
    made = build({"a": f"${{oc.create:{{_target_:os.mkdir,_args_:[{tmp_path}/ran]}}}}",
                  "_target_": "builtins.dict"})  # fmt: skip
    assert made is not None
    assert (tmp_path / "ran").exists()


def test_a_users_own_class_is_made_once_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = types.ModuleType("my_package")
    exec(
        "from torch import nn\nclass Net(nn.Linear): pass\ndef net(): return Net(2, 1)",
        vars(package),
    )
    package.Net.__module__ = "my_package"
    monkeypatch.setitem(sys.modules, "my_package", package)
    for node in ({"_target_": "my_package.Net", "in_features": 2, "out_features": 1},
                 {"_target_": "my_package.net"}):  # fmt: skip
        path = saved(tmp_path / "a.ckpt", content(node, nn.Linear(2, 1)))
        with pytest.raises(ValueError, match="trust=my_package"):
            Loader(build=build).load_file(path)
        model = Loader(build=build, trust=["my_package"]).load_file(path)
        assert isinstance(model.predictor.model, package.Net)
        with pytest.raises(ValueError, match=r"a\.ckpt.*my_package"):  # a prefix ends at a dot
            Loader(build=build, trust=["my_pack"]).load_file(path)


def test_an_encoders_own_weights_are_not_fetched(tmp_path: Path) -> None:
    node = {"_target_": "torch.nn.Sequential", "pretrained": True,
             "encoder": {"encoder_weights": "imagenet", "checkpoint_path": "x.pth"}}  # fmt: skip
    path, built = saved(tmp_path / "a.ckpt", content(node)), {}
    with pytest.raises(ValueError, match=r"_target_=torch\.nn\.Sequential"):
        Loader(build=built.update).load_file(path)
    assert built["pretrained"] is False
    assert built["encoder"] == {"encoder_weights": None, "checkpoint_path": ""}


def half(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize(
    "spoil",
    [
        half,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("no checkpoint"),
        lambda path: saved(path, [1, 2]),
        lambda path: saved(path, UNet(in_channels=3, out_channels=1).state_dict()),
        lambda path: saved(path, content() | {"seg": 3}),
        lambda path: saved(path, content(NODE | {"width": 8})),
        lambda path: saved(path, content(NODE | {"depth": 3})),
        lambda path: saved(path, content(NODE | {"colour": 3})),
        lambda path: saved(path, content() | {"state_dict": {}}),
    ],
)
def test_a_file_that_cannot_be_used_is_one_message_with_its_name(
    spoil: Any, tmp_path: Path
) -> None:
    path = saved(tmp_path / "best.ckpt", content())
    spoil(path)
    with pytest.raises(ValueError, match=r"best\.ckpt") as caught:
        Loader(build=build).load_file(path)
    assert len(str(caught.value)) < 500


def test_other_weights_are_never_taken_instead(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    last = saved(tmp_path / "checkpoints" / "last.ckpt", {})
    with pytest.raises(FileNotFoundError, match=r"best\.ckpt.*last\.ckpt"):
        find_checkpoint(tmp_path, "best")
    assert find_checkpoint(tmp_path, "last") == last
    assert find_checkpoint(tmp_path / "elsewhere", str(last)) == last
    for run, which in ((tmp_path / "none", "best"), (tmp_path, "gone.ckpt")):
        with pytest.raises(FileNotFoundError, match=r"run=.*none|checkpoint=gone\.ckpt"):
            find_checkpoint(run, which)
