"""A class that validation and test lack: no figure of it anywhere, and no part in a mean."""

import csv
import json
import logging
import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seg.cli import build
from seg.cli.check import check
from seg.cli.compose import compose
from seg.compare import compare
from seg.evaluate import evaluate
from seg.train import train

CLASSES = "dataset.classes={organ: 128, lesion: 255}"


def write_set(root: Path) -> None:
    """16 cases of 8 patients with an organ; a lesion in those of training alone."""
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    rows = [["image", "mask", "group", "split"]]
    for i in range(16):
        split = ("train", "train", "val", "test")[i // 2 % 4]
        image = rng.integers(0, 60, (32, 32, 3), dtype=np.uint8)
        mask = np.zeros((32, 32), np.uint8)
        x = int(rng.integers(4, 14))
        mask[x : x + 12, 8:24] = 128
        if split == "train":
            mask[x + 2 : x + 8, 10:18] = 255
        image[mask > 0] += 80
        # bright where the lesion would be, so that the network finds some in val and test too
        image[x + 2 : x + 8, 10:18] += 60
        cv2.imwrite(str(root / "images" / f"{i}.png"), image)
        cv2.imwrite(str(root / "masks" / f"{i}.png"), mask)
        rows.append([f"images/{i}.png", f"masks/{i}.png", f"p{i // 2}", split])
    with (root / "cases.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows(rows)


def run(command, config_name: str, overrides: list[str]):
    cfg = compose(overrides, config_name=config_name)
    check(cfg, command=config_name)
    return command(cfg)


@pytest.fixture(scope="module", autouse=True)
def _small_pictures() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "PANEL_ROWS", 1)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A run folder, and the lines of its log."""
    folder = tmp_path_factory.mktemp("absent")
    write_set(folder / "set")
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logging.getLogger("seg").addHandler(handler)
    logging.getLogger("seg").setLevel(logging.INFO)
    run(train, "train", [
        "dataset=table", f"dataset.root={folder / 'set'}", CLASSES, "dataset.image_size=32",
        "dataset.batch_size=2", "dataset.num_workers=0", "loss=ce_dice", "model.width=8",
        "model.depth=2", "optimizer.lr=1e-2", "trainer=cpu", "trainer.max_epochs=6",
        f"output_dir={folder / 'out'}",
    ])  # fmt: skip
    logging.getLogger("seg").removeHandler(handler)
    return next((folder / "out").glob("*-unet-*/*")), lines


def counts_of(path: Path, name: str) -> np.ndarray:
    """(M, 3) tp, fp, fn of one class in a table of cases."""
    with path.open(newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["class"] == name]
    return np.array([[int(row[key]) for key in ("tp", "fp", "fn")] for row in rows])


def _reference_dice(counts: np.ndarray) -> float:
    tp, fp, fn = counts.T
    return float(np.mean(2 * tp / (2 * tp + fp + fn)))


def test_the_start_of_the_training_names_the_class_and_the_splits(trained) -> None:
    _, lines = trained
    said = [line for line in lines if "lesion" in line and "no pixel" in line]
    assert len(said) == 2
    assert "val" in said[0]
    assert "test" in said[1]


def test_test_json_has_the_class_without_figures_and_the_mean_without_the_class(trained) -> None:
    run_folder, _ = trained
    content = json.loads((run_folder / "test.json").read_text())
    organ, lesion = (counts_of(run_folder / "test_cases.csv", n) for n in ("organ", "lesion"))
    assert lesion[:, [0, 2]].sum() == 0
    assert lesion[:, 1].sum() > 0  # false positives, or this test says nothing
    assert content["metrics"]["dice"]["value"] == pytest.approx(_reference_dice(organ), abs=1e-9)
    assert content["metrics"] == content["classes"]["organ"]
    values = [v for figure in content["classes"]["lesion"].values() for v in figure.values()]
    assert set(values) == {None}
    assert content["absent"] == {
        "lesion": {
            "false_positive_cases": int((lesion[:, 1] > 0).sum()),
            "false_positives": int(lesion[:, 1].sum()),
        }
    }


def test_metrics_csv_and_tensorboard_have_nothing_for_the_class(trained) -> None:
    run_folder, _ = trained
    with (run_folder / "metrics.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        assert row["val/dice/lesion"] == row["val/iou/lesion"] == ""
        assert row["val/dice"] == row["val/dice/organ"] != ""
        both = float(row["train/dice/organ"]) + float(row["train/dice/lesion"])
        assert float(row["train/dice"]) == pytest.approx(both / 2, abs=2e-6)
    events = EventAccumulator(str(run_folder)).Reload()
    assert "val/dice/lesion" not in events.Tags()["scalars"]
    assert "val/dice/organ" in events.Tags()["scalars"]
    assert all(math.isfinite(e.value) for tag in events.Tags()["scalars"]
               for e in events.Scalars(tag))  # fmt: skip
    best = max(rows, key=lambda row: float(row["val/dice"]))
    facts = json.loads((run_folder / "run.json").read_text())
    assert facts["best_epoch"] == int(best["epoch"])


def test_an_evaluation_has_no_figure_of_the_class_either(trained) -> None:
    run_folder, _ = trained
    content = run(evaluate, "evaluate", [f"run={run_folder}", "trainer.accelerator=cpu",
                                         "protocol=seg", "tune=true"])  # fmt: skip
    organ = counts_of(run_folder / "evaluate" / "test" / "test_cases.csv", "organ")
    expected = _reference_dice(organ)
    assert content["metrics"]["dice"]["value"] == pytest.approx(expected, abs=1e-9)
    assert content["protocols"]["seg"]["dice"] > 0
    assert {f["value"] for f in content["classes"]["lesion"].values()} == {None}
    assert json.loads((run_folder / "evaluate/test/test.json").read_text()) == json.loads(
        json.dumps(content)
    )


def test_comparison_and_report_have_no_figure_of_the_class(trained, tmp_path: Path) -> None:
    run_folder, _ = trained
    stated = json.loads((run_folder / "test.json").read_text())["metrics"]
    run(compare, "compare", [f"runs={run_folder.parent}", f"output={tmp_path / 'one'}"])
    card = (tmp_path / "one" / "model_card.md").read_text()
    row = next(line for line in card.splitlines() if line.startswith("| dice |"))
    value = f"{stated['dice']['value']:.4f}"
    assert [cell.split()[0] for cell in row.strip("| ").split("|")] == ["dice", value, value, "-"]
    assert "lesion" in next(line for line in card.splitlines() if "class untested" in line)

    copy = run_folder.parent.parent / "other" / run_folder.name
    copy.mkdir(parents=True)
    for name in ("run.json", "test.json", "test_cases.csv", "metrics.csv", "split.csv"):
        (copy / name).write_bytes((run_folder / name).read_bytes())
    text = (run_folder / "config.yaml").read_text().replace("seed: 42", "seed: 43")
    (copy / "config.yaml").write_text(text.replace("lr: 0.01", "lr: 0.02"))
    run(compare, "compare", [f"runs=[{run_folder},{copy}]", f"output={tmp_path / 'two'}"])
    with (tmp_path / "two" / "leaderboard.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 2
    for row in rows:
        assert float(row["dice"]) == pytest.approx(stated["dice"]["value"], abs=1e-5)
        assert float(row["iou_pooled"]) == pytest.approx(stated["iou_pooled"]["value"], abs=1e-5)
        assert float(row["dice/organ"]) == float(row["dice"])
        assert row["dice/lesion"] == row["dice/lesion_low"] == row["dice/lesion_high"] == ""
