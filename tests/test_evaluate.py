"""The command `seg.evaluate`: every figure recomputed from masks, and what must be refused."""

import csv
import hashlib
import json
import logging
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.spatial.distance import cdist

from seg.cli import build
from seg.cli import compose as config
from seg.cli.check import check
from seg.cli.compose import ConfigError, compose
from seg.cli.make import make
from seg.data.errors import DataErrors
from seg.evaluate import evaluate
from seg.evaluation.bootstrap import bootstrap
from seg.models.unet import UNet
from seg.runs.run import Run
from seg.train import train
from seg.training.checkpoint import read, write_atomically
from seg.training.hardware import choose_hardware

pytestmark = pytest.mark.usefixtures("without_pictures")

ROOT = Path(__file__).parents[1]
NAMES = ("dice", "iou", "precision", "recall", "specificity", "accuracy")


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row each: drawing five takes longer than all else here."""
    monkeypatch.setattr(build, "PANEL_ROWS", 1)


def run_of(output: Path) -> Path:
    return next(output.glob("*-*/*/config.yaml")).parent


def score(run: Path | str, *overrides: str) -> dict[str, Any]:
    cfg = compose([f"run={run}", *overrides], config_name="evaluate")
    check(cfg, command="evaluate")
    return evaluate(cfg)


def untrained(root: Path, output: Path, *overrides: str) -> Path:
    """A run folder as training leaves it, but for the training: seconds saved."""
    small = ["dataset.image_size=32", "model.width=4", "model.depth=2", "trainer=cpu"]
    where = [f"dataset.root={root}", f"dataset.cache_dir={output / 'cache'}"]
    chosen = [] if any(o.startswith("dataset=") for o in overrides) else ["dataset=folder"]
    cfg = compose([*chosen, *where, *small, *overrides])
    content, run = config.plain(cfg), output / "folder-unet" / "now"
    torch.manual_seed(0)
    data = build.build_data(cfg, choose_hardware("cpu", "32"))
    data.setup()
    model = make(cfg.model)
    module = build.build_module(cfg, content, data, model, build.build_stages(cfg))
    with torch.no_grad():  # odds far from even, and half of the pixels for each class
        weight, bias = list(model.parameters())[-2:]
        weight.mul_(8)
        some = torch.cat([data.samples("val")[i]["image"] for i in range(3)])
        bias -= module.eval()(some).transpose(0, 1).flatten(1).median(1).values
    run.mkdir(parents=True)
    folder = Run(run, config=content, facts={})
    folder.write_config()
    folder.write_split(data.split_rows())
    metadata = module.metadata | {"threshold": module.threshold, "stage": 0}
    best = {"state_dict": module.state_dict(), "epoch": 0, "seg": metadata}
    write_atomically(best, run / "checkpoints" / "best.ckpt")
    return run


def cases_of(run: Path, split: str = "test", folder: str = "") -> list[dict[str, str]]:
    name = folder or split
    with (run / "evaluate" / name / f"{name}_cases.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


# The test's own way from a checkpoint to masks on disk: nothing of seg/inference.
def write_masks(
    run: Path, root: Path, folder: Path, *, flips: Sequence[tuple[int, int]] = ((1, 1),)
) -> list[dict]:
    content = read(run / "checkpoints" / "best.ckpt")
    shape, node = content["seg"]["preprocessing"], content["seg"]["config"]["model"]
    model = UNet(**{k: v for k, v in node.items() if k != "_target_"})
    model.load_state_dict(
        {k[6:]: v for k, v in content["state_dict"].items() if k.startswith("model.")}
    )
    mean, std = (np.array(shape[key], np.float32) for key in ("mean", "std"))
    with (run / "split.csv").open(newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["split"] == "test"]
    for i, row in enumerate(rows):
        image = np.array(Image.open(root / row["image"]).convert("RGB"))
        probs = np.zeros(image.shape[:2])
        for up, left in flips:
            view = np.ascontiguousarray(image[::up, ::left])
            small = cv2.resize(view, tuple(shape["size"][::-1]), interpolation=cv2.INTER_AREA)
            inputs = torch.tensor(((small - mean) / std).transpose(2, 0, 1)[None])
            with torch.no_grad():
                one = torch.sigmoid(model.eval()(inputs))[0, 0].numpy()
            one = cv2.resize(one, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            probs += one[::up, ::left] / len(flips)
        Image.fromarray((probs > content["seg"]["threshold"]).astype(np.uint8)).save(
            folder / f"{i}_prediction.png"
        )
        true = np.array(Image.open(root / row["mask"]).convert("L")) > 127
        Image.fromarray(true.astype(np.uint8)).save(folder / f"{i}_reference.png")
    return rows


# All figures from masks on disk and the names of their groups, in plain NumPy.
def _ratio(above: float, below: float, errors: float) -> float:
    return above / below if below else float(errors == 0)


def _reference_overlap(tp: int, fp: int, fn: int, tn: int) -> dict[str, float]:
    return {
        "dice": _ratio(2 * tp, 2 * tp + fp + fn, fp + fn),
        "iou": _ratio(tp, tp + fp + fn, fp + fn),
        "precision": _ratio(tp, tp + fp, fp + fn),
        "recall": _ratio(tp, tp + fn, fp + fn),
        "specificity": _ratio(tn, tn + fp, fp + fn),
        "accuracy": _ratio(tp + tn, tp + fp + fn + tn, fp + fn),
    }


def _reference_distances(a: NDArray, b: NDArray, tolerance: float) -> dict[str, float]:
    if not a.any() or not b.any():
        lost = float(np.hypot(*a.shape)) if a.any() or b.any() else 0.0
        return {"hd95": lost, "assd": lost, "nsd": float(lost == 0)}
    outlines = [np.argwhere(m & ~ndimage.binary_erosion(m)) for m in (a, b)]
    distances = cdist(*outlines)
    to_b, to_a = distances.min(1), distances.min(0)
    both = np.concatenate([to_b, to_a])
    hd95 = max(np.percentile(to_b, 95), np.percentile(to_a, 95))
    return {"hd95": hd95, "assd": both.mean(), "nsd": (both <= tolerance).mean()}


def _reference_figures(folder: Path, groups: list[str]) -> dict[str, float]:
    cases, counts = [], []
    for i in range(len(groups)):
        a, b = (np.array(Image.open(folder / f"{i}_{n}.png")) > 0
                for n in ("reference", "prediction"))  # fmt: skip
        counts.append([(a & b).sum(), (b & ~a).sum(), (a & ~b).sum(), (~a & ~b).sum()])
        cases.append(_reference_overlap(*counts[-1]) | _reference_distances(a, b, 2.0))
    figures = {name: np.mean([case[name] for case in cases]) for name in cases[0]}
    positive = [c for c, n in zip(cases, counts, strict=True) if n[0] + n[2]]
    pooled = _reference_overlap(*np.sum(counts, 0))
    figures |= {f"{name}_pooled": pooled[name] for name in NAMES}
    volumes = [
        _reference_overlap(*sum(np.array(c) for c, g in zip(counts, groups, strict=True) if g == v))
        for v in set(groups)
    ]
    for name in ("dice", "iou"):
        figures[f"{name}_positive"] = np.mean([case[name] for case in positive])
        if len(volumes) < len(cases):
            figures[f"{name}_group"] = np.mean([volume[name] for volume in volumes])
    return figures


def compare(run: Path, root: Path, folder: Path, result: dict[str, Any]) -> None:
    folder.mkdir()
    rows = write_masks(run, root, folder)
    expected = _reference_figures(folder, [row["group"] for row in rows])
    assert result["cases"] == len(rows)
    for name, value in expected.items():
        assert result["metrics"][name]["value"] == pytest.approx(value, abs=1e-6), name
    assert not {n for n in result["metrics"] if n.endswith("_group")} - expected.keys()
    for figure in result["metrics"].values():
        if figure["low"] is not None:  # which the figures of a single patient have not
            assert figure["low"] <= figure["value"] <= figure["high"]
    assert [row["case"] for row in cases_of(run)] == [row["image"] for row in rows]


@pytest.fixture(scope="module")
def polyps(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 real Kvasir-SEG pairs, 5 of them at native size."""
    root = tmp_path_factory.mktemp("polyps")
    native = sorted((real / "kvasir_seg_native" / "images").iterdir())
    small = sorted((real / "kvasir_seg_256" / "images").iterdir())
    small = [p for p in small if p.name not in {n.name for n in native}][:7]
    for part in ("images", "masks"):
        (root / part).mkdir()
        for image in (*native, *small):
            file = image.parents[1] / part / image.name
            shutil.copy(file, root / part / file.name)
    return root


@pytest.fixture(scope="module")
def trained(polyps: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One epoch of the document's experiment with a small network."""
    output = tmp_path_factory.mktemp("out")
    small = ["dataset.image_size=[48,64]", "model.width=4", "trainer.max_epochs=1", "trainer=cpu"]
    sizes = ["dataset.split.val=3", "dataset.split.test=5"]
    common = ["experiment=custom", f"dataset.root={polyps}", f"output_dir={output}"]
    train(compose([*common, *small, *sizes]))
    return run_of(output)


def test_all_figures_are_those_of_masks_on_disk(
    trained: Path, polyps: Path, tmp_path: Path
) -> None:
    result = score(trained)
    compare(trained, polyps, tmp_path / "masks", result)
    folder = trained / "evaluate" / "test"
    assert json.loads((folder / "test.json").read_text()) == result
    assert json.loads((trained / "test.json").read_text())["size"] == [48, 64]  # the training's own


def test_patients_and_empty_masks_are_scored_as_written_out(real: Path, tmp_path: Path) -> None:
    root = tmp_path / "kaggle_3m"
    root.mkdir()
    folders = sorted(p for p in (real / "lgg" / "kaggle_3m").iterdir() if p.is_dir())
    for patient in folders[:3]:
        (root / patient.name).symlink_to(patient)
    run = untrained(root, tmp_path / "out", "dataset=lgg", "dataset.split.val=0.3",
                    "dataset.split.test=0.3")  # fmt: skip
    result = score(run)
    assert result["groups"] < result["cases"]
    compare(run, root, tmp_path / "masks", result)
    positive = [int(row["tp"]) + int(row["fn"]) > 0 for row in cases_of(run)]
    assert 0 < sum(positive) < len(positive)


def test_figures_do_not_depend_on_how_many_cases_are_in_memory(
    trained: Path, tmp_path: Path
) -> None:
    result = [
        score(trained, f"batch_size={n}", f"output={tmp_path / str(n)}", "protocol=[seg,lgg]")
        for n in (1, 5, 16)
    ]
    assert result[0] == result[1] == result[2]
    files = [(tmp_path / str(n) / "test_cases.csv").read_bytes() for n in (1, 5, 16)]
    assert files[0] == files[1] == files[2]


def test_test_time_augmentation_scores_the_mean_over_flips(
    trained: Path, polyps: Path, tmp_path: Path
) -> None:
    result = score(trained, "tta=flips", "tta_check=false")
    assert result["split"] == "test-tta"  # the plain results stay beside it
    flips = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    rows = write_masks(trained, polyps, tmp_path, flips=flips)
    masks = [[np.array(Image.open(tmp_path / f"{i}_{n}.png")) for n in ("reference", "prediction")]
             for i in range(len(rows))]  # fmt: skip
    expected = [_ratio(2 * (a & b).sum(), a.sum() + b.sum(), (a | b).sum()) for a, b in masks]
    dice = [float(row["dice"]) for row in cases_of(trained, "test-tta")]
    assert dice == pytest.approx(expected, abs=1e-5)


def test_intervals_are_the_bootstraps_over_groups(trained: Path) -> None:
    result = score(trained)
    rows = cases_of(trained)
    dice = np.array([float(row["dice"]) for row in rows])
    groups = [row["group"] for row in rows]
    low, high = bootstrap(dice, groups, lambda values, _: {"dice": float(values.mean())})["dice"]
    figure = result["metrics"]["dice"]
    assert (figure["low"], figure["high"]) == pytest.approx((low, high), abs=1e-9)


def test_protocols_stand_beside_our_figures_and_one_that_cannot_score_says_why(
    trained: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("seg").propagate = True
    alone, beside = score(trained), score(trained, "protocol=all")
    assert beside["metrics"] == alone["metrics"]
    assert beside["protocols"]["seg"]["dice"] == pytest.approx(beside["metrics"]["dice"]["value"])
    assert len(beside["protocols"]) >= 8
    lost = {name for name, figures in beside["protocols"].items() if "error" in figures}
    assert lost <= {"buda"}  # where a group of near-duplicates has two sizes
    assert all(name in caplog.text for name in lost)


def test_robustness_stands_beside_the_figures_of_clean_images(
    tiny_run: Path, capsys: pytest.CaptureFixture
) -> None:
    alone = score(tiny_run)
    less = ["protocol.robustness.noise=[0.05,0.9]", "protocol.robustness.jpeg=[]"]
    both = score(tiny_run, "protocol=[seg,robustness]", *less)
    extra = both["metrics"].pop("mean_corruption_dice")
    assert both["metrics"] == alone["metrics"]
    assert list(both["protocols"]) == ["seg"]
    content = both["robustness"]
    assert content["mean_corruption_dice"]["value"] == pytest.approx(extra["value"])
    assert content["clean"]["value"] == pytest.approx(alone["metrics"]["dice"]["value"])
    corruptions = content["corruptions"]
    assert list(corruptions) == ["blur", "noise", "brightness", "scale", "rotation"]
    weak, strong = (figure["value"] for figure in corruptions["noise"]["dice"])
    assert abs(strong - content["clean"]["value"]) > abs(weak - content["clean"]["value"])
    folder = tiny_run / "evaluate" / "test"
    assert cv2.imread(str(folder / "robustness.png")).std() > 1
    with (folder / "test_robustness.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 4 * (1 + 4 * 5 + 2)
    cases = cases_of(tiny_run)
    clean = {row["case"]: row["dice"] for row in rows if row["strength"] == "0"}
    assert clean == {row["case"]: f"{float(row['dice']):.12g}" for row in cases}
    means = [float(row["mean_corruption_dice"]) for row in cases]
    assert extra["value"] == pytest.approx(np.mean(means))
    assert "rotation" in capsys.readouterr().out


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, write_folder: Callable) -> Path:
    place = tmp_path_factory.mktemp("tiny") / "place"
    write_folder(place / "set", count=12)
    untrained(place / "set", place / "out", "dataset.split.val=4", "dataset.split.test=4")
    shutil.copytree(place, place.parent / "kept")
    return place


@pytest.fixture
def place(made: Path) -> Path:
    """Data and a run as they were made, at the place that the run knows."""
    shutil.rmtree(made)
    return Path(shutil.copytree(made.parent / "kept", made))


@pytest.fixture
def folder(place: Path) -> Path:
    """12 pairs of 40x48."""
    return place / "set"


@pytest.fixture
def tiny_run(place: Path) -> Path:
    """They are scored by an untrained network at 32x32."""
    return run_of(place / "out")


def files_of(run: Path, split: str, root: Path) -> list[Path]:
    with (run / "split.csv").open(newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["split"] == split]
    return [root / row[key] for row in rows for key in ("image", "mask")]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_any_split_is_scored_at_the_masks_own_size(split: str, tiny_run: Path) -> None:
    result = score(tiny_run, f"split={split}")
    assert result["split"] == split
    assert result["cases"] == 4
    for row in cases_of(tiny_run, split):
        assert sum(int(row[key]) for key in ("tp", "fp", "fn", "tn")) == 40 * 48


def test_a_moved_run_and_moved_data_give_the_same(
    tiny_run: Path, folder: Path, tmp_path: Path
) -> None:
    before = score(tiny_run)
    moved = tiny_run.rename(tmp_path / "elsewhere é")
    folder.rename(tmp_path / "data")
    with pytest.raises(FileNotFoundError, match=r"dataset\.root"):
        score(f"'{moved}'")
    after = score(f"'{moved}'", f"dataset.root={tmp_path / 'data'}")
    assert after["metrics"] == before["metrics"]


def test_changed_files_are_all_named_and_nothing_is_written(tiny_run: Path, folder: Path) -> None:
    changed = files_of(tiny_run, "test", folder)[1:3]
    for path in changed:
        Image.fromarray(255 - np.array(Image.open(path))).save(path)
    with pytest.raises(DataErrors) as caught:
        score(tiny_run)
    assert all(path.name in str(caught.value) for path in changed)
    assert len(caught.value.messages) == 2
    assert not (tiny_run / "evaluate").exists()
    assert score(tiny_run, "split=val")["cases"] == 4


def test_the_input_is_left_as_it_was(tiny_run: Path, folder: Path) -> None:
    def digests() -> dict[Path, str]:
        kept = [*folder.rglob("*.png"), *(tiny_run / "checkpoints").iterdir()]
        kept.append(tiny_run / "config.yaml")
        return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in kept}

    before = digests()
    score(tiny_run)
    assert digests() == before


def test_tuning_sees_validation_cases_alone_and_what_it_chose_is_used(
    tiny_run: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("seg").propagate = True
    caplog.set_level(logging.INFO, logger="seg")
    plain = score(tiny_run, "split=val")
    for path in (*files_of(tiny_run, "test", folder), *files_of(tiny_run, "train", folder)):
        path.write_bytes(b"unreadable")
    tuned = score(tiny_run, "split=val", "tune=true")
    assert "4 validation cases" in caplog.text
    assert tuned["threshold"] != plain["threshold"] or any(tuned["postprocess"].values())
    before, after = (s["metrics"]["dice"]["value"] for s in (plain, tuned))
    assert after > before + 0.001
    assert f"{before:.4f} -> {after:.4f}" in caplog.text
    content = read(tiny_run / "checkpoints" / "best.ckpt")
    assert content["seg"]["threshold"] == tuned["threshold"]
    assert content["seg"]["postprocess"] == tuned["postprocess"]
    again = score(tiny_run, "split=val")
    assert again["metrics"] == tuned["metrics"]
    assert score(tiny_run, "split=val", "tune=true")["threshold"] == tuned["threshold"]


@pytest.mark.slow
def test_a_tuned_checkpoint_goes_on_training(tmp_path: Path, tiny: list[str]) -> None:
    more = ["trainer=cpu", f"output_dir={tmp_path}"]
    train(compose([*tiny, *more]))
    run = run_of(tmp_path)
    before = read(run / "checkpoints" / "last.ckpt")
    score(run, "checkpoint=last", "tune=true", "split=val")
    after = read(run / "checkpoints" / "last.ckpt")
    assert after.keys() == before.keys()
    for key, value in before["state_dict"].items():
        assert torch.equal(after["state_dict"][key], value)
    facts = json.loads((run / "run.json").read_text()) | {"status": "failed", "pid": -1}
    (run / "run.json").write_text(json.dumps(facts))
    cfg = compose([*tiny, *more, f"resume={run}"])
    assert math.isfinite(train(cfg))


def test_weights_that_are_no_numbers_are_failures_that_count(tiny_run: Path) -> None:
    path = tiny_run / "checkpoints" / "best.ckpt"
    content = read(path)
    key = next(k for k in content["state_dict"] if k.startswith("model."))
    content["state_dict"][key].fill_(float("nan"))
    write_atomically(content, path)
    result = score(tiny_run, "protocol=all")
    assert result["failed"] == result["cases"] == 4
    figures = {name: f["value"] for name, f in result["metrics"].items()}
    for name, value in figures.items():
        if name.split("_")[0] in (*NAMES, "nsd", "lesion"):
            assert value == 0, name
    assert figures["hd95"] == pytest.approx(math.hypot(40, 48))
    assert figures["brier"] == figures["ece"] == 1
    assert all(row["failed"] == "1" for row in cases_of(tiny_run))
    assert all(math.isfinite(value) for value in figures.values())
    assert result["protocols"]["seg"]["dice"] == result["protocols"]["pranet"]["mdice"] == 0


def test_another_data_set_is_scored_whole_with_its_own_mask_values(
    tiny_run: Path, tmp_path: Path, write_folder: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("seg").propagate = True
    other = tmp_path / "other"
    write_folder(other, count=6, size=(30, 50))
    for path in (other / "masks").iterdir():
        Image.fromarray((np.array(Image.open(path)) // 255 * 7).astype(np.uint8)).save(path)
    more = ["dataset=folder", f"dataset.root={other}", "dataset.classes={lesion: 7}"]
    result = score(tiny_run, *more)
    assert result["cases"] == 6
    rows = cases_of(tiny_run, folder="other")
    assert [row["case"] for row in rows] == [f"images/case_{i}.png" for i in range(6)]
    true = {r["case"]: int(r["tp"]) + int(r["fn"]) for r in rows}
    for case, pixels in true.items():
        mask = np.array(Image.open(other / "masks" / Path(case).name))
        assert pixels == (mask == 7).sum()
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "other").symlink_to(other)
    score(tiny_run, more[0], f"dataset.root={tmp_path / 'moved' / 'other'}", more[2])
    assert str(other / "images") in caplog.text
    assert "output=DIR" in caplog.text
    with pytest.raises(ValueError, match=r"1 classes \(foreground\).*2 \(a, b\)"):
        score(tiny_run, *more[:2], "dataset.classes={a: 7, b: 9}")
    other.rename(tmp_path / "test")  # a name that is also that of a split
    score(tiny_run, more[0], f"dataset.root={tmp_path / 'test'}", more[2])
    assert len(cases_of(tiny_run, folder="folder-test")) == 6


def test_unusable_files_of_another_data_set_are_all_named(
    tiny_run: Path, tmp_path: Path, write_folder: Callable
) -> None:
    other = tmp_path / "other"
    write_folder(other, count=6)
    for i in (2, 4):
        (other / "images" / f"case_{i}.png").write_bytes(b"no image")
    with pytest.raises(DataErrors) as caught:
        score(tiny_run, "dataset=folder", f"dataset.root={other}")
    assert len(caught.value.messages) == 2
    assert list((tiny_run / "evaluate").iterdir()) == []


def test_several_classes_have_figures_each_and_a_confusion(real: Path, tmp_path: Path) -> None:
    root = tmp_path / "wbc"
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
        for file in sorted((real / "wbc" / part).iterdir())[:12]:
            (root / part / file.name).symlink_to(file)
    classes = "dataset.classes={cytoplasm: 128, nucleus: 255}"
    run = untrained(root, tmp_path / "out", classes, "loss=ce_dice",
                    "dataset.split.val=3", "dataset.split.test=4")  # fmt: skip
    result = score(run, "tune=true", "protocol=all")
    assert list(result["classes"]) == ["cytoplasm", "nucleus"]
    assert result["threshold"] is None
    rows = cases_of(run)
    assert len(rows) == 8
    for name, value in (("cytoplasm", 128), ("nucleus", 255)):
        of_class = [row for row in rows if row["class"] == name]
        mean = np.mean([float(row["dice"]) for row in of_class])
        assert result["classes"][name]["dice"]["value"] == pytest.approx(mean)
        for row in of_class:
            mask = np.array(
                Image.open((root / "masks" / Path(row["case"]).stem).with_suffix(".png"))
            )
            assert int(row["tp"]) + int(row["fn"]) == (mask == value).sum()
    both = [result["classes"][name]["dice"]["value"] for name in result["classes"]]
    assert result["metrics"]["dice"]["value"] == pytest.approx(np.mean(both))
    assert "protocol=seg" in result["protocols"]["pranet"]["error"]
    swapped = "dataset.classes={nucleus: 255, cytoplasm: 128}"  # matched by name
    again = score(run, "dataset=folder", f"dataset.root={root}", swapped)
    assert again["cases"] == 12
    assert list(again["classes"]) == ["cytoplasm", "nucleus"]
    by_case = {(r["case"], r["class"]): r for r in cases_of(run, folder="wbc")}
    for row in rows:
        assert by_case[row["case"], row["class"]]["dice"] == row["dice"]


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.mark),)


def test_a_strangers_checkpoint_runs_nothing(tiny_run: Path, tmp_path: Path) -> None:
    path, mark = tmp_path / "given.ckpt", tmp_path / "ran"
    torch.save({"seg": Evil(mark)}, path)
    with pytest.raises(ValueError, match=r"given\.ckpt"):
        score(tiny_run, f"checkpoint={path}")
    content = read(tiny_run / "checkpoints" / "best.ckpt")
    content["seg"]["config"]["model"] = {"_target_": "os.mkdir", "path": str(mark)}
    write_atomically(content, path)
    with pytest.raises(ValueError, match=r"given\.ckpt.*os\.mkdir.*refused"):
        score(tiny_run, f"checkpoint={path}")
    assert not mark.exists()


def test_a_users_own_network_is_vouched_for_by_the_run_or_by_name(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text("from seg.models.unet import UNet\nclass Net(UNet): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    best = tiny_run / "checkpoints" / "best.ckpt"
    content = read(best)
    content["seg"]["config"]["model"]["_target_"] = "mine.Net"
    write_atomically(content, best)
    shutil.copy(best, tmp_path / "bare.ckpt")
    with pytest.raises(ValueError, match="trust=mine"):
        score(tiny_run)  # the run's config.yaml names another
    text = (tiny_run / "config.yaml").read_text()
    (tiny_run / "config.yaml").write_text(text.replace("seg.models.unet.UNet", "mine.Net"))
    score(tiny_run)
    with pytest.raises(ValueError, match="trust=mine"):
        score(tiny_run, f"checkpoint={tmp_path / 'bare.ckpt'}")
    score(tiny_run, f"checkpoint={tmp_path / 'bare.ckpt'}", "trust=mine")


def test_a_run_whose_data_set_would_start_a_process_is_refused(tiny_run: Path) -> None:
    text = (tiny_run / "config.yaml").read_text()
    evil = text.replace("seg.data.sources.folder.Folder", "subprocess.Popen")
    (tiny_run / "config.yaml").write_text(evil)
    with pytest.raises(ValueError, match=r"config\.yaml.*subprocess\.Popen.*refused"):
        score(tiny_run)


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ([], "run: required"),
        (["run=nowhere"], "run=nowhere ("),
        (["run=.", "split=tset"], "split=tset: "),
        (["run=.", "batch_size=0"], "batch_size=0"),
        (["run=.", "tolerance=-1"], "tolerance=-1"),
        (["run=.", "tune=maybe"], "tune=maybe"),
        (["run=.", "trainer.precision=8"], "trainer.precision=8"),
        (["run=.", "+trainer.devises=1"], "trainer.devises: no such key"),
        (["run=.", "+dataset.rot=x"], "dataset.rot: no such key (nearest: root)"),
        (["run=.", "+chekpoint=last"], "chekpoint: no such key (nearest: checkpoint)"),
        (["run=.", "dataset=folder"], "dataset.root=null: "),
        (["run=.", "+protocol.mine=3"], "protocol.mine: "),
        (
            ["run=.", "protocol=kidney", "+protocol.kidney.treshold=1"],
            "treshold: PerImage takes no",
        ),
        *(
            (["run=.", "protocol=robustness", f"protocol.robustness.{given}"], f"{given}: ")
            for given in ("blur=[0]", "noise=0.1", "jpeg=[101]", "brightness=[-1]", "scale=[0.0]")
        ),
    ],
)
def test_problems_are_reported_before_anything_is_read(overrides: list[str], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(compose(overrides, config_name="evaluate"), command="evaluate")
    assert problem in str(caught.value)


def test_every_protocol_composes_under_its_own_name_and_in_all() -> None:
    names = {p.stem for p in (config.CONF_DIR / "protocol").glob("*.yaml")} - {"all"}
    assert len(names) >= 8
    for name in names:
        cfg = compose(["run=.", f"protocol={name}"], config_name="evaluate")
        check(cfg, command="evaluate")
        assert list(cfg.protocol) == [name]
    quick = names - {"robustness"}  # which predicts every case 30 times
    assert set(compose(["run=.", "protocol=all"], config_name="evaluate").protocol) == quick


def command(*argv: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "seg.evaluate", *argv],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.slow
def test_the_command_exits_with_its_status(tiny_run: Path) -> None:
    done = command(f"run={tiny_run}", "protocol=[seg,kidney]", "split=val")
    assert done.returncode == 0, done.stderr
    assert "dice_pooled" in done.stdout
    assert "kidney" in done.stdout
    (tiny_run / "checkpoints" / "best.ckpt").rename(tiny_run / "checkpoints" / "last.ckpt")
    done = command(f"run={tiny_run}")
    assert done.returncode == 1
    assert "best.ckpt: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_misspelt_protocols_are_named_and_definitions_are_one_help_away(tiny_run: Path) -> None:
    done = command(f"run={tiny_run}", "protocol=[seg,kindey]")
    assert done.returncode == 1
    assert "nearest: kidney" in done.stderr
    done = command("--help")
    assert done.returncode == 0
    assert "hd95" in done.stdout
