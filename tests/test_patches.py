"""Patch training from end to end: one figure for a whole image, whichever command predicts it."""

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from seg.cli import build
from seg.cli.check import check
from seg.cli.compose import ConfigError, compose
from seg.data.errors import DataErrors
from seg.evaluate import evaluate
from seg.export import export
from seg.predict import predict
from seg.report.run.facts import data as data_facts
from seg.runs.folder import RunFolder
from seg.train import train
from seg.training.checkpoint import read
from tests.commands import seg
from tests.pictures import no_pictures

COUNTS = ("tp", "fp", "fn", "tn")
KEYS = [
    "dataset=folder", "dataset.image_size=null", "dataset.patch_size=32", "dataset.batch_size=4",
    "model.width=4", "model.depth=2", "trainer.max_epochs=2", "trainer=cpu", "optimizer.lr=0.003",
    "trainer.precision=32", "augmentation=strong",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _small_pictures() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "PANEL_ROWS", 1)
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 pairs of 16 sizes, some smaller than a patch; a bright disc, every fourth mask empty."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("varied")
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for i in range(16):
        size = (28 + 5 * i, 110 - 5 * i)
        mask = np.zeros(size, np.uint8)
        if i % 4:
            cv2.circle(mask, (size[1] // 2, size[0] // 2), int(rng.integers(6, 14)), 255, -1)
        image = rng.integers(0, 90, (*size, 3), dtype=np.uint8)
        image[mask > 0] += 120
        cv2.imwrite(str(folder / "images" / f"{i}.png"), image)
        cv2.imwrite(str(folder / "masks" / f"{i}.png"), mask)
    return folder


def trained(root: Path, output: Path, *overrides: str) -> Path:
    cfg = compose([*KEYS, f"dataset.root={root}", f"output_dir={output}", *overrides])
    check(cfg)
    train(cfg)
    return next(output.glob("*-*/*/config.yaml")).parent


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(root, tmp_path_factory.mktemp("run"), "dataset.split.test=0.4")


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """An ONNX file of the run, and what its export reports."""
    pytest.importorskip("onnxruntime")
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    return path, command("export", f"run={run}", "format=onnx", f"output={path}")


def command(name: str, *overrides: str):
    cfg = compose(list(overrides), config_name=name)
    check(cfg, command=name)
    return {"evaluate": evaluate, "predict": predict, "export": export}[name](cfg)


def counts(path: Path) -> dict[tuple[str, str], list[int]]:
    with path.open(newline="", encoding="utf-8") as handle:
        rows = csv.DictReader(handle)
        return {(r["case"], r["class"]): [int(r[name]) for name in COUNTS] for r in rows}


def test_training_and_evaluation_count_the_same_pixels(run: Path, root: Path) -> None:
    command("evaluate", f"run={run}", "trainer.accelerator=cpu")
    tested, evaluated = (
        counts(run / path) for path in ("test_cases.csv", "evaluate/test/test_cases.csv")
    )
    assert len(tested) == 6
    assert sum(c[0] for c in tested.values()) > 0
    assert tested == evaluated
    for (case, _), numbers in tested.items():
        mask = cv2.imread(str(root / "masks" / Path(case).name), cv2.IMREAD_UNCHANGED)
        assert sum(numbers) == mask.size  # all pixels of the image, and none beyond it


def test_masks_of_prediction_and_of_an_onnx_file_are_those_of_the_evaluation(
    run: Path, exported: tuple[Path, dict], root: Path, tmp_path: Path
) -> None:
    command("predict", f"run={run}", f"input={root / 'images'}", f"output={tmp_path / 'a'}",
            "trainer.accelerator=cpu")  # fmt: skip
    tested = counts(run / "test_cases.csv")
    for (case, _), (tp, fp, *_) in tested.items():
        mask = cv2.imread(str(tmp_path / "a" / Path(case).name), cv2.IMREAD_UNCHANGED)
        assert np.count_nonzero(mask) == tp + fp
    onnx, report = exported
    assert report["parity"]["sizes"] == ["32x32"]
    command("predict", f"run={onnx}", f"input={root / 'images'}", f"output={tmp_path / 'b'}")
    for path in (tmp_path / "a").glob("*.png"):
        ours, theirs = (cv2.imread(str(tmp_path / d / path.name), -1) for d in "ab")
        assert np.mean(ours != theirs) < 0.001


def test_an_exported_file_refuses_what_is_no_window(exported: tuple[Path, dict]) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(exported[0]))
    session.run(None, {"image": np.zeros((3, 32, 32, 3), np.uint8)})
    with pytest.raises(Exception, match="INVALID_ARGUMENT"):
        session.run(None, {"image": np.zeros((1, 64, 64, 3), np.uint8)})


def test_what_a_checkpoint_and_the_report_say_of_patches(run: Path) -> None:
    shape = read(run / "checkpoints" / "best.ckpt")["seg"]["preprocessing"]
    assert (shape["size"], shape["patch"]) == (None, [32, 32])
    facts = data_facts(RunFolder(run), None)
    assert facts["size in training"] == "their own"
    assert facts["patches in training"].startswith("32x32")


@no_pictures()
def test_two_classes_that_share_pixels_train_on_patches(root: Path, tmp_path: Path) -> None:
    folder = trained(
        root, tmp_path, "dataset.mask_dir={disc: masks, again: masks}", "dataset.overlap=true",
        "loss=bce_dice", "trainer.max_epochs=1",
    )  # fmt: skip
    tested = counts(folder / "test_cases.csv")
    assert {name for _, name in tested} == {"disc", "again"}
    command("evaluate", f"run={folder}", "trainer.accelerator=cpu")
    assert tested == counts(folder / "evaluate/test/test_cases.csv")


@no_pictures()
def test_images_are_resized_first_where_a_size_is_given(root: Path, tmp_path: Path) -> None:
    folder = trained(root, tmp_path, "dataset.image_size=[96,64]", "trainer.max_epochs=1")
    assert {sum(numbers) for numbers in counts(folder / "test_cases.csv").values()} == {96 * 64}
    content = command("evaluate", f"run={folder}", "trainer.accelerator=cpu")
    assert content["size"] == "original"


@no_pictures()
def test_a_rank_of_its_own_half_of_the_images_gives_the_same_figures(
    root: Path, tmp_path: Path
) -> None:
    """Without learning the weights are those of one process, and so are the whole images'."""
    tables = []
    for name, extra in (("one", []), ("two", ["trainer=ddp", "trainer.devices=2",
                                              "trainer.accelerator=cpu"])):  # fmt: skip
        keys = [*KEYS, "optimizer.lr=0", "trainer.max_epochs=1", "model.norm=none", *extra]
        where = [f"dataset.root={root}", f"output_dir={tmp_path / name}"]
        seg("train", *keys, *where, cwd=tmp_path)
        folder = next((tmp_path / name).glob("*-*/*/config.yaml")).parent
        tables.append(counts(folder / "test_cases.csv"))
    assert tables[0] == tables[1]


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["dataset.image_size=null"], "dataset.patch_size=256"),
        (["dataset.patch_size=300"], "dataset.patch_size=304"),
        (["dataset.patch_size=512"], "dataset.image_size=128"),
        (["dataset.patch_size=[64,40]"], "dataset.patch_size=[64,32]"),
        (["dataset.patch_size=64", "dataset.patch_foreground=1.5"], "dataset.patch_foreground"),
        (["dataset.patch_size=64", "dataset.patches_per_image=0"], "dataset.patches_per_image"),
    ],
)
def test_sizes_that_cannot_go_together_are_refused_with_ones_that_can(
    overrides: list[str], key: str
) -> None:
    with pytest.raises(ConfigError, match=key.replace("[", r"\[")):
        check(compose(overrides))


def test_an_unreadable_header_names_the_file(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "set")
    (tmp_path / "set" / "images" / "3.png").write_bytes(b"no picture at all")
    with pytest.raises(DataErrors, match=r"3\.png"):
        trained(tmp_path / "set", tmp_path / "out")
