"""Classes that may share pixels, from folders of masks to files of predictions.

Every figure is recomputed in NumPy from the predicted PNGs and the masks of the data set.
"""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from seg.cli import build
from seg.cli.check import check
from seg.cli.compose import ConfigError, compose
from seg.compare import compare
from seg.evaluate import evaluate
from seg.export import export
from seg.predict import predict
from seg.prepare import prepare
from seg.train import train
from seg.training.checkpoint import read
from tests.pictures import no_pictures
from tests.test_evaluate import _reference_figures

CLASSES = ("disc", "cup", "bar")
SIDE = 48
SMALL = ["model.width=4", "model.depth=2", "trainer=cpu", "dataset.batch_size=4"]


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "PANEL_ROWS", 1)


def write_eyes(root: Path, count: int = 16) -> None:
    """A cup within a disc, and a bar across both; a folder of masks for each. Two of a patient."""
    rng = np.random.default_rng(0)
    for part in ("images", *(f"masks/{name}" for name in CLASSES)):
        (root / part).mkdir(parents=True)
    for i in range(count):
        masks = np.zeros((3, SIDE, SIDE), np.uint8)
        x, y, radius = (int(v) for v in (*rng.integers(16, 32, 2), rng.integers(9, 14)))
        cv2.circle(masks[0], (x, y), radius, 255, -1)
        cv2.circle(masks[1], (x, y), radius // 2, 255 * (i % 4 > 0), -1)  # some have none
        cv2.line(masks[2], (0, y + 2), (SIDE, y - 3), 255, 3)
        image = rng.integers(0, 50, (SIDE, SIDE, 3), dtype=np.uint8)
        for channel, mask in enumerate(masks):
            image[..., 2 - channel] += mask // 2
        name = f"p{i // 2}_{i % 2}.png"
        cv2.imwrite(str(root / "images" / name), image)
        for name_of, mask in zip(CLASSES, masks, strict=True):
            cv2.imwrite(str(root / "masks" / name_of / name), mask)


def arguments(root: Path, output: Path, *overrides: str) -> list[str]:
    folders = ", ".join(f"{name}: masks/{name}" for name in CLASSES)
    return [
        "dataset=folder", f"dataset.root={root}", f"dataset.mask_dir={{{folders}}}",
        r"dataset.group='(p\d+)_'", "dataset.overlap=true", "dataset.split.val=4",
        "dataset.split.test=6", f"dataset.image_size={SIDE}", f"output_dir={output}",
        "loss=bce_dice", "optimizer.lr=0.02", "trainer.max_epochs=4", *SMALL, *overrides,
    ]  # fmt: skip


def trained(*argv: str, output: Path) -> Path:
    cfg = compose(list(argv))
    check(cfg)
    train(cfg)
    return max(output.glob("*-*/*/config.yaml")).parent


@pytest.fixture(scope="module")
def eyes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("eyes")
    write_eyes(root)
    return root


@pytest.fixture(scope="module")
@no_pictures()
def kept(eyes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("out")
    return trained(*arguments(eyes, output), output=output)


@pytest.fixture
def run(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "runs" / kept.name))


def called(command: Any, name: str, *overrides: str) -> Any:
    cfg = compose(list(overrides), config_name=name)
    check(cfg, command=name)
    return command(cfg)


def rows_of(run: Path, split: str = "test") -> list[dict[str, str]]:
    with (run / "split.csv").open(newline="") as handle:
        return [row for row in csv.DictReader(handle) if row["split"] == split]


def predicted(run: Path | str, root: Path, rows: list[dict], output: Path, *more: str) -> list:
    listed = ",".join(str(root / row["image"]) for row in rows)
    return called(
        predict, "predict", f"run={run}", f"input=[{listed}]", f"output={output}", *more
    )  # fmt: skip


def masks_of(output: Path, rows: list[dict], classes: Any = CLASSES) -> NDArray[np.bool_]:
    """(M, K, H, W)"""
    stems = [Path(row["image"]).stem for row in rows]
    read_one = lambda stem, name: np.array(Image.open(output / f"{stem}.{name}.png"))  # noqa: E731
    masks = np.array([[read_one(stem, name) for name in classes] for stem in stems])
    assert set(np.unique(masks)) <= {0, 255}
    return masks > 0


def require_figures(
    result: dict[str, Any],
    references: NDArray,
    masks: NDArray,
    groups: list[str],
    folder: Path,
    *,
    within: float = 1e-6,
) -> None:
    """Every overlap and distance figure, of each class and their mean, from masks on disk."""
    expected: dict[str, list[float]] = {}
    for k, name in enumerate(result["classes"]):
        (folder / name).mkdir(parents=True)
        for i, pair in enumerate(zip(references[:, k], masks[:, k], strict=True)):
            for kind, mask in zip(("reference", "prediction"), pair, strict=True):
                Image.fromarray(mask.astype(np.uint8)).save(folder / name / f"{i}_{kind}.png")
        own = result["classes"][name]
        figures = _reference_figures(folder / name, groups)
        assert len(own.keys() & figures.keys()) >= 14
        for figure in own.keys() & figures.keys():
            assert own[figure]["value"] == pytest.approx(figures[figure], abs=within), figure
            expected.setdefault(figure, []).append(figures[figure])
    for figure, values in expected.items():
        assert result["metrics"][figure]["value"] == pytest.approx(np.mean(values), abs=within)


def test_every_figure_is_that_of_masks_on_disk(eyes: Path, run: Path, tmp_path: Path) -> None:
    rows = rows_of(run)
    groups = [row["group"] for row in rows]
    assert len(set(groups)) < len(groups)
    output = tmp_path / "masks"
    predicted(run, eyes, rows, output, "probabilities=npy", "batch_size=1")
    masks = masks_of(output, rows)
    stems = [Path(row["image"]).name for row in rows]
    references = np.array(
        [[np.array(Image.open(eyes / "masks" / k / s)) > 0 for k in CLASSES] for s in stems]
    )
    assert (references.sum(1) > 1).any()  # pixels of several classes
    assert (masks.sum(1) > 1).any()
    test = json.loads((run / "test.json").read_text())
    result = called(evaluate, "evaluate", f"run={run}", "protocol=all")
    assert list(test["classes"]) == list(result["classes"]) == list(CLASSES)
    require_figures(result, references, masks, groups, tmp_path / "native")
    # the test of a training sees batches, and a pixel at the threshold may fall to either side
    require_figures(test, references, masks, groups, tmp_path / "training", within=2e-3)
    assert result["protocols"]["seg"]["dice"] == pytest.approx(result["metrics"]["dice"]["value"])
    assert "protocol=seg" in result["protocols"]["pranet"]["error"]
    probs = [np.load(output / "probabilities" / f"{Path(s).stem}.npy") for s in stems]
    assert np.array_equal(np.array(probs) > 0.5, masks)
    for k, name in enumerate(CLASSES):
        squares = [(p[k] - t[k]) ** 2 for p, t in zip(probs, references, strict=True)]
        brier = np.mean([square.mean() for square in squares])
        assert result["classes"][name]["brier"]["value"] == pytest.approx(brier, abs=1e-6)
    folder = run / "evaluate" / "test"
    assert not (folder / "confusion.png").exists()
    for name in ("pr_curve", "reliability", "panels/worst"):
        assert cv2.imread(str(folder / f"{name}.png")).std() > 1


def test_a_file_for_each_class_is_written_and_found_again(
    eyes: Path, run: Path, tmp_path: Path
) -> None:
    rows, output = rows_of(run)[:2], tmp_path / "masks"
    options = "probabilities=png16", "overlays=true", "contact_sheet=true"
    first = predicted(run, eyes, rows, output, *options)
    masks = masks_of(output, rows)
    stem = Path(rows[0]["image"]).stem
    assert first[0]["mask_disc"] == f"{stem}.disc.png"
    with (output / "predictions.csv").open(newline="") as handle:
        table = list(csv.DictReader(handle))
    for row, planes in zip(table, masks, strict=True):
        assert "mask" not in row
        for name, plane in zip(CLASSES, planes, strict=True):
            assert int(row[f"{name}_pixels"]) == plane.sum()
    every = [[float(row[f"{name}_mask_confidence"]) for name in CLASSES] for row in table]
    deep = cv2.imread(str(output / "probabilities/cup" / f"{stem}.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(deep > 65535 / 2, masks[0, 1])
    assert every[0][1] == pytest.approx(deep[masks[0, 1] == 1].mean() / 65535, abs=1e-4)
    assert float(table[0]["foreground_confidence"]) == pytest.approx(np.mean(every[0]), abs=1e-4)
    assert cv2.imread(str(output / "overlays" / f"{stem}.png")).std() > 1
    assert (output / "contact_sheet.png").is_file()
    before = (output / f"{stem}.disc.png").stat().st_mtime_ns
    assert predicted(run, eyes, rows, output, *options) == first
    assert (output / f"{stem}.disc.png").stat().st_mtime_ns == before  # kept, and not done again
    palette = tmp_path / "palette"
    predicted(run, eyes, rows, palette, "values=palette")
    with Image.open(palette / f"{stem}.cup.png") as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.array(picture), masks[0, 1])


@no_pictures()
def test_each_class_has_a_threshold_of_its_own(eyes: Path, run: Path, tmp_path: Path) -> None:
    rows = rows_of(run)[:3]
    predicted(run, eyes, rows, tmp_path / "p", "threshold=[0.2,0.5,0.9]", "probabilities=npy")
    masks = masks_of(tmp_path / "p", rows)
    for row, planes in zip(rows, masks, strict=True):
        probs = np.load(tmp_path / "p/probabilities" / f"{Path(row['image']).stem}.npy")
        assert np.array_equal(planes, probs > np.float32([0.2, 0.5, 0.9])[:, None, None])
    with pytest.raises(ValueError, match="one for each of disc, cup, bar"):
        predicted(run, eyes, rows, tmp_path / "q", "threshold=[0.2,0.5]")
    result = called(evaluate, "evaluate", f"run={run}", "tune=true")
    stored = read(run / "checkpoints" / "best.ckpt")["seg"]["threshold"]
    assert result["threshold"] == stored
    assert np.size(stored) in (1, 3)
    (run / "checkpoints" / "best.ckpt").rename(run / "b.ckpt")
    again = called(evaluate, "evaluate", f"run={run}", f"checkpoint={run / 'b.ckpt'}")
    assert again["metrics"] == result["metrics"]


@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_exported_files_predict_the_same_planes(
    eyes: Path, run: Path, tmp_path: Path, form: str
) -> None:
    if form == "onnx":
        pytest.importorskip("onnxscript", reason="writes ONNX; in the export extra")
    path = tmp_path / f"m.{form}"
    report = called(export, "export", f"run={run}", f"format={form}", f"output={path}", "count=3")
    assert report["about"]["overlap"] is True
    assert report["parity"]["equal"] > 0.999
    rows = rows_of(run)[:3]
    predicted(run, eyes, rows, tmp_path / "a")
    predicted(path, eyes, rows, tmp_path / "b", "trust=pt2")
    equal = masks_of(tmp_path / "a", rows) == masks_of(tmp_path / "b", rows)
    assert equal.mean() > 0.999


def test_views_windows_and_ensembles_keep_the_classes(
    eyes: Path, run: Path, tmp_path: Path
) -> None:
    rows = rows_of(run)[:2]
    options = {"flips": ("tta=true",), "tile": ("tile=32",), "two": ()}
    for name, more in options.items():
        sources = f"[{run},{run}]" if name == "two" else run
        predicted(sources, eyes, rows, tmp_path / name, *more)
        assert masks_of(tmp_path / name, rows).shape == (2, 3, SIDE, SIDE)
    predicted(run, eyes, rows, tmp_path / "one")
    one, two = (masks_of(tmp_path / name, rows) for name in ("one", "two"))
    assert np.array_equal(one, two)


def test_runs_are_compared_and_reported(eyes: Path, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    called(compare, "compare", f"runs={run}", f"output={out}")
    assert "may share pixels" in (out / "model_card.md").read_text()
    other = Path(shutil.copytree(run, tmp_path / "runs" / "other"))
    called(compare, "compare", f"runs=[{run},{other}]", f"output={tmp_path / 'both'}")


def test_what_does_not_fit_is_refused(eyes: Path, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="loss=bce"):
        check(compose(arguments(eyes, out, "loss=ce_dice")))
    with pytest.raises(ValueError, match=r"dataset\.overlap: True -> False"):
        train(compose(arguments(eyes, run.parents[1], f"resume={run}", "dataset.overlap=false")))
    folders = arguments(eyes, out)[:3]
    with pytest.raises(ValueError, match=r"dataset\.overlap=true"):
        called(evaluate, "evaluate", f"run={run}", *folders)


@pytest.mark.slow
def test_blood_cells_have_the_figures_of_masks_on_disk(real: Path, tmp_path: Path) -> None:
    """A nucleus lies in its cell: the value 255 of real masks belongs to both classes."""
    root, out, classes = tmp_path / "wbc", tmp_path / "out", ("cell", "nucleus")
    masks = sorted((real / "wbc" / "masks").iterdir())
    sized = [path for path in masks if Image.open(path).size == (120, 120)]  # that of training
    for part, suffix in (("images", ".bmp"), ("masks", ".png")):
        (root / part).mkdir(parents=True)
        for path in sized[:60]:
            name = path.with_suffix(suffix).name
            (root / part / name).symlink_to(real / "wbc" / part / name)
    keys = ["dataset=folder", f"dataset.root={root}", f"output_dir={out}", "loss=bce_dice"]
    keys += ["dataset.classes={cell: [128, 255], nucleus: 255}", "dataset.overlap=true"]
    keys += ["dataset.image_size=120", "optimizer.lr=0.01", "trainer.max_epochs=3", *SMALL]
    run = trained(*keys, output=out)
    rows, output = rows_of(run), tmp_path / "masks"
    predicted(run, root, rows, output, "batch_size=1")
    masks = masks_of(output, rows, classes)
    values = [np.array(Image.open(root / row["mask"])) for row in rows]
    references = np.array([[value > 0, value == 255] for value in values])
    groups = [row["group"] for row in rows]
    result = called(evaluate, "evaluate", f"run={run}")
    assert min(result["classes"][name]["dice"]["value"] for name in classes) > 0.5
    require_figures(result, references, masks, groups, tmp_path / "native")
    test = json.loads((run / "test.json").read_text())
    require_figures(test, references, masks, groups, tmp_path / "training", within=2e-3)


def test_an_audit_counts_each_class_and_its_plan_keeps_them(
    eyes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    called(
        prepare, "prepare", *arguments(eyes, tmp_path)[:5], f"output_dir={tmp_path}", "plan=eyes"
    )
    (folder,) = (tmp_path / "prepare").glob("*/*/")
    content = json.loads((folder / "audit.json").read_text())
    for name in CLASSES:
        masks = [np.array(Image.open(p)) > 0 for p in (eyes / "masks" / name).iterdir()]
        pixels, count = sum(m.sum() for m in masks), sum(m.any() for m in masks)
        assert content["classes"][name] == {"pixels": pixels, "masks": count}
    assert cv2.imread(str(folder / "contact_sheet.png")).std() > 1
    cfg = compose([f"hydra.searchpath=[file://{tmp_path}]", "experiment=eyes"])
    check(cfg)
    assert cfg.dataset.overlap
    assert cfg.model.out_channels == 3
