"""Runs of an earlier version are read, resumed and repeated, with the figures it recorded."""

import csv
import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.commands import python, seg

EARLIER = Path(__file__).parent / "earlier_version"
# seg.train with the random numbers of that version, in which all transforms of an augmentation drew
# the same: a fault that was corrected later. All else must give the figures of then.
AS_THEN = """
from seg import train
from seg.data import dataset
from seg.launch import launch
dataset.draw_from = lambda transform, seed: transform.set_random_seed(seed)
launch(train.train, config_name="train", sweeps=True)
"""
CPU = "trainer.accelerator=cpu"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A working directory with the data and the runs of the earlier version where it had them."""
    # not generated anew: the bytes of a PNG depend on the libraries that write it
    shutil.copytree(EARLIER / "synthetic", tmp_path / "outputs" / "data")
    for name in ("finished", "interrupted"):
        shutil.copytree(EARLIER / name, tmp_path / "outputs" / name / "2026-01-01_00-00-00")
    shutil.copytree(EARLIER / "multirun", tmp_path / "outputs" / "multirun")
    return tmp_path


@pytest.fixture
def finished(place: Path) -> Path:
    return place / "outputs" / "finished" / "2026-01-01_00-00-00"


@pytest.fixture
def interrupted(place: Path) -> Path:
    return place / "outputs" / "interrupted" / "2026-01-01_00-00-00"


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def assert_figures(now: dict, recorded: dict) -> None:
    """The same figures with the same intervals."""
    assert now.keys() == recorded.keys()
    for name, figure in recorded.items():
        assert now[name] == pytest.approx(figure, abs=1e-6, nan_ok=True), name


def assert_table(now: Path, recorded: Path, *, tolerance: float) -> None:
    a, b = rows(now), rows(recorded)
    assert len(a) == len(b) > 0
    for row, expected in zip(a, b, strict=True):
        assert row.keys() >= expected.keys()  # later versions may tell more
        for column in expected.keys() - {"seconds"}:
            try:
                expected_number = float(expected[column])
            except ValueError:
                assert row[column] == expected[column], column
            else:
                assert float(row[column]) == pytest.approx(expected_number, abs=tolerance), column


def assert_mask(now: np.ndarray) -> None:
    """Equal to the mask of the earlier version, except for pixels at the threshold."""
    recorded = np.asarray(Image.open(EARLIER / "predicted" / "mask.png"))
    assert now.shape == recorded.shape
    assert 0.05 < recorded.mean() < 0.5
    assert (now != recorded).sum() <= 5


def test_an_evaluation_of_its_checkpoint_gives_the_recorded_figures(
    place: Path, finished: Path
) -> None:
    seg("evaluate", f"run={finished}", CPU, f"output={place / 'now'}", cwd=place)
    now = read(place / "now" / "test.json")
    recorded = read(EARLIER / "finished" / "evaluate" / "test" / "test.json")
    assert now["metrics"]["dice"]["value"] == pytest.approx(
        recorded["metrics"]["dice"]["value"], abs=1e-6
    )
    assert recorded["metrics"]["dice"]["value"] > 0.2
    assert_figures(now["metrics"], recorded["metrics"])
    cases = EARLIER / "finished" / "evaluate" / "test" / "test_cases.csv"
    assert_table(place / "now" / "test_cases.csv", cases, tolerance=1e-6)


def test_its_run_predicts_the_recorded_mask(place: Path, finished: Path) -> None:
    image, output = EARLIER / "predicted" / "image.png", place / "masks"
    seg("predict", f"run={finished}", f"input={image}", f"output={output}", CPU, cwd=place)
    assert_mask(np.asarray(Image.open(output / "image.png")))
    assert len(rows(output / "predictions.csv")) == 1


def test_its_weights_are_exported(place: Path, finished: Path) -> None:
    output = place / "weights.pth"
    seg("export", f"run={finished}", "format=pth", f"output={output}", cwd=place)
    stored = torch.load(finished / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    written = torch.load(output, weights_only=True)
    assert written["seg"]["classes"] == ["organ"]
    assert written["state_dict"].keys() == stored.keys()
    assert all(torch.equal(written["state_dict"][k], v) for k, v in stored.items())


@pytest.mark.slow
def test_its_weights_alone_predict_the_same_mask(place: Path, finished: Path) -> None:
    image, output = EARLIER / "predicted" / "image.png", place / "masks"
    weights = finished / "model.pth"
    seg("predict", f"run={weights}", f"input={image}", f"output={output}", CPU, cwd=place)
    assert_mask(np.asarray(Image.open(output / "image.png")))


@pytest.mark.slow
def test_its_network_is_exported_to_onnx(place: Path, finished: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    output = place / "model.onnx"
    seg("export", f"run={finished}", "format=onnx", f"output={output}", "count=2", cwd=place)
    image = np.asarray(Image.open(EARLIER / "predicted" / "image.png"))
    mask, _ = onnxruntime.InferenceSession(output).run(None, {"image": image[None]})
    assert_mask(mask[0])


def test_its_run_gets_a_report_and_a_model_card(place: Path, finished: Path) -> None:
    seg("compare", f"runs={finished}", f"output={place / 'page'}", cwd=place)
    dice = read(EARLIER / "finished" / "test.json")["metrics"]["dice"]["value"]
    shown = f"{dice:.3f}".lstrip("0")
    for name in ("report.html", "model_card.md"):
        assert shown in (place / "page" / name).read_text(encoding="utf-8"), name


def test_the_report_of_its_interrupted_run_says_so(place: Path, interrupted: Path) -> None:
    seg("compare", f"runs={interrupted}", f"output={place / 'page'}", cwd=place)
    page = (place / "page" / "report.html").read_text(encoding="utf-8")
    assert "interrupted" in page


def test_its_sweep_is_ranked_by_the_recorded_figures(place: Path) -> None:
    runs = place / "outputs" / "multirun" / "*"
    seg("compare", f"runs={runs}", f"output={place / 'board'}", cwd=place)
    board = rows(place / "board" / "leaderboard.csv")
    folders = sorted(p.parent for p in (EARLIER / "multirun").glob("*/test.json"))
    recorded = [read(f / "test.json")["metrics"]["dice"]["value"] for f in folders]
    assert len(recorded) == 2
    ranked = [float(row["dice"]) for row in board]
    assert ranked == pytest.approx(sorted(recorded, reverse=True), abs=1e-6)
    assert (place / "board" / "leaderboard.html").is_file()
    assert (place / "board" / "pairs.csv").is_file()


@pytest.mark.slow
def test_its_interrupted_run_is_resumed_to_the_figures_of_the_uninterrupted_one(
    place: Path, interrupted: Path
) -> None:
    assert read(interrupted / "run.json")["status"] == "interrupted"
    command = shlex.split(read(interrupted / "run.json")["command"])
    assert command[:3] == ["python", "-m", "seg.train"]
    python("-c", AS_THEN, *command[3:], "resume=auto", cwd=place)
    assert [p.parent for p in place.glob("outputs/interrupted/*/run.json")] == [interrupted]
    assert read(interrupted / "run.json")["status"] == "finished"
    whole = EARLIER / "finished"  # the same but for its name
    assert_table(interrupted / "metrics.csv", whole / "metrics.csv", tolerance=2e-6)
    assert_table(interrupted / "test_cases.csv", whole / "test_cases.csv", tolerance=2e-6)
    for key in ("best_epoch", "val/dice"):  # the best is from before the interruption
        assert read(interrupted / "run.json")[key] == read(whole / "run.json")[key]


@pytest.mark.slow
def test_its_configuration_repeats_the_run(place: Path, finished: Path) -> None:
    flags = ["--config-path", str(finished), "--config-name", "config"]
    python("-c", AS_THEN, *flags, cwd=place)
    (again,) = (p for p in finished.parent.iterdir() if p != finished)
    assert_table(again / "metrics.csv", EARLIER / "finished" / "metrics.csv", tolerance=2e-6)
    for name in ("split.csv", "test_cases.csv"):
        assert (again / name).read_text() == (EARLIER / "finished" / name).read_text()
