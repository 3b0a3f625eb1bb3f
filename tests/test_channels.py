"""Images whose last channel alone shows the object, in a fourth channel and in a second file: what
is found with it is not found without, from the audit to the exported file.
"""

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

from seg.cli import build
from seg.cli.check import check
from seg.cli.compose import compose
from seg.data.errors import DataErrors
from seg.evaluate import evaluate
from seg.export import export
from seg.predict import predict
from seg.prepare import prepare
from seg.train import train
from tests.pictures import no_pictures

COUNT = 30
SMALL = [
    "dataset=folder", "dataset.image_size=48", "dataset.batch_size=3", "model.width=8",
    "model.depth=2", "model.norm=group", "optimizer.lr=5e-3", "trainer=cpu",
    "trainer.max_epochs=8", "trainer.precision=32",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _small_pictures() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "PANEL_ROWS", 1)
        yield


def make(root: Path, save: Callable[[Path, str, np.ndarray], None]) -> Path:
    """Cases of 48 x 48 pixels, colour noise and a fourth channel with a disc, saved by `save`."""
    rng = np.random.default_rng(4)
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for case in range(COUNT):
        mask = np.zeros((48, 48), np.uint8)
        cv2.circle(mask, tuple(rng.integers(12, 36, 2).tolist()), int(rng.integers(6, 11)), 255, -1)
        image = rng.integers(40, 200, (48, 48, 4), dtype=np.uint8)
        image[..., 3] = np.where(mask > 0, 190, 60) + rng.integers(-30, 31, mask.shape)
        save(root / "images", f"case_{case:02d}", image)
        cv2.imwrite(str(root / "masks" / f"case_{case:02d}.png"), mask)
    return root


def infrared(folder: Path, name: str, image: np.ndarray) -> None:
    tifffile.imwrite(folder / f"{name}.tif", image, photometric="rgb", extrasamples=["unspecified"])


def colours(folder: Path, name: str, image: np.ndarray) -> None:
    tifffile.imwrite(folder / f"{name}.tif", image[..., :3], photometric="rgb")


def two_files(folder: Path, name: str, image: np.ndarray) -> None:
    """Of 8 and of 16 bits."""
    cv2.imwrite(str(folder / f"{name}_0000.png"), image[..., 0])
    cv2.imwrite(str(folder / f"{name}_0001.png"), image[..., 3].astype(np.uint16) * 257)


def trained(root: Path, output: Path, *overrides: str) -> Path:
    cfg = compose([*SMALL, f"dataset.root={root}", f"output_dir={output}", *overrides])
    check(cfg)
    train(cfg)
    return next(output.glob("*-*/*/config.yaml")).parent


def dice_of(run: Path) -> float:
    return json.loads((run / "test.json").read_text())["metrics"]["dice"]["value"]


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("four") / "set", infrared)


@pytest.fixture(scope="module")
def four_run(four: Path) -> Path:
    return trained(four, four.parent / "out", "dataset.channels=4")


def test_a_fourth_channel_that_alone_shows_the_object_is_used(four_run: Path) -> None:
    assert dice_of(four_run) > 0.85


def test_four_channels_are_refused_where_three_are_asked_for(four: Path, tmp_path: Path) -> None:
    with pytest.raises(DataErrors, match="dataset.channels=4") as caught:
        trained(four, tmp_path)
    assert len(caught.value.messages) == COUNT


@no_pictures()
def test_without_the_fourth_channel_nothing_is_found(tmp_path: Path) -> None:
    assert dice_of(trained(make(tmp_path / "set", colours), tmp_path / "out")) < 0.5


def test_four_channels_are_predicted_evaluated_and_exported(
    four: Path, four_run: Path, tmp_path: Path
) -> None:
    predict(
        compose(
            [f"run={four_run}", f"input={four / 'images'}", f"output={tmp_path / 'masks'}",
             "overlays=true", "contact_sheet=true", "trainer.accelerator=cpu"],
            config_name="predict",
        )
    )  # fmt: skip
    assert mean_dice(tmp_path / "masks", four / "masks") > 0.85
    with (tmp_path / "masks" / "predictions.csv").open() as handle:
        assert not any("colour" in row["note"] for row in csv.DictReader(handle))
    assert (tmp_path / "masks" / "contact_sheet.png").is_file()
    evaluate(compose([f"run={four_run}", "trainer.accelerator=cpu"], config_name="evaluate"))
    keys = [f"run={four_run}", "format=pt2", f"output={tmp_path / 'model.pt2'}"]
    report = export(compose(keys, config_name="export"))  # as ONNX: below
    assert report["parity"]["good"]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("two") / "set", two_files)


@pytest.fixture(scope="module")
def two_run(two: Path) -> Path:
    keys = ["dataset.image_suffix=[_0000,_0001]", "dataset.channels=2"]
    return trained(two, two.parent / "out", *keys)


def test_a_second_file_that_alone_shows_the_object_is_used(two_run: Path) -> None:
    assert dice_of(two_run) > 0.85


@no_pictures()
def test_without_the_second_file_nothing_is_found(two: Path, tmp_path: Path) -> None:
    run = trained(two, tmp_path, "dataset.image_suffix=_0000", "dataset.channels=1")
    assert dice_of(run) < 0.5


def test_the_files_of_a_case_are_predicted_as_one_image_and_one_that_lacks_a_file_is_named(
    two: Path, two_run: Path, tmp_path: Path
) -> None:
    images = Path(shutil.copytree(two / "images", tmp_path / "images"))
    (images / "case_03_0001.png").unlink()
    output = tmp_path / "masks"
    cfg = compose(
        [
            f"run={two_run}",
            f"input={images}",
            f"output={output}",
            "contact_sheet=true",
            "trainer.accelerator=cpu",
        ],
        config_name="predict",
    )
    with pytest.raises(DataErrors) as caught:
        predict(cfg)
    (message,) = caught.value.messages
    assert "case_03_0001.png" in message
    names = {path.stem for path in (two / "masks").glob("*.png")} - {"case_03"}
    assert {path.stem for path in output.glob("case*.png")} == names
    (tmp_path / "references").mkdir()
    for name in names:
        shutil.copy(two / "masks" / f"{name}.png", tmp_path / "references")
    assert mean_dice(output, tmp_path / "references") > 0.85
    shutil.copy(two / "images" / "case_03_0001.png", images)
    before = {path: path.stat().st_mtime_ns for path in output.glob("case*.png")}
    predict(cfg)  # what is there already is kept
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (output / "case_03.png").is_file()


def test_a_network_of_several_files_is_evaluated_and_exported(
    two: Path, two_run: Path, tmp_path: Path
) -> None:
    evaluate(compose([f"run={two_run}", "trainer.accelerator=cpu"], config_name="evaluate"))
    path = tmp_path / "model.onnx"
    keys = [f"run={two_run}", f"output={path}", f"images={two / 'images'}"]
    report = export(compose(keys, config_name="export"))
    assert report["parity"]["good"]
    assert report["about"]["preprocessing"]["image_suffix"] == ["_0000", "_0001"]
    keys = [f"run={path}", f"input={two / 'images'}", f"output={tmp_path / 'masks'}"]
    predict(compose([*keys, "trainer.accelerator=cpu"], config_name="predict"))
    assert mean_dice(tmp_path / "masks", two / "masks") > 0.85


def mean_dice(masks: Path, references: Path) -> float:
    scores = []
    for path in sorted(references.glob("*.png")):
        a, b = (np.array(Image.open(p)) > 0 for p in (path, masks / path.name))
        scores.append(2 * (a & b).sum() / (a.sum() + b.sum()))
    return float(np.mean(scores))


def test_an_augmentation_of_colours_is_refused_before_the_data_are_read(
    four: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="augmentation=flip_rotate_zoom"):
        trained(four, tmp_path, "dataset.channels=4", "augmentation=strong")
    assert not (tmp_path / ".cache").exists()


def test_a_plan_has_the_channels_of_the_files(
    four: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    keys = ["dataset=folder", f"dataset.root={four}", "dataset.channels=4", "plan=mine"]
    prepare(compose([*keys, f"output_dir={tmp_path}", "minutes=0.1"], config_name="prepare"))
    plan = yaml.safe_load((tmp_path / "experiment" / "mine.yaml").read_text())
    assert plan["dataset"]["channels"] == 4
