"""Trainings with losses: weights that are computed, terms, and losses of other libraries."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from seg.cli.check import check
from seg.cli.compose import ConfigError, compose
from seg.train import train
from tests.commands import seg

pytestmark = pytest.mark.usefixtures("without_pictures")

CLASSES = "dataset=synthetic_classes"
SMALL = [
    "dataset.patients=8", "dataset.frames=2", "dataset.size=32", "dataset.image_size=32",
    "dataset.batch_size=4", "model.width=4", "model.depth=2", "trainer=cpu",
    "trainer.max_epochs=1", "optimizer.lr=1e-2",
]  # fmt: skip


def run(*overrides: str, output: Path, config_dir: Path | None = None) -> Path:
    """Train as the command does; returns the run folder."""
    search = [f"hydra.searchpath=[file://{config_dir}]"] if config_dir else []
    cfg = compose([*SMALL, *overrides, *search, f"output_dir={output}"])
    check(cfg)
    train(cfg)
    return max(output.glob("*-*/*/run.json"), key=lambda p: p.stat().st_mtime_ns).parent


def facts(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text())


def state(folder: Path, name: str = "last") -> dict:
    return torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)


def test_computed_weights_are_those_of_the_training_masks_and_are_recorded(tmp_path: Path) -> None:
    weights = ["loss=ce_dice", "loss.terms.ce.class_weights=auto"]
    folder = run(CLASSES, *weights, "loss.terms.dice.class_weights=auto", output=tmp_path)
    recorded = facts(folder)["class_weights"]
    names = list(recorded)
    assert names[0] == "background"
    (cache,) = (p for p in tmp_path.rglob("masks.npy"))
    masks = np.load(cache)
    listed = (folder / "split.csv").read_text().splitlines()
    header, rows = listed[0].split(","), [line.split(",") for line in listed[1:]]
    masks = masks[[row[header.index("split")] == "train" for row in rows]]
    shares = []
    for c in range(len(names)):
        with_class = masks[(masks == c).any((1, 2))]
        shares.append((with_class == c).mean())
    expected = np.median(shares) / shares
    assert list(recorded.values()) == pytest.approx(expected, rel=1e-4)
    kept = state(folder)
    assert kept["seg"]["class_weights"] == recorded
    for term in range(2):
        values = kept["state_dict"][f"losses.0.losses.{term}.class_weights.values"]
        assert values.tolist() == pytest.approx(list(recorded.values()))


def test_a_resumed_run_keeps_the_weights_that_were_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run("loss=focal", "loss.class_weights=auto", output=tmp_path)
    before = state(folder)["state_dict"]["losses.0.class_weights.values"]
    monkeypatch.setattr("seg.training.class_weights.median_frequency", lambda shares: [1.0, 9.0])
    run("loss=focal", "loss.class_weights=auto", "trainer.max_epochs=2", f"resume={folder}",
        output=tmp_path)  # fmt: skip
    assert state(folder)["epoch"] == 1
    assert torch.equal(state(folder)["state_dict"]["losses.0.class_weights.values"], before)
    assert list(facts(folder)["class_weights"].values()) == pytest.approx(before.tolist())


def test_a_run_without_computed_weights_records_none(tmp_path: Path) -> None:
    folder = run("loss=dice", output=tmp_path)
    assert "class_weights" not in facts(folder)
    assert not any(key.startswith("losses.") for key in state(folder)["state_dict"])


@pytest.mark.parametrize(
    "loss", ["boundary", "lovasz", "cldice", "focal", "topk_ce", "focal_tversky"]
)
def test_every_loss_trains_with_deep_supervision_in_bf16(loss: str, tmp_path: Path) -> None:
    more = ["model.deep_supervision=true", "trainer.precision=bf16-mixed", CLASSES]
    folder = run(f"loss={loss}", *more, output=tmp_path)
    assert facts(folder)["status"] == "finished"


LIBRARIES = {
    "monai": "_target_: monai.losses.DiceFocalLoss\nsoftmax: true\nto_onehot_y: true\n",
    "monai_ce": "_target_: monai.losses.DiceCELoss\nsoftmax: true\nto_onehot_y: true\n"
    "weight: [1, 5, 5]\n",
    "segmentation_models_pytorch": "_target_: segmentation_models_pytorch.losses.DiceLoss\n"
    "mode: multiclass\n",
    "torch": "_target_: torch.nn.CrossEntropyLoss\nweight: [1, 5, 5]\nlabel_smoothing: 0.1\n",
    "torch_bce": "_target_: torch.nn.BCEWithLogitsLoss\npos_weight: 3\n",
}


def written(name: str, tmp_path: Path) -> Path:
    """A folder of configurations with the library's loss as `loss=mine`."""
    package = name.split("_", maxsplit=1)[0] if name != "segmentation_models_pytorch" else name
    pytest.importorskip(package, reason=f"needs {package}", exc_type=ImportError)
    folder = tmp_path / "conf" / "loss"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(LIBRARIES[name])
    return folder.parent


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_librarys_loss_is_a_yaml_alone(name: str, tmp_path: Path) -> None:
    path = run(CLASSES, "loss=mine", output=tmp_path, config_dir=written(name, tmp_path))
    assert facts(path)["status"] == "finished"


@pytest.mark.parametrize("name", ["monai", "segmentation_models_pytorch", "torch"])
def test_a_librarys_loss_is_a_term_of_a_sum(name: str, tmp_path: Path) -> None:
    term = ["loss=ce_dice", "+loss@loss.terms.mine=mine", "+loss.terms.mine.scale=0.5"]
    path = run(CLASSES, *term, output=tmp_path, config_dir=written(name, tmp_path))
    assert facts(path)["status"] == "finished"


def test_a_loss_that_does_not_fit_the_classes_is_refused_before_data_are_read(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "conf" / "loss"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("_target_: torch.nn.CrossEntropyLoss\n")
    with pytest.raises(ValueError, match="CrossEntropyLoss"):  # one logit is no class
        run("loss=mine", output=tmp_path / "out", config_dir=tmp_path / "conf")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match=r"loss\.class_weights=\[1, 2, 3\]: needs 2 numbers"):
        run("loss=dice", "loss.class_weights=[1,2,3]", output=tmp_path / "out")


def test_the_documented_sum_of_ones_own(tmp_path: Path) -> None:
    text = Path(__file__).parents[1].joinpath("docs", "losses.md").read_text()
    yaml = text.split("# my_conf/loss/vessels.yaml\n")[1].split("```")[0]
    folder = tmp_path / "my_conf" / "loss"
    folder.mkdir(parents=True)
    (folder / "vessels.yaml").write_text(yaml)
    options = ["--config-dir", "my_conf", "loss=vessels", "loss.terms.tversky.alpha=0.1"]
    printed = seg("train", *options, *SMALL, "--cfg", "job", cwd=tmp_path)
    assert "beta: 0.9" in printed
    assert "alpha: 0.1" in printed
    seg("train", *options, *SMALL, cwd=tmp_path)
