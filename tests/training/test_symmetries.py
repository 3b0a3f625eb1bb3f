"""What a training records of its augmentation's mirror images, and when it refuses them."""

import logging
from pathlib import Path

import albumentations as A  # noqa: N812 - as its documentation writes it
import numpy as np
import pytest
import torch
from PIL import Image

from seg.cli.check import check
from seg.cli.compose import compose
from seg.data.symmetries import VIEWS
from seg.predict import predict
from seg.train import train
from seg.training.symmetries import record
from tests.data.test_datamodule import module
from tests.data.test_mirrored_classes import anywhere, two_organs

pytestmark = pytest.mark.usefixtures("without_pictures")

FLIP = A.Compose([A.HorizontalFlip(p=0.5)])
SIDES = {"left": 1, "right": 2}


def write_set(root: Path, masks: list[np.ndarray]) -> Path:
    rng = np.random.default_rng(1)
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for i, mask in enumerate(masks):
        image = rng.normal(80, 20, mask.shape) + 70 * (mask > 0)
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(root / "images" / f"{i:02}.png")
        Image.fromarray(mask).save(root / "masks" / f"{i:02}.png")
    return root


@pytest.fixture
def organs(tmp_path: Path) -> Path:
    return write_set(tmp_path / "organs", list(two_organs(40, seed=0)))


def recorded(root: Path, tmp_path: Path, classes: dict, augmentation: A.Compose | None) -> dict:
    from seg.data.sources.folder import Folder  # noqa: PLC0415

    source = Folder(root=str(root), classes=classes)
    return record(module(root, tmp_path, source=source, augmentation=augmentation))


def test_names_and_masks_together_stop_a_training_with_flips(organs: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"left and right.*augmentation=rotate_zoom"):
        recorded(organs, tmp_path, SIDES, FLIP)


def test_without_flips_the_same_classes_train(organs: Path, tmp_path: Path, caplog) -> None:
    for augmentation in (None, A.Compose([A.VerticalFlip(p=0.5)])):
        made = recorded(organs, tmp_path, SIDES, augmentation)
        assert made["mirrored"] == [
            {"classes": ("left", "right"), "axis": "horizontal", "by": "names and masks"}
        ]
    assert made["trained"] == ["vertical flip"]
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_masks_alone_or_names_alone_are_a_warning(organs: Path, tmp_path: Path, caplog) -> None:
    assert recorded(organs, tmp_path, {"a": 1, "b": 2}, FLIP)["mirrored"][0]["by"] == "masks"
    lying_anywhere = write_set(tmp_path / "anywhere", list(anywhere(40, seed=0)))
    assert recorded(lying_anywhere, tmp_path, SIDES, FLIP)["mirrored"][0]["by"] == "names"
    warned = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warned) == 2
    assert all("augmentation=rotate_zoom" in message for message in warned)


def test_classes_that_lie_anywhere_are_neither(tmp_path: Path, caplog) -> None:
    root = write_set(tmp_path / "anywhere", list(anywhere(40, seed=0)))
    strong = A.Compose([A.D4(p=1)])
    assert recorded(root, tmp_path, {"a": 1, "b": 2}, strong) == {
        "trained": list(VIEWS), "mirrored": []
    }  # fmt: skip
    assert not caplog.records


def test_a_checkpoint_carries_the_record_and_prediction_goes_by_it(
    organs: Path, tmp_path: Path
) -> None:
    lines = [
        "dataset=folder", f"dataset.root={organs}", "dataset.classes={left: 1, right: 2}",
        "dataset.image_size=32", "model.width=4", "model.depth=2", "loss=ce_dice",
        "trainer.max_epochs=1", "trainer.accelerator=cpu", f"output_dir={tmp_path / 'out'}",
        "name=sides",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="left and right"):
        train(compose(lines))  # the default augmentation has flips
    train(compose([*lines, "augmentation=rotate_zoom"]))
    path = max((tmp_path / "out" / "sides").rglob("best.ckpt"))
    carried = torch.load(path, weights_only=True)["seg"]["symmetries"]
    assert carried["trained"] == []
    assert [pair["by"] for pair in carried["mirrored"]] == ["names and masks"]
    cfg = compose(
        [f"run={path}", f"input={organs / 'images'}", f"output={tmp_path / 'p'}", "tta=flips",
         "trainer.accelerator=cpu"],
        config_name="predict",
    )  # fmt: skip
    check(cfg, command="predict")
    with pytest.raises(ValueError, match="tta=flips"):
        predict(cfg)
    assert not (tmp_path / "p").exists()
