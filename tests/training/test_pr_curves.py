"""Precision against recall in the event file, beside the table of cases."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from seg.cli.compose import compose
from seg.train import train
from tests.commands import python

pytestmark = pytest.mark.usefixtures("without_pictures")

KEYS = [
    "dataset=folder", "dataset.image_size=32", "dataset.batch_size=2", "model.width=4",
    "model.depth=2", "trainer.max_epochs=1", "optimizer.lr=0.003", "trainer.precision=32",
    "trainer.accelerator=cpu", "dataset.split.val=3", "dataset.split.test=5",
]  # fmt: skip
PATCHES = ["dataset.image_size=null", "dataset.patch_size=32"]
HALF = 63  # of the thresholds 1/128, 2/128, ...


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """14 pairs of many sizes, each with a bright disc."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("discs")
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for i in range(14):
        mask = np.zeros((40 + 3 * i, 70 - 2 * i), np.uint8)
        cv2.circle(mask, (30, 30), int(rng.integers(6, 14)), 255, -1)
        image = rng.integers(0, 90, (*mask.shape, 3), dtype=np.uint8)
        image[mask > 0] += 120
        cv2.imwrite(str(folder / "images" / f"{i}.png"), image)
        cv2.imwrite(str(folder / "masks" / f"{i}.png"), mask)
    return folder


def curve_and_table(output: Path) -> tuple[Sequence[float], Sequence[float]]:
    """tp, fp, tn, fn at 0.5 of the event file, and summed over test_cases.csv."""
    folder = next(output.glob("*-*/*/config.yaml")).parent
    events = EventAccumulator(str(folder)).Reload()
    [tag] = [tag for tag in events.Tags()["tensors"] if tag.startswith("pr_curve/")]
    proto = events.Tensors(tag)[0].tensor_proto
    at_half = make_ndarray(proto)[:4, HALF]
    with (folder / "test_cases.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == json.loads((folder / "test.json").read_text())["cases"] == 5
    sums = [sum(int(row[name]) for row in rows) for name in ("tp", "fp", "tn", "fn")]
    return at_half.tolist(), sums


@pytest.mark.parametrize("more", [[], PATCHES], ids=["resized", "patches"])
def test_the_curve_at_one_half_has_the_counts_of_the_table(
    root: Path, tmp_path: Path, more: list[str]
) -> None:
    train(compose([*KEYS, *more, f"dataset.root={root}", f"output_dir={tmp_path}"]))
    at_half, sums = curve_and_table(tmp_path)
    assert at_half == sums


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], PATCHES], ids=["resized", "patches"])
def test_two_ranks_count_each_case_once(root: Path, tmp_path: Path, more: list[str]) -> None:
    """Five cases on two ranks: one is repeated to fill them up."""
    keys = [*KEYS, *more, f"dataset.root={root}", f"output_dir={tmp_path / 'out'}"]
    ranks = ["trainer=ddp", "trainer.devices=2"]
    python("-m", "seg.train", *ranks, *keys, cwd=tmp_path)
    at_half, sums = curve_and_table(tmp_path / "out")
    assert at_half == sums
