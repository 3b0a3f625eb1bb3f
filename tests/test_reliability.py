"""What users' folders are really like: trained with the right result, or refused by name."""

import hashlib
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from seg.cli.compose import compose
from seg.data.errors import DataErrors
from seg.train import train

# thirty trainings, a minute
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_pictures")]

TINY = [
    "dataset.image_size=32", "dataset.batch_size=4", "dataset.split.val=3", "dataset.split.test=3",
    "augmentation=none", "model.width=4", "model.depth=2", "trainer.max_epochs=1", "trainer=cpu",
]  # fmt: skip


def fit(root: Path, output: Path, *more: str) -> Path:
    """The run folder of one epoch on a folder."""
    data = ["dataset=folder", f"dataset.root={root}", f"output_dir={output}"]
    train(compose([*data, *TINY, *more]))
    return max(output.glob("*-*/*"), key=lambda path: path.stat().st_mtime)


def figures(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "test_cases.csv").drop(columns=["case", "group"])


def digest(root: Path) -> dict[str, str]:
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file()
    }


def _palette(truth: np.ndarray, path: Path) -> None:
    image = Image.fromarray(truth)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.save(path)


# The same truth (H, W) of 0 and 1 as people save it.
WAYS: dict[str, Callable[[np.ndarray, Path], None]] = {
    "0 and 1": lambda truth, path: Image.fromarray(truth).save(path.with_suffix(".png")),
    "1 bit": lambda truth, path: Image.fromarray(truth > 0).save(path.with_suffix(".png")),
    "palette": lambda truth, path: _palette(truth, path.with_suffix(".png")),
    "grey in RGB": lambda truth, path: Image.fromarray(np.dstack([truth * 255] * 3)).save(
        path.with_suffix(".png")
    ),
    "JPEG": lambda truth, path: Image.fromarray(truth * 255).save(
        path.with_suffix(".jpg"), quality=95
    ),
    "16 bits": lambda truth, path: Image.fromarray(truth.astype(np.uint16)).save(
        path.with_suffix(".png")
    ),
}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, write_folder: Callable) -> pd.DataFrame:
    """Figures of the `folder` fixture as it is."""
    root = tmp_path_factory.mktemp("known")
    write_folder(root / "set", count=12)
    return figures(fit(root / "set", root / "out"))


@pytest.mark.parametrize("way", WAYS)
def test_one_truth_saved_in_another_way_gives_equal_figures(
    way: str, folder: Path, known: pd.DataFrame, tmp_path: Path
) -> None:
    for file in (folder / "masks").iterdir():
        truth = (np.array(Image.open(file)) > 0).astype(np.uint8)
        file.unlink()
        WAYS[way](truth, file)
    pd.testing.assert_frame_equal(figures(fit(folder, tmp_path)), known)


@pytest.mark.parametrize("values", [[7], [90, 200]])
def test_values_that_no_class_claims_are_named(
    values: list[int], folder: Path, tmp_path: Path
) -> None:
    path = folder / "masks" / "case_5.png"
    mask = np.array(Image.open(path))
    mask[0, : len(values)] = values
    Image.fromarray(mask).save(path)
    with pytest.raises(DataErrors, match=r"case_5\.png") as caught:
        fit(folder, tmp_path)
    assert all(str(v) in str(caught.value) for v in values)
    assert not list(tmp_path.glob("**/checkpoints/*"))


def test_everything_that_is_wrong_with_a_folder_is_one_message(
    folder: Path, tmp_path: Path
) -> None:
    images, masks = folder / "images", folder / "masks"
    Image.new("L", (9, 9)).save(masks / "case_0.png")  # another size
    (masks / "case_1.png").unlink()  # missing
    picture = Image.open(images / "case_2.png").convert("RGB")
    picture.save(images / "case_2.jpg")
    (images / "case_2.png").unlink()
    jpeg = (images / "case_2.jpg").read_bytes()
    (images / "case_2.jpg").write_bytes(jpeg[: len(jpeg) // 2])  # truncated
    png = (images / "case_3.png").read_bytes()
    (images / "case_3.png").write_bytes(png[: len(png) // 2])  # truncated
    (images / "case_4.png").write_bytes(b"")  # 0 bytes
    (images / "case_6.png").write_text("no image")
    (images / "case_7.png").unlink()
    (images / "case_7.png").symlink_to(folder / "gone.png")  # dangling
    Image.open(images / "case_8.png").convert("CMYK").save(images / "case_8.tif")
    (images / "case_8.png").unlink()
    pages = [Image.open(images / "case_9.png").convert("RGB")] * 2
    pages[0].save(images / "case_9.tif", save_all=True, append_images=pages[1:])
    (images / "case_9.png").unlink()
    before = digest(folder)
    with pytest.raises(DataErrors) as caught:
        fit(folder, tmp_path)
    for i in (0, 1, 2, 3, 4, 6, 7, 8, 9):
        assert f"case_{i}." in str(caught.value)
    for i in (5, 10, 11):
        assert f"case_{i}." not in str(caught.value)
    assert len(caught.value.messages) == 9
    assert not list(tmp_path.glob("**/checkpoints/*"))
    assert digest(folder) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "images" / "case_1.png").chmod(0)
    with pytest.raises(DataErrors, match=r"case_1\.png.*permission"):
        fit(folder, tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    for part in ("images", "masks"):
        (tmp_path / "set" / part).mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="images"):
        fit(tmp_path / "set", tmp_path / "out")


def test_an_image_turned_by_exif_is_refused(folder: Path, tmp_path: Path) -> None:
    path = folder / "images" / "case_1.png"
    image = Image.open(path).convert("RGB")
    exif = image.getexif()
    exif[0x0112] = 3
    path.unlink()
    image.save(path.with_suffix(".jpg"), exif=exif)
    with pytest.raises(DataErrors, match=r"case_1\.jpg.*orientation 3"):
        fit(folder, tmp_path)


def test_grey_colour_and_alpha_may_be_mixed(folder: Path, tmp_path: Path) -> None:
    for i, mode in enumerate(["L", "RGBA", "LA", "P"]):
        path = folder / "images" / f"case_{i}.png"
        Image.open(path).convert(mode).save(path)
    assert np.isfinite(figures(fit(folder, tmp_path))["dice"]).all()


def test_sixteen_bits_are_predicted_like_their_eight_bit_copy(folder: Path, tmp_path: Path) -> None:
    for path in (folder / "images").iterdir():
        Image.open(path).convert("L").save(path)
    own_size = "dataset.image_size=[40,48]"  # resizing rounds 8 bits, and only these
    before = figures(fit(folder, tmp_path / "a", own_size))
    for path in (folder / "images").iterdir():
        cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(np.uint16) * 257)
    pd.testing.assert_frame_equal(figures(fit(folder, tmp_path / "b", own_size)), before)


@pytest.mark.parametrize("value", [0, 255])
def test_masks_that_are_all_empty_or_all_full_give_finite_figures(
    value: int, folder: Path, tmp_path: Path
) -> None:
    for path in (folder / "masks").iterdir():
        Image.new("L", Image.open(path).size, value).save(path)
    run = fit(folder, tmp_path)
    assert np.isfinite(figures(run)[["dice", "iou", "precision", "recall"]]).all(axis=None)
    assert all(math.isfinite(v) for v in pd.read_csv(run / "metrics.csv")["val/dice"])


@pytest.mark.parametrize("size", [(3, 3), (1, 500), (65, 97)])
def test_images_of_any_size_are_trained_on(
    size: tuple[int, int], folder: Path, tmp_path: Path
) -> None:
    for part in ("images", "masks"):
        for path in (folder / part).iterdir():
            Image.open(path).resize(size[::-1], Image.Resampling.NEAREST).save(path)
    assert len(figures(fit(folder, tmp_path))) == 3


def test_names_that_trip_others_are_paired_right(folder: Path, tmp_path: Path) -> None:
    """1 to 12 without zeros, an extension in capitals, and what macOS leaves behind."""
    for part in ("images", "masks"):
        for path in list((folder / part).iterdir()):
            number = int(path.stem.split("_")[1]) + 1
            path.rename(path.with_name(f"{number}.PNG" if part == "images" else f"{number}.png"))
        (folder / part / ".DS_Store").write_bytes(b"x")
        (folder / part / "._1.png").write_bytes(b"x")
        (folder / part / "old").mkdir()
        (folder / part / "old" / "1.png").write_bytes(b"x")
    split = pd.read_csv(fit(folder, tmp_path) / "split.csv")
    assert split["image"].tolist() == [f"images/{i}.PNG" for i in range(1, 13)]
    assert split["mask"].tolist() == [f"masks/{i}.png" for i in range(1, 13)]


def write_split(path: Path, rows: dict[str, str]) -> str:
    lines = [f"images/{image},{label}" for image, label in rows.items()]
    path.write_text("\n".join(["image,split", *lines]))
    return f"dataset.split.file={path}"


@pytest.mark.parametrize("kind", ["equal", "near"])
def test_the_same_image_in_two_given_splits_is_refused_with_both_names(
    kind: str, real: Path, tmp_path: Path
) -> None:
    root = tmp_path / "set"
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
        for file in sorted((real / "kvasir_seg_256" / part).iterdir())[:12]:
            shutil.copy(file, root / part)
    files = sorted((root / "images").iterdir())
    copy = root / "images" / "copy.jpg"
    if kind == "equal":
        shutil.copy(files[0], copy)
    else:
        Image.open(files[0]).resize((250, 250)).resize((256, 256)).save(copy, quality=70)
    shutil.copy(root / "masks" / files[0].name, root / "masks" / "copy.jpg")
    labels = {f.name: "train" if i < 9 else "val" for i, f in enumerate(files)} | {
        "copy.jpg": "val"
    }
    file = write_split(tmp_path / "split.csv", labels)
    with pytest.raises(ValueError, match="dataset.split") as caught:
        fit(root, tmp_path / "out", file)
    assert files[0].name in str(caught.value)
    assert "copy.jpg" in str(caught.value)
    fit(root, tmp_path / "out", file, "dataset.split.duplicates=ignore", "dataset.split.test=0")
    drawn = pd.read_csv(fit(root, tmp_path / "out") / "split.csv").set_index("image")["split"]
    assert drawn["images/copy.jpg"] == drawn[f"images/{files[0].name}"]


def test_a_group_in_two_splits_of_a_file_is_refused(folder: Path, tmp_path: Path) -> None:
    rows = {f"case_{i}.png": "train" if i % 2 else "val" for i in range(12)}
    file = write_split(tmp_path / "split.csv", rows)
    with pytest.raises(ValueError, match="group case_ .*dataset.split.by"):
        fit(folder, tmp_path, file, "dataset.group='(case_1?)'")


def test_a_mask_that_changed_between_runs_is_seen(folder: Path, tmp_path: Path) -> None:
    before = fit(folder, tmp_path)
    test = pd.read_csv(before / "split.csv").query("split == 'test'")["mask"].tolist()
    times = (folder / test[0]).stat()
    mask = np.array(Image.open(folder / test[0]))
    Image.fromarray(255 - mask).save(folder / test[0])
    os.utime(folder / test[0], ns=(times.st_atime_ns, times.st_mtime_ns))
    rows = fit(folder, tmp_path, f"dataset.split.file={before / 'split.csv'}")
    counts = [pd.read_csv(run / "test_cases.csv").set_index("case") for run in (before, rows)]
    case = f"images/{Path(test[0]).name}"
    positive = [int(c.loc[case, "tp"] + c.loc[case, "fn"]) for c in counts]
    assert positive[0] + positive[1] == 32 * 32


def test_training_leaves_the_input_as_it_was(folder: Path, tmp_path: Path) -> None:
    before, times = digest(folder), {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    fit(folder, tmp_path)
    assert digest(folder) == before
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == times
