"""The command `seg.export`: what is written, what is refused, and that nothing is left of that."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from numpy.typing import NDArray
from PIL import Image

from seg.cli.check import check
from seg.cli.compose import ConfigError, compose
from seg.export import export
from seg.exporting import build
from seg.inference.load import Loader
from seg.inference.model import LoadedModel
from seg.inference.segmentation import decide
from seg.train import train
from seg.training.checkpoint import read, write_atomically

pytestmark = pytest.mark.usefixtures("without_pictures")

ROOT = Path(__file__).parents[1]
SMALL = ["dataset.image_size=32", "model.width=4", "model.depth=2", "model.norm=group",
         "trainer=cpu", "trainer.max_epochs=1"]  # fmt: skip


def trained(root: Path, output: Path, *overrides: str) -> Path:
    where = [
        f"dataset.root={root}",
        f"dataset.cache_dir={output / 'cache'}",
        f"output_dir={output}",
    ]
    train(compose(["dataset=folder", *where, *SMALL, *overrides]))
    return next(output.glob("*-*/*/config.yaml")).parent


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, write_folder: Callable) -> Path:
    folder = tmp_path_factory.mktemp("export")
    write_folder(folder / "set", count=12)
    return trained(folder / "set", folder / "out")


@pytest.fixture
def run(kept: Path, tmp_path: Path) -> Path:
    """A run folder for this test alone."""
    return Path(shutil.copytree(kept, tmp_path / "run"))


def exported(run: Path, *overrides: str) -> dict[str, Any]:
    cfg = compose([f"run={run}", *overrides], config_name="export")
    check(cfg, command="export")
    return export(cfg)


def rebuilt(path: Path) -> LoadedModel:
    return Loader(build=partial(instantiate, _convert_="all")).load_file(path)


@pytest.mark.parametrize("form", ["pth", "safetensors"])
def test_weights_are_built_again_into_the_same_network(run: Path, form: str) -> None:
    report = exported(run, f"format={form}")
    path = run / "export" / f"model.{form}"
    network, own = rebuilt(path), rebuilt(run / "checkpoints" / "best.ckpt")
    assert (network.classes, network.threshold) == (own.classes, own.threshold)
    image = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    probs = [model.predictor.probabilities(image) for model in (network, own)]
    assert np.array_equal(*probs)
    assert report["bytes"] == path.stat().st_size
    assert json.loads(path.with_name(f"{path.name}.parity.json").read_text()) == report
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name, f"{path.name}.parity.json"]


def test_weights_name_no_folder_of_the_training(run: Path) -> None:
    exported(run, "format=pth")
    content = torch.load(run / "export" / "model.pth", weights_only=True)
    assert set(content) == {"state_dict", "seg"}
    assert "/set" not in json.dumps(content["seg"])
    assert "/out" not in json.dumps(content["seg"])


def test_an_existing_file_is_replaced_only_with_overwrite(run: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.pth"
    output.write_text("precious")
    with pytest.raises(FileExistsError, match=r"mine\.pth: .*overwrite=true"):
        exported(run, "format=pth", f"output={output}")
    assert output.read_text() == "precious"
    exported(run, "format=pth", f"output={output}", "overwrite=true")
    assert rebuilt(output).classes == ["foreground"]


def test_the_input_is_left_as_it_was(run: Path) -> None:
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    exported(run, "format=pth")
    assert {p: p.read_bytes() for p in before} == before


def wrong(image: NDArray) -> tuple[NDArray, NDArray]:
    """Other predictions than a checkpoint's."""
    return np.zeros(image.shape[:2], np.uint8), np.zeros((1, *image.shape[:2]), np.float32)


def test_a_file_that_predicts_something_else_is_refused_and_not_left(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "write_graph", lambda *args: args[3].write_text("a file"))
    monkeypatch.setattr(build, "exported_predict", lambda path: wrong)
    with pytest.raises(ValueError, match=r"model\.pt2: "):
        exported(run, "format=pt2")
    assert list((run / "export").iterdir()) == []


def test_weights_that_cannot_be_read_again_are_refused(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(weights: dict, about: dict, path: Path) -> None:
        torch.save({"state_dict": {k: v + 1 for k, v in weights.items()}, "seg": about}, path)

    monkeypatch.setattr(build, "_write_pth", damaged)
    with pytest.raises(ValueError, match=r"model\.pth: .*weight"):
        exported(run, "format=pth")
    assert list((run / "export").iterdir()) == []


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.mark),)


def test_a_strangers_checkpoint_runs_nothing(run: Path, tmp_path: Path) -> None:
    path, mark = tmp_path / "given.ckpt", tmp_path / "ran"
    torch.save({"seg": Evil(mark)}, path)
    with pytest.raises(ValueError, match=r"given\.ckpt"):
        exported(run, "format=pth", f"checkpoint={path}")
    content = read(run / "checkpoints" / "best.ckpt")
    content["seg"]["config"]["model"] = {"_target_": "os.mkdir", "path": str(mark)}
    write_atomically(content, path)
    with pytest.raises(ValueError, match=r"given\.ckpt.*os\.mkdir.*refused"):
        exported(run, "format=pth", f"checkpoint={path}")
    assert not mark.exists()
    assert not (run / "export").exists()


def test_last_is_never_taken_for_best(run: Path) -> None:
    (run / "checkpoints" / "best.ckpt").unlink()
    with pytest.raises(FileNotFoundError, match=r"best\.ckpt: .*last\.ckpt"):
        exported(run, "format=pth")


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("model.onnx", r"ends in \.pth"),
        (".", r"ends in \.pth"),
        ("file/model.pth", r"file"),
    ],
)
def test_places_that_cannot_be_are_named(
    run: Path, tmp_path: Path, output: str, problem: str
) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises((ValueError, OSError), match=problem):
        exported(run, "format=pth", f"output={tmp_path / output}")


@pytest.mark.parametrize(("form", "package"), [("onnx", "onnxscript"), ("safetensors", None)])
def test_a_missing_package_is_named_with_its_extra(
    run: Path, form: str, package: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package or "safetensors.torch", None)
    with pytest.raises(ImportError, match=rf"format={form} needs .*seg-med\[export\]"):
        exported(run, f"format={form}")
    assert not (run / "export").exists()


def test_folders_of_images_are_read_or_named(run: Path, tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    with pytest.raises(FileNotFoundError, match="images=.*some"):
        exported(run, "format=pt2", f"images={tmp_path / 'some'}")
    (tmp_path / "some" / "broken.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"broken\.png"):
        exported(run, "format=pt2", f"images={tmp_path / 'some'}")


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ([], "run: required"),
        (["run=nowhere"], "run=nowhere ("),
        (["run=.", "format=onx"], "onnx, pt2, safetensors or pth"),
        (["run=.", "format=pth", "int8=true"], "int8=true: "),
        (["run=.", "int8=maybe"], "int8=maybe: "),
        (["run=.", "count=0"], "count=0"),
        (["run=.", "split=tset"], "split=tset"),
        (["run=.", "overwrite=1"], "overwrite=1"),
        (["run=.", "+fromat=onnx"], "fromat: no such key (nearest: format)"),
        (["run=.", "+dataset.rot=x"], "dataset.rot: no such key (nearest: root)"),
        (["run=[a,b]"], "run=['a', 'b']: "),
    ],
)
def test_problems_are_reported_before_anything_is_read(overrides: list[str], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(compose(overrides, config_name="export"), command="export")
    assert problem in str(caught.value)


def command(name: str, *argv: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", f"seg.{name}", *argv],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def example() -> str:
    text = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    found = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(found) == 1
    return found[0]


@pytest.mark.slow
def test_the_example_of_the_documentation_makes_the_mask_that_seg_makes(
    real: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    pairs = tmp_path / "set"
    for part in ("images", "masks"):
        (pairs / part).mkdir(parents=True)
        for file in sorted((real / "kvasir_seg_native" / part).iterdir()):
            shutil.copy(file, pairs / part)
    split = ["dataset.split.val=1", "dataset.split.test=1"]
    run = trained(pairs, tmp_path / "out", *split, "trainer.max_epochs=3")
    done = command("export", f"run={run}", "format=onnx", "count=3")
    assert done.returncode == 0, done.stderr
    assert "equal mask pixels" in done.stdout
    assert example().count("\n") <= 8
    picture = sorted((pairs / "images").iterdir())[0]
    shutil.copy(run / "export" / "model.onnx", tmp_path / "model.onnx")
    shutil.copy(picture, tmp_path / "image.jpg")
    alone = example() + "\nimport sys; assert not {'seg', 'torch', 'cv2'} & set(sys.modules)"
    subprocess.run([sys.executable, "-I", "-c", alone], cwd=tmp_path, check=True)
    mask = np.array(Image.open(tmp_path / "mask.png"))
    network = rebuilt(run / "checkpoints" / "best.ckpt")
    probs = network.predictor.probabilities(np.array(Image.open(picture).convert("RGB")))
    ours = decide(probs, network.threshold)
    assert mask.shape == ours.shape
    assert 0 < ours.mean() < 1
    assert (mask == ours).mean() > 0.9999
    # and seg.predict gives the same with the file as with the run
    given = [f"input={pairs / 'images'}", "trainer.accelerator=cpu"]
    for name, model in (("of_file", tmp_path / "model.onnx"), ("of_run", run)):
        done = command("predict", f"run={model}", *given, f"output={tmp_path / name}")
        assert done.returncode == 0, done.stderr
    masks = sorted((tmp_path / "of_file").glob("*.png"))
    assert len(masks) == 5
    for file in masks:
        other = cv2.imread(str(tmp_path / "of_run" / file.name), cv2.IMREAD_UNCHANGED)
        assert (cv2.imread(str(file), cv2.IMREAD_UNCHANGED) == other).mean() > 0.9999


@pytest.mark.slow
def test_the_command_measures_what_8_bits_cost(run: Path) -> None:
    pytest.importorskip("onnxruntime")
    done = command("export", f"run={run}", "int8=true", "count=2")
    assert done.returncode == 0, done.stderr
    assert "int8: " in done.stderr
    report = json.loads((run / "export" / "model.int8.onnx.parity.json").read_text())
    assert report["parity"]["good"]
    assert 0 < report["int8"]["largest"] < 0.5
    assert [p.name for p in (run / "export").glob("*.onnx")] == ["model.int8.onnx"]
    done = command("export", f"run={run}", "int8=true", "count=2")
    assert done.returncode == 1
    assert "overwrite=true" in done.stderr
    assert "Traceback" not in done.stderr
