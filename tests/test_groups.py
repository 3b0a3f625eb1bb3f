"""Groups are the patients that the data say, whatever images they share; figures by hand."""

import csv
import json
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from seg.cli.check import check
from seg.cli.compose import compose
from seg.evaluate import evaluate
from seg.prepare import prepare
from seg.train import train

pytestmark = pytest.mark.usefixtures("without_pictures")

PATIENTS, SLICES = 10, 4
SETTINGS = [
    "dataset=folder", "dataset.group=folder", "dataset.image_size=32", "dataset.batch_size=4",
    "dataset.num_workers=0", "model.width=4", "model.depth=2", "trainer.max_epochs=1",
    "trainer.accelerator=cpu", "dataset.split.val=0.2", "dataset.split.test=0.4",
]  # fmt: skip


def run(command, config_name: str, overrides: list[str]):
    cfg = compose(overrides, config_name=config_name)
    check(cfg, command=config_name)
    return command(cfg)


def write_set(root: Path, *, shared: str, last: int = SLICES) -> Path:
    """Ten patients of four slices; one of them is in several patients, or black in all.

    Args:
        shared: `black`: slice 0 of all patients. `equal`: the same file in p0 and p1. `near`: the
            second is re-encoded and brighter.
        last: how many slices the last patient has.
    """
    rng = np.random.default_rng(0)
    for p in range(PATIENTS):
        for s in range(last if p == PATIENTS - 1 else SLICES):
            noise = rng.normal(0, 1, (12, 12)).astype(np.float32)
            image = 60 + 40 * cv2.resize(noise, (48, 48), interpolation=cv2.INTER_CUBIC)
            mask = np.zeros((48, 48), np.uint8)
            x, y, radius = rng.integers(14, 34), rng.integers(14, 34), int(rng.integers(5, 12))
            cv2.circle(mask, (int(x), int(y)), radius, 255, -1)
            image[mask > 0] += 90
            if s == 0 and shared == "black":
                image[:], mask[:] = 0, 0
                image[5, 7 + p] = 200  # a noisy pixel
            name = f"p{p}/{s}.png"
            for kind, values in (("images", image), ("masks", mask)):
                (root / kind / f"p{p}").mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(root / kind / name), np.clip(values, 0, 255).astype(np.uint8))
    for kind in ("images", "masks"):
        first, second = root / kind / "p0/0.png", root / kind / "p1/0.png"
        if shared == "equal" or (shared == "near" and kind == "masks"):
            second.write_bytes(first.read_bytes())
        elif shared == "near":
            cv2.imwrite(str(second), np.clip(cv2.imread(str(first)) * 1.08, 0, 255))
    return root


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def dice_by_hand(table: list[dict[str, str]]) -> float:
    """The mean over patients, named by their folder, of the Dice of all their pixels."""
    counts = defaultdict(lambda: np.zeros(3))
    for row in table:
        patient = row["case"].split("/")[-2]
        counts[patient] += [float(row[key]) for key in ("tp", "fp", "fn")]
    sums = np.stack(list(counts.values()))
    size = 2 * sums[:, 0] + sums[:, 1] + sums[:, 2]
    return float(np.where(size > 0, 2 * sums[:, 0] / np.where(size > 0, size, 1), 1).mean())


def trained(root: Path, output: Path, *more: str) -> Path:
    run(train, "train", [*SETTINGS, f"dataset.root={root}", f"output_dir={output}", *more])
    return next(output.glob("*-*/*/run.json")).parent


@pytest.mark.parametrize("shared", ["black", "equal", "near"])
def test_figures_are_over_the_patients_whatever_they_share(tmp_path: Path, shared: str) -> None:
    root = write_set(tmp_path / "set", shared=shared)
    folder = trained(root, tmp_path / "out")
    split = rows(folder / "split.csv")
    assert all(row["group"].endswith(row["image"].split("/")[-2]) for row in split)
    assert len({row["group"] for row in split}) == PATIENTS
    sides = defaultdict(set)
    for row in split:
        sides[row["group"]].add(row["split"])
    assert all(len(splits) == 1 for splits in sides.values())
    side = {group[-2:]: splits for group, splits in sides.items()}
    if shared != "black":
        assert side["p0"] == side["p1"]
    test = json.loads((folder / "test.json").read_text())
    table = rows(folder / "test_cases.csv")
    patients = {row["case"].split("/")[-2] for row in table}
    assert test["groups"] == len(patients) == sum(s == {"test"} for s in sides.values())
    figure = test["metrics"]["dice_group"]
    assert (figure["value"] if isinstance(figure, dict) else figure) == pytest.approx(
        dice_by_hand(table), abs=1e-6
    )


def test_all_patients_of_another_root_are_scored_by_patient_or_by_file(tmp_path: Path) -> None:
    """One of them has a single slice, which counts as a volume of its own."""
    folder = trained(write_set(tmp_path / "set", shared="equal"), tmp_path / "out")
    other = write_set(tmp_path / "other", shared="black", last=1)
    overrides = [f"run={folder}", "dataset=folder", "dataset.group=folder", f"dataset.root={other}"]
    content = run(evaluate, "evaluate", [*overrides, f"output={tmp_path / 'scores'}"])
    assert content["groups"] == PATIENTS
    table = rows(next((tmp_path / "scores").glob("*_cases.csv")))
    figure = content["metrics"]["dice_group"]
    assert (figure["value"] if isinstance(figure, dict) else figure) == pytest.approx(
        dice_by_hand(table), abs=1e-6
    )
    overrides += ["dataset.split.by=file", f"output={tmp_path / 'by_file'}"]
    content = run(evaluate, "evaluate", overrides)
    assert content["groups"] == content["cases"] == PATIENTS * SLICES - SLICES + 1


@pytest.mark.parametrize("by", ["group", "file"])
def test_an_audit_counts_the_patients_and_names_the_pair(tmp_path: Path, by: str) -> None:
    root = write_set(tmp_path / "set", shared="near")
    overrides = [f"dataset.root={root}", "dataset.group=folder", f"dataset.split.by={by}"]
    overrides += ["dataset=folder", "dataset.image_size=32", f"output_dir={tmp_path / 'out'}"]
    run(prepare, "prepare", overrides)
    path = next((tmp_path / "out" / "prepare").rglob("audit.json"))
    audit = json.loads(path.read_text())
    assert audit["errors"] == []
    assert audit["groups"]["count"] == (PATIENTS if by == "group" else PATIENTS * SLICES)
    assert (
        len({row["group"] for row in rows(path.parent / "split.csv")}) == audit["groups"]["count"]
    )
    (pair,) = audit["near_duplicates"]
    assert [case[-8:] for case in pair] == ["p0/0.png", "p1/0.png"]
    (finding,) = [w for w in audit["warnings"] if w["kind"] == "near duplicate"]
    assert "p0/0.png = " in finding["files"][0]


def test_fourteen_patients_of_lgg_are_fourteen_groups(real: Path, tmp_path: Path) -> None:
    """Two of them have slices that look alike in a thumbnail and are two heads."""
    root = tmp_path / "lgg" / "kaggle_3m"
    root.mkdir(parents=True)
    for patient in real.glob("lgg*/kaggle_3m/TCGA*"):
        (root / patient.name).symlink_to(patient)
    overrides = [*SETTINGS[2:], "dataset=lgg", "dataset.image_size=32", "dataset.batch_size=16"]
    overrides += [f"dataset.root={root.parent}", f"output_dir={tmp_path / 'out'}"]
    run(train, "train", overrides)
    folder = next((tmp_path / "out").glob("*-*/*/run.json")).parent
    split = rows(folder / "split.csv")
    assert len({row["group"] for row in split}) == 14
    assert all(row["group"] in row["image"] for row in split)
    test = json.loads((folder / "test.json").read_text())
    table = rows(folder / "test_cases.csv")
    assert test["groups"] == len({row["case"].split("/")[-2] for row in table})
    figure = test["metrics"]["dice_group"]
    assert (figure["value"] if isinstance(figure, dict) else figure) == pytest.approx(
        dice_by_hand(table), abs=1e-6
    )
