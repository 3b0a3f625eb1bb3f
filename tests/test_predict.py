"""The command `seg.predict`: masks of files, what stops it, and what does not."""

import csv
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from seg.cli.check import check
from seg.cli.compose import ConfigError, compose
from seg.data.errors import DataErrors
from seg.data.preprocess import Preprocessing
from seg.data.symmetries import FLIPS
from seg.inference.model import NO_POSTPROCESS, LoadedModel, Predictor
from seg.inference.native_scale import ScaledPredictor
from seg.inference.resized import ResizedPredictor
from seg.inference.sliding_window import SlidingWindow
from seg.models.unet import UNet
from seg.predict import predict, wrap
from tests.inference.small import Brightness
from tests.inference.small import predictor as small_predictor

ROOT = Path(__file__).parents[1]
MEAN, STD = [120.0, 90.0, 70.0], [70.0, 60.0, 50.0]


def network(outputs: int = 1, channels: int = 3) -> UNet:
    torch.manual_seed(3)
    model = UNet(in_channels=channels, out_channels=outputs, width=4, depth=2).eval()
    with torch.no_grad():  # odds far from even, and about half of the pixels for each class
        weight, bias = list(model.parameters())[-2:]
        weight.mul_(8)
        noise = torch.randn(4, channels, 32, 32)
        bias -= model(noise).transpose(0, 1).flatten(1).median(1).values
    return model


def make_run(
    folder: Path, classes: tuple[str, ...] = ("polyp",), channels: int = 3, **more: Any
) -> Path:
    """A run folder as training leaves it, but for the training."""
    outputs = 1 if len(classes) == 1 else len(classes) + 1
    node = {"in_channels": channels, "out_channels": outputs, "width": 4, "depth": 2}
    config = {
        "model": {"_target_": "seg.models.unet.UNet", **node},
        "dataset": {"classes": {name: i + 1 for i, name in enumerate(classes)}, "axis": 2},
    }
    state = {f"model.{k}": v for k, v in network(outputs, channels).state_dict().items()}
    mean, std = MEAN[:channels], STD[:channels]
    for key, value in (("mean", mean), ("std", std)):
        state[f"normalize.{key}"] = torch.tensor(value).view(1, -1, 1, 1)
    carried = {
        "config": config, "classes": list(classes), "threshold": 0.5,
        "preprocessing": {"size": [32, 32], "channels": channels, "window": None,
                          "normalize": "dataset", "mean": mean, "std": std},
        "symmetries": {"trained": list(FLIPS), "mirrored": []},
        **more,
    }  # fmt: skip
    (folder / "checkpoints").mkdir(parents=True)
    torch.save({"state_dict": state, "seg": carried}, folder / "checkpoints" / "best.ckpt")
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "run.json").write_text(json.dumps({"status": "finished"}))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run")


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Five pictures, of four sizes."""
    root = tmp_path / "in"
    (root / "sub").mkdir(parents=True)
    for i, (name, size) in enumerate(
        {"a.png": (40, 50), "b.jpg": (33, 65), "c.bmp": (97, 65), "sub/d.tif": (40, 50),
         "sub/e.png": (1, 70)}.items()
    ):  # fmt: skip
        Image.fromarray(picture(*size, seed=i)).save(root / name)
    return root


def run_predict(
    run: Path | str, source: Path | str, output: Path, *overrides: str
) -> list[dict[str, Any]]:
    fixed = ["trainer.accelerator=cpu", *overrides]
    lines = [f"run={run}", f"input='{source}'", f"output={output}", *fixed]
    cfg = compose(lines, config_name="predict")
    check(cfg, command="predict")
    return predict(cfg)


def hashes(root: Path) -> dict[str, str]:
    files = [p for p in sorted(root.rglob("*")) if p.is_file()]
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def table(output: Path) -> dict[str, dict[str, str]]:
    with (output / "predictions.csv").open(newline="") as handle:
        return {row["image"]: row for row in csv.DictReader(handle)}


# The test's own way from an image to its mask: nothing of seg/inference.
def _reference_probs(image: NDArray, outputs: int = 1) -> NDArray:
    grows = image.shape[0] * image.shape[1] <= 32 * 32
    way = cv2.INTER_LINEAR if grows else cv2.INTER_AREA
    small = cv2.resize(image, (32, 32), interpolation=way).astype(np.float32)
    inputs = torch.tensor(((small - MEAN) / STD).transpose(2, 0, 1)[None], dtype=torch.float32)
    with torch.no_grad():
        logits = network(outputs)(inputs)
    probs = torch.sigmoid(logits) if outputs == 1 else torch.softmax(logits, 1)
    return np.stack([cv2.resize(p, image.shape[1::-1]) for p in probs[0].numpy()])


def _reference_mask(image: NDArray, threshold: float = 0.5) -> NDArray:
    return (_reference_probs(image)[0] > threshold).astype(np.uint8)


def read(path: Path) -> NDArray:
    with Image.open(path) as opened:
        return np.array(opened)


def agree(result: NDArray, expected: NDArray) -> None:
    """Equal but for pixels at the threshold, which a batch may round the other way."""
    assert result.shape == expected.shape
    assert np.count_nonzero(result != expected) <= 2 + result.size // 1000


def test_every_image_gets_a_mask_of_its_own_size_and_name(
    run: Path, images: Path, tmp_path: Path
) -> None:
    before = hashes(images)
    output = tmp_path / "out"
    rows = run_predict(run, images, output, "recursive=true")
    assert len(rows) == 5
    made = sorted(str(p.relative_to(output)) for p in output.rglob("*.png"))
    assert made == ["a.png", "b.png", "c.png", "sub/d.png", "sub/e.png"]
    for name, row in table(output).items():
        image, mask = read(images / name), read(output / row["mask"])
        agree(mask, _reference_mask(image))
        assert mask.any() or name == "sub/e.png"
        assert (int(row["height"]), int(row["width"])) == image.shape[:2]
        assert int(row["polyp_pixels"]) == mask.sum()
        assert int(row["polyp_components"]) == ndimage.label(mask, np.ones((3, 3)))[1]
        probs = _reference_probs(image)[0].astype(np.float64)
        assert float(row["confidence"]) == pytest.approx(
            np.maximum(probs, 1 - probs).mean(), abs=1e-4
        )
        sure = probs[mask > 0].mean() if mask.any() else 1 - probs.max()
        assert float(row["foreground_confidence"]) == pytest.approx(sure, abs=1e-4)
        both = np.clip(np.stack([probs, 1 - probs]), 1e-12, 1)
        entropy = -(both * np.log2(both)).sum(0).mean()
        assert float(row["entropy"]) == pytest.approx(entropy, abs=1e-4)
        assert float(row["seconds"]) > 0
        assert row["polyp_mm2"] == ""
    assert hashes(images) == before


def test_threshold_values_and_probabilities_are_those_of_the_keys(
    run: Path, images: Path, tmp_path: Path
) -> None:
    more = ["threshold=0.8", "values=255", "probabilities=npy", "overlays=true", "tile=null"]
    run_predict(run, images / "c.bmp", tmp_path / "out", *more)
    image = read(images / "c.bmp")
    agree(read(tmp_path / "out" / "c.png"), _reference_mask(image, 0.8) * 255)
    probs = np.load(tmp_path / "out" / "probabilities" / "c.npy")
    np.testing.assert_allclose(probs, _reference_probs(image), atol=1e-5)
    shown = read(tmp_path / "out" / "overlays" / "c.png")
    assert shown.shape == image.shape
    far = cv2.dilate(_reference_mask(image, 0.7), np.ones((9, 9))) == 0
    np.testing.assert_array_equal(shown[far], image[far])
    assert (shown != image).any()


def test_overlays_for_papers_lie_beside_those_for_the_screen(
    run: Path, images: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    run_predict(run, images, output, "overlays=true")
    screen = (output / "overlays" / "c.png").read_bytes()
    run_predict(run, images, output, "overlays=true", "figures=[pdf,svg,png]")
    assert (output / "overlays" / "c.png").read_bytes() == screen
    printed = {path.name for path in (output / "overlays").glob("c*")} - {"c.png"}
    assert printed == {"c.pdf", "c.svg", "c_300dpi.png"}
    assert (output / "overlays" / "c.pdf").read_bytes().startswith(b"%PDF")
    svg = (output / "overlays" / "c.svg").read_text()
    assert svg.count("<image") == 1
    assert svg.count("<path") > 2  # outlines, beside the picture
    shown, image = read(output / "overlays" / "c_300dpi.png"), read(images / "c.bmp")
    assert shown.shape[0] / shown.shape[1] == pytest.approx(97 / 65, rel=0.01)
    far = cv2.dilate(_reference_mask(image, 0.4), np.ones((15, 15))) == 0
    small = cv2.resize(shown[..., :3], (65, 97), interpolation=cv2.INTER_AREA)
    assert np.abs(small[far].astype(int) - image[far]).mean() < 8


def test_figures_without_overlays_are_refused() -> None:
    lines = ["run=R", "input=I", "output=O", "figures=pdf"]
    with pytest.raises(ConfigError, match="overlays=true"):
        check(compose(lines, config_name="predict"), command="predict")


def test_values_of_no_known_range_are_refused_without_a_key_of_a_training(
    run: Path, tmp_path: Path
) -> None:
    values = np.linspace(-1024, 3000, 64 * 64, dtype=np.float32).reshape(64, 64)
    np.save(tmp_path / "ct.npy", values)
    with pytest.raises(DataErrors, match="ct.npy") as caught:
        run_predict(run, tmp_path / "ct.npy", tmp_path / "out")
    assert "-1024 to 3000" in str(caught.value)
    assert "dataset.window" not in str(caught.value)


def test_a_bad_file_stops_no_other_and_is_named(run: Path, images: Path, tmp_path: Path) -> None:
    data = (images / "b.jpg").read_bytes()
    (images / "b.jpg").write_bytes(data[: len(data) // 2])
    (images / "f.png").write_text("no picture")
    array = np.full((8, 8), 0.5, np.float32)
    array[2, 2] = np.nan
    np.save(images / "g.npy", array)
    output = tmp_path / "out"
    with pytest.raises(DataErrors) as caught:
        run_predict(run, images, output, "recursive=true", "contact_sheet=true", "batch_size=3")
    named = sorted(Path(m.split(":")[0]).name for m in caught.value.messages)
    assert named == ["b.jpg", "f.png", "g.npy"]
    assert sorted(p.name for p in output.rglob("*.png")) == [
        "a.png", "c.png", "contact_sheet.png", "d.png", "e.png",
    ]  # fmt: skip
    assert table(output)["b.jpg"]["note"].startswith("failed: ")
    assert table(output)["b.jpg"]["mask"] == ""


def test_a_network_that_gives_no_numbers_writes_no_mask(images: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    checkpoint = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    key = next(
        k for k in checkpoint["state_dict"] if k.startswith("model.") and k.endswith("weight")
    )
    checkpoint["state_dict"][key][:] = float("nan")
    torch.save(checkpoint, run / "checkpoints" / "best.ckpt")
    with pytest.raises(DataErrors, match=r"a\.png: "):
        run_predict(run, images / "a.png", tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.png"))


def test_the_same_command_again_repeats_nothing_but_what_changed(
    run: Path, images: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    run_predict(run, images, output)
    before = hashes(output)

    def times() -> dict[str, int]:
        return {p.name: p.stat().st_mtime_ns for p in output.glob("*.png")}

    first = times()
    run_predict(run, images, output)
    assert (times(), hashes(output)) == (first, before)
    Image.fromarray(picture(40, 50, seed=9)).save(images / "a.png")  # another image
    (output / "c.png").write_bytes(b"torn")
    run_predict(run, images, output)
    again = times()
    assert {name for name in first if again[name] != first[name]} == {"a.png", "c.png"}
    agree(read(output / "a.png"), _reference_mask(read(images / "a.png")))
    run_predict(run, images / "a.png", output)  # the table is of the last command
    assert (list(table(output)), times()) == (["a.png"], again)
    assert hashes(output)["c.png"] == before["c.png"]
    run_predict(run, images, output, "threshold=0.6")
    assert all(times()[name] != again[name] for name in again)


@pytest.mark.parametrize(
    ("source", "output", "words"),
    [
        ("in", "in", "in: .*input=.*in,"),
        ("in", "in/masks", "in/masks: .*input=.*in,"),
        ("link", "in/masks", "in/masks: .*input=.*link,"),
        ("in/a.png", "in", r"in: .*a\.png"),
        ("in/*.png", "in", r"in: .*a\.png"),
        ("in", "theirs", r"theirs: .*a\.png"),
        ("in", "file", "file: "),
    ],
)
def test_files_of_the_user_are_never_replaced(
    run: Path, images: Path, tmp_path: Path, source: str, output: str, words: str
) -> None:
    (tmp_path / "link").symlink_to(images)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "a.png").write_bytes(b"by hand")
    (tmp_path / "file").touch()
    before = hashes(tmp_path)
    with pytest.raises(ValueError, match=f"output=.*{words}"):
        run_predict(run, tmp_path / source, tmp_path / output)
    assert hashes(tmp_path) == before


def test_images_unlike_the_training_get_a_note(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "in"
    root.mkdir()
    usual = np.clip(picture(40, 40).astype(float) - 40, 0, 255).astype(np.uint8)
    grey = usual.mean(2).astype(np.uint8)
    Image.fromarray(usual).save(root / "usual.png")
    Image.fromarray(grey).save(root / "grey.png")
    Image.fromarray(np.full((40, 40, 3), 7, np.uint8)).save(root / "constant.png")
    Image.fromarray(usual // 8 + 224).save(root / "bright.png")
    Image.fromarray(cv2.resize(usual, (200, 40))).save(root / "wide.png")
    Image.fromarray(cv2.resize(usual, (600, 600))).save(root / "large.png")
    cv2.imwrite(str(root / "deep.png"), usual.astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(usual).save(root / "turned.png", exif=exif)
    run_predict(run, root, tmp_path / "out")
    notes = {name: row["note"] for name, row in table(tmp_path / "out").items()}
    assert notes.pop("usual.png") == ""
    for name, pattern in {
        "grey.png": "grey",
        "constant.png": r"constant .*\b7\b",
        "bright.png": r"brighter .*\bmean \d+",
        "wide.png": r"aspect .*\b200x40\b",
        "large.png": r"larger .*\b19 times",
        "deep.png": "8 bits",
        "turned.png": r"EXIF .*\b6\b",
    }.items():
        assert re.search(pattern, notes[name]), name
    assert re.search(r"1 of 8: .*larger .*\(large\.png", caplog.text)


def test_a_colour_image_is_read_as_grey_for_a_grey_network_with_a_note(
    images: Path, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "grey", channels=1)
    run_predict(run, images / "a.png", tmp_path / "one")
    assert "colour" in table(tmp_path / "one")["a.png"]["note"]
    Image.open(images / "a.png").convert("L").save(images / "a.png")
    run_predict(run, images / "a.png", tmp_path / "two")
    assert "colour" not in table(tmp_path / "two")["a.png"]["note"]
    agree(read(tmp_path / "one" / "a.png"), read(tmp_path / "two" / "a.png"))


def test_several_classes_are_indices_with_figures_for_each(images: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "three", classes=("cell", "core"))
    run_predict(run, images, tmp_path / "out", "contact_sheet=true", "probabilities=png16")
    for name, row in table(tmp_path / "out").items():
        probs = _reference_probs(read(images / name), 3)
        mask = read(tmp_path / "out" / row["mask"])
        agree(mask, probs.argmax(0).astype(np.uint8))
        assert [int(row[f"{c}_pixels"]) for c in ("cell", "core")] == [
            np.count_nonzero(mask == k) for k in (1, 2)
        ]
        sure = [float(row[f"{c}_mask_confidence"]) for c in ("cell", "core")]
        expected = [p[mask == k].mean() if (mask == k).any() else 1 - p.max()
                    for k, p in enumerate(probs[1:], start=1)]  # fmt: skip
        assert sure == pytest.approx(expected, abs=1e-3)
        assert float(row["foreground_confidence"]) == pytest.approx(np.mean(sure), abs=1e-4)
        deep = read(tmp_path / "out" / "probabilities" / "core" / row["mask"])
        np.testing.assert_allclose(deep / 65535, probs[2], atol=1e-4)
    with pytest.raises(ValueError, match="threshold"):
        run_predict(run, images, tmp_path / "two", "threshold=0.4")


def test_a_volume_becomes_a_volume_slice_by_slice(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    values = np.stack([picture(30, 20, seed=i)[..., 0] for i in range(4)], -1)
    values = values.transpose(1, 0, 2)  # (X, Y, Z): slices are stored transposed
    (tmp_path / "in").mkdir()
    affine = np.diag([0.5, 2.0, 5.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / "in" / "v.nii.gz")
    run = make_run(tmp_path / "run")
    run_predict(run, tmp_path / "in", tmp_path / "out", "batch_size=3", "contact_sheet=true")
    made = nibabel.load(tmp_path / "out" / "v.nii.gz")
    np.testing.assert_array_equal(made.affine, affine)
    masks = np.asarray(made.dataobj)
    rows = table(tmp_path / "out")
    for i in range(4):
        image = np.repeat(values[:, :, i].T[..., None], 3, axis=2)
        agree(masks[:, :, i].T, _reference_mask(image))
        row = rows[f"v.nii.gz#{i}"]
        assert float(row["polyp_mm2"]) == pytest.approx(int(row["polyp_pixels"]) * 1.0)
    data = (tmp_path / "in" / "v.nii.gz").read_bytes()
    (tmp_path / "in" / "cut.nii.gz").write_bytes(data[: len(data) - 20])
    with pytest.raises(DataErrors, match=r"cut\.nii\.gz") as caught:
        run_predict(run, tmp_path / "in", tmp_path / "out")
    assert len(caught.value.messages) == 1
    assert not (tmp_path / "out" / "cut.nii.gz").exists()


def test_an_ensemble_with_views_is_the_mean_of_all(run: Path, images: Path, tmp_path: Path) -> None:
    two = [str(run), str(run / "checkpoints" / "best.ckpt")]
    cfg = compose(
        [f"run={two}", f"input={images}", f"output={tmp_path / 'out'}", "tta=flips",
         "probabilities=npy", "trainer.accelerator=cpu"],
        config_name="predict",
    )  # fmt: skip
    check(cfg, command="predict")
    predict(cfg)
    image = read(images / "c.bmp")
    views = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    mean = np.mean(
        [_reference_probs(image[::u, ::v].copy())[:, ::u, ::v] for u, v in views], axis=0
    )
    result = np.load(tmp_path / "out" / "probabilities" / "c.npy")
    np.testing.assert_allclose(result, mean, atol=1e-5)


def without_record(run: Path, augmentation: dict | None) -> Path:
    """A checkpoint of an earlier version: its configuration says what training had."""
    path = run / "checkpoints" / "best.ckpt"
    content = torch.load(path, weights_only=True)
    del content["seg"]["symmetries"]
    if augmentation is not None:
        content["seg"]["config"]["augmentation"] = augmentation
    torch.save(content, path)
    return path


def pipeline(*transforms: dict) -> dict:
    return {"_target_": "albumentations.Compose", "transforms": list(transforms)}


FLIP = {"_target_": "albumentations.HorizontalFlip", "p": 0.5}


def test_views_of_an_earlier_checkpoint_are_those_of_its_augmentation(
    run: Path, images: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = without_record(run, pipeline(FLIP))
    with caplog.at_level("INFO"):
        run_predict(path, images / "c.bmp", tmp_path / "out", "tta=flips", "probabilities=npy")
    image = read(images / "c.bmp")
    mean = (_reference_probs(image) + _reference_probs(image[:, ::-1].copy())[..., ::-1]) / 2
    result = np.load(tmp_path / "out" / "probabilities" / "c.npy")
    np.testing.assert_allclose(result, mean, atol=1e-5)
    assert any("horizontal flip" in r.message for r in caplog.records)


@pytest.mark.parametrize("tta", ["flips", "d4", "true"])
@pytest.mark.parametrize("augmentation", [
    pipeline(),
    pipeline({**FLIP, "p": 0}),
    None,
    pipeline(FLIP, {"_target_": "somewhere.Else"}),
    pipeline(FLIP, {"_target_": "albumentations.load", "filepath_or_buffer": "a.json"}),
    pipeline(FLIP, {"_target_": "torch.nn.Identity"}),
    pipeline(FLIP, {"_target_": "os.system", "command": "touch ran"}),
])  # fmt: skip
def test_views_that_training_had_not_stop_the_prediction(
    run: Path, images: Path, tmp_path: Path, augmentation: dict | None, tta: str
) -> None:
    path = without_record(run, augmentation)
    with pytest.raises(ValueError, match="tta_check=false"):
        run_predict(path, images, tmp_path / "out", f"tta={tta}")
    assert not list(tmp_path.rglob("*.csv"))
    assert not (tmp_path / "out" / "a.png").exists()
    run_predict(path, images, tmp_path / "out", f"tta={tta}", "tta_check=false")
    assert (tmp_path / "out" / "a.png").exists()


def test_classes_of_two_sides_are_never_mirrored(images: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", classes=("left", "right"))
    with pytest.raises(ValueError, match="left and right"):
        run_predict(run, images, tmp_path / "out", "tta=flips")


def test_a_configuration_is_refused_with_all_that_is_wrong(run: Path, images: Path) -> None:
    lines = [f"run={run}", f"input={images}", "output=null", "values=7", "tile=3", "tta=x",
             "threshold=2", "overlap=0.9", "batch_size=0"]  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        check(compose(lines, config_name="predict"), command="predict")
    named = {problem.partition("=")[0] for problem in caught.value.problems}
    assert named == {"output", "values", "tile", "tta", "threshold", "overlap", "batch_size"}
    for command_name, more in (("evaluate", []), ("train", ["threshold=null"])):
        twice = [f"run=[{run},{run}]"] if command_name == "evaluate" else ["dataset=synthetic"]
        with pytest.raises(ConfigError, match="run=|threshold=null"):
            check(compose([*twice, *more], config_name=command_name), command=command_name)


def unwrapped(predictor: Predictor, size: int) -> LoadedModel:
    return LoadedModel(
        predictor=predictor, classes=["polyp"], threshold=0.5, postprocess=NO_POSTPROCESS,
        preprocessing=Preprocessing((size, size), 3, {"polyp": 1}, None), mean=MEAN, std=STD,
        axis=2, members=[Path("best.ckpt")],
    )  # fmt: skip


@pytest.mark.parametrize("tile", ["auto", None])
def test_by_itself_an_image_is_resized_whole_as_in_evaluation(tile: str | None) -> None:
    predictor = wrap(unwrapped(Brightness(), 128), tile=tile).predictor
    assert isinstance(predictor, ResizedPredictor)
    assert "whole to 128x128" in str(predictor)


def test_a_number_cuts_an_image_into_windows() -> None:
    predictor = wrap(unwrapped(Brightness(), 128), tile=512, overlap=0.5).predictor
    assert isinstance(predictor, SlidingWindow)
    assert (predictor.tile, predictor.overlap) == ((512, 512), 0.5)
    assert "512x512" in str(predictor)
    assert "50%" in str(predictor)


@pytest.mark.parametrize(
    ("tile", "words"), [(None, "in one pass"), ("auto", "as memory allows"), (256, "in windows of")]
)
def test_a_scale_lets_the_network_see_more_at_a_time(tile: int | str | None, words: str) -> None:
    predictor = wrap(unwrapped(small_predictor(32), 32), tile=tile, scale=0.5).predictor
    assert isinstance(predictor, ScaledPredictor)
    assert words in str(predictor)
    assert "scale 0.5" in str(predictor)


@pytest.mark.parametrize("scale", [None, 0.5])
@pytest.mark.parametrize("tile", [True, "512", 3.5, [3, 4]])
def test_a_tile_that_is_no_number_is_refused(tile: object, scale: float | None) -> None:
    with pytest.raises(ValueError, match="tile="):
        wrap(unwrapped(small_predictor(32), 32), tile=tile, scale=scale)


def command(*lines: str) -> list[str]:
    return [sys.executable, "-m", "seg.predict", *lines, "trainer.accelerator=cpu"]


@pytest.mark.slow
def test_a_kill_leaves_whole_files_and_the_rest_is_done_by_the_same_command(
    run: Path, tmp_path: Path
) -> None:
    root, output = tmp_path / "in", tmp_path / "out"
    root.mkdir()
    for i in range(120):
        Image.fromarray(picture(300, 300, seed=i)).save(root / f"{i:02d}.png")
    lines = [f"run={run}", f"input={root}", f"output={output}", "probabilities=npy"]
    killed = 0
    for _ in range(4):
        process = subprocess.Popen(command(*lines), cwd=ROOT, stderr=subprocess.DEVNULL)
        there = len(list(output.glob("*.png")))
        deadline = time.monotonic() + 600  # a busy machine takes its time to start
        while process.poll() is None and time.monotonic() < deadline:
            if len(list(output.glob("*.png"))) >= there + 5:
                os.kill(process.pid, signal.SIGKILL)
                killed += 1
                break
            time.sleep(0.002)
        process.wait()
        for path in output.glob("*.png"):
            assert read(path).shape == (300, 300)
        for path in output.glob("probabilities/*.npy"):
            assert np.load(path).shape == (1, 300, 300)
    assert killed >= 2
    done = subprocess.run(command(*lines), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d+ of 120 ", done.stderr)
    assert len(table(output)) == 120
    assert not (output / ".unfinished").exists()
    shutil.rmtree(tmp_path / "other", ignore_errors=True)
    subprocess.run(command(*lines[:2], f"output={tmp_path / 'other'}"), cwd=ROOT, check=True)
    for path in output.glob("*.png"):
        agree(read(path), read(tmp_path / "other" / path.name))


@pytest.mark.slow
def test_a_corrupt_file_ends_the_command_with_one_and_four_masks(
    run: Path, images: Path, tmp_path: Path
) -> None:
    (images / "b.jpg").write_bytes(b"\xff\xd8\xff no jpeg")
    lines = [f"run={run}", f"input={images}", f"output={tmp_path / 'out'}", "recursive=true"]
    done = subprocess.run(command(*lines), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "b.jpg" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(list((tmp_path / "out").rglob("*.png"))) == 4


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_a_mosaic_of_36_megapixels_is_predicted_within_two_gigabytes(
    run: Path, tmp_path: Path
) -> None:
    side = 6000
    tile = picture(600, 600)
    cv2.imwrite(str(tmp_path / "big.png"), np.tile(tile, (side // 600, side // 600, 1)))
    # the kernel's own peak of this program: ru_maxrss begins with that of the process before it
    code = (
        "import pathlib, re, runpy, sys; sys.argv = ['predict', *sys.argv[1:]]\n"
        "try: runpy.run_module('seg.predict', run_name='__main__')\n"
        "finally: print(*re.findall(r'VmHWM:\\s+(\\d+)',"
        " pathlib.Path('/proc/self/status').read_text()))"
    )
    for tiles in ("tile=auto", "tile=512"):
        lines = [f"run={run}", f"input={tmp_path / 'big.png'}", f"output={tmp_path / tiles}", tiles]
        done = subprocess.run(
            [sys.executable, "-c", code, *lines, "trainer.accelerator=cpu"],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) < 2e6  # KiB
        assert read(tmp_path / tiles / "big.png").shape == (side, side)
