"""The data module: disjoint loaders, validation as it is, one reading, one message."""

import hashlib
import logging
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from hydra.utils import instantiate

from seg.cli.compose import compose
from seg.data.datamodule import SegmentationDataModule
from seg.data.errors import DataErrors
from seg.data.sources import read_pairs
from seg.data.sources.folder import Folder
from seg.data.sources.table import Table
from seg.data.split import file
from seg.runs import atomic

SPLIT = {
    "val": 0.25, "test": 0.25, "by": "group", "seed": 0, "folds": None, "fold": None, "file": None,
    "duplicates": "together",
}  # fmt: skip


def module(folder: Path, tmp_path: Path, **changes: object) -> SegmentationDataModule:
    settings = {
        "source": Folder(root=str(folder)), "image_size": 32, "channels": 3, "batch_size": 4,
        "num_workers": 0, "split": SPLIT, "normalize": "dataset", "cache_dir": str(tmp_path / "c"),
        "augmentation": instantiate(compose(["augmentation=strong"]).augmentation, _convert_="all"),
    } | changes  # fmt: skip
    data = SegmentationDataModule(**settings)
    data.setup()
    return data


def test_loaders_are_disjoint_and_cover_every_case(folder: Path, tmp_path: Path) -> None:
    """The kvasir document drew its split twice, and trained on 80 % of its validation images."""
    data = module(folder, tmp_path)
    loaders = (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())
    seen = [{int(c) for batch in loader for c in batch["case"]} for loader in loaders]
    assert [len(s) for s in seen] == [6, 3, 3]
    assert set.union(*seen) == set(range(12))
    again = module(folder, tmp_path)
    assert again.labels == data.labels


def test_validation_is_never_augmented(folder: Path, tmp_path: Path) -> None:
    data = module(folder, tmp_path)
    for loader in (data.val_dataloader(), data.test_dataloader()):
        for batch in loader:
            stored = data.cache.images[batch["case"].numpy()]
            assert np.array_equal(batch["image"].permute(0, 2, 3, 1).numpy(), stored)
    changed = [
        not np.array_equal(image.permute(1, 2, 0).numpy(), data.cache.images[case])
        for batch in data.train_dataloader()
        for image, case in zip(batch["image"], batch["case"].tolist(), strict=True)
    ]
    assert any(changed)


def test_statistics_are_of_the_training_images_alone(folder: Path, tmp_path: Path) -> None:
    data = module(folder, tmp_path)
    images = data.cache.images[data.rows("train")].reshape(-1, 3).astype(float)
    mean, std = data.statistics()
    assert mean == pytest.approx(images.mean(0).tolist())
    assert std == pytest.approx(images.std(0).tolist())


def test_byte_equal_images_stay_in_one_split_with_a_warning(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("seg").propagate = True
    for i in (1, 2, 3, 5, 6):
        for part in ("images", "masks"):
            data = (folder / part / f"case_{i}.png").read_bytes()
            (folder / part / f"copy_{i}.png").write_bytes(data)
    data = module(folder, tmp_path)
    label = {p.case: label for p, label in zip(data.pairs, data.labels, strict=True)}
    assert all(
        label[f"images/case_{i}.png"] == label[f"images/copy_{i}.png"] for i in (1, 2, 3, 5, 6)
    )
    assert "images/case_1.png = images/copy_1.png" in caplog.text


def test_a_written_split_is_read_back_exactly(folder: Path, tmp_path: Path) -> None:
    data = module(folder, tmp_path)
    atomic.write_csv(tmp_path / "split.csv", [file.COLUMNS, *data.split_rows()])
    other = module(folder, tmp_path, split=SPLIT | {"seed": 9, "file": str(tmp_path / "split.csv")})
    assert other.labels == data.labels


def test_a_patient_on_both_sides_of_a_given_split_is_refused(folder: Path, tmp_path: Path) -> None:
    rows = [f"images/case_{i}.png,x,{'train' if i % 2 else 'val'}" for i in range(12)]
    (tmp_path / "split.csv").write_text("\n".join(["image,mask,split", *rows]))
    source = Folder(root=str(folder), group=r"(case_1?)")
    with pytest.raises(ValueError, match="case_.*train.*val|case_.*val.*train"):
        module(folder, tmp_path, source=source, split=SPLIT | {"file": str(tmp_path / "split.csv")})


def test_grey_and_rectangular_sizes_work(folder: Path, tmp_path: Path) -> None:
    data = module(folder, tmp_path, channels=1, image_size=[24, 40], augmentation=None)
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == (4, 1, 24, 40)
    assert batch["mask"].shape == (4, 24, 40)


def test_missing_masks_and_broken_files_come_in_one_message(folder: Path, tmp_path: Path) -> None:
    (folder / "masks" / "case_1.png").unlink()
    (folder / "masks" / "case_4.png").unlink()
    whole = (folder / "images" / "case_2.png").read_bytes()
    (folder / "images" / "case_2.png").write_bytes(whole[: len(whole) // 2])
    stray = np.zeros((40, 48), np.uint8)
    stray[3, 3] = 7
    cv2.imwrite(str(folder / "masks" / "case_3.png"), stray)
    with pytest.raises(DataErrors) as caught:
        module(folder, tmp_path)
    messages = caught.value.messages
    assert [Path(m.split(":")[0]).name for m in messages] == [f"case_{i}.png" for i in (1, 4, 2, 3)]
    assert ["case_1.*" in messages[0], "case_4.*" in messages[1]] == [True, True]
    assert str(caught.value).startswith("4 ")
    assert not (tmp_path / "c").exists()


def test_faulty_rows_of_a_table_and_broken_files_come_in_one_message(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "images" / "case_2.png").write_bytes(b"")
    rows = [f"images/case_{i}.png,masks/case_{i}.png" for i in range(12)]
    rows += [rows[0], "images/gone.png,masks/case_1.png"]
    (folder / "cases.csv").write_text("\n".join(["image,mask", *rows]))
    with pytest.raises(DataErrors) as caught:
        module(folder, tmp_path, source=Table(root=str(folder)))
    text = str(caught.value)
    assert len(caught.value.messages) == 3
    assert re.search(r"line 14: images/case_0\.png .*line 2\b", text)
    assert "images/case_2.png: " in text
    assert "images/gone.png: " in text


def test_a_source_without_problems_has_none(folder: Path) -> None:
    pairs, problems = read_pairs(Folder(root=str(folder)))
    assert (len(pairs), problems) == (12, [])


def test_folders_named_after_splits_are_the_splits(folder: Path, tmp_path: Path) -> None:
    for part in ("images", "masks"):
        for i in range(12):
            split = "test" if i < 4 else "training"
            (folder / part / split).mkdir(exist_ok=True)
            (folder / part / f"case_{i}.png").rename(folder / part / split / f"case_{i}.png")
    data = module(folder, tmp_path)
    tested = {data.pairs[i].case for i in data.rows("test")}
    assert tested == {f"images/test/case_{i}.png" for i in range(4)}
    assert len(data.rows("val")) == 3  # a quarter of all, drawn from training
    assert len(data.rows("train")) == 5


def test_near_duplicates_stay_in_one_split(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("seg").propagate = True
    for i in (1, 2, 3):
        image = cv2.imread(str(folder / "images" / f"case_{i}.png"))
        copy = cv2.convertScaleAbs(image, None, 0.9, 9)
        cv2.imwrite(str(folder / "images" / f"copy_{i}.png"), copy)
        mask = (folder / "masks" / f"case_{i}.png").read_bytes()
        (folder / "masks" / f"copy_{i}.png").write_bytes(mask)
    for seed in range(4):
        data = module(folder, tmp_path, split=SPLIT | {"seed": seed})
        label = {p.case: label for p, label in zip(data.pairs, data.labels, strict=True)}
        assert all(
            label[f"images/case_{i}.png"] == label[f"images/copy_{i}.png"] for i in (1, 2, 3)
        )
    assert "3 near-duplicate" in caplog.text


def test_the_fingerprint_of_the_data_is_the_digest_of_split_csv(
    folder: Path, tmp_path: Path
) -> None:
    data = module(folder, tmp_path)
    atomic.write_csv(tmp_path / "split.csv", [file.COLUMNS, *data.split_rows()])
    assert data.fingerprint() == hashlib.sha256((tmp_path / "split.csv").read_bytes()).hexdigest()
    other = module(folder, tmp_path, split=SPLIT | {"seed": 1})
    assert other.fingerprint() != data.fingerprint()


def test_volumes_train_slice_by_slice_and_are_split_whole(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel", reason="reads NIfTI; in the medical extra")
    rng = np.random.default_rng(0)
    for name in "abcdef":
        volume = rng.integers(0, 255, (16, 16, 4)).astype(np.uint8)
        for part, array in (("images", volume), ("masks", (volume > 128).astype(np.uint8))):
            (tmp_path / "set" / part).mkdir(parents=True, exist_ok=True)
            image = nibabel.Nifti1Image(array, np.eye(4))
            nibabel.save(image, tmp_path / "set" / part / f"{name}.nii.gz")
    data = module(tmp_path / "set", tmp_path, channels=1)
    assert len(data.pairs) == 24
    assert {len({data.labels[i] for i in range(v, v + 4)}) for v in range(0, 24, 4)} == {1}
    atomic.write_csv(tmp_path / "split.csv", [file.COLUMNS, *data.split_rows()])
    split = SPLIT | {"seed": 5, "file": str(tmp_path / "split.csv")}
    assert module(tmp_path / "set", tmp_path, channels=1, split=split).labels == data.labels


def test_deep_images_pass_through_the_window(folder: Path, tmp_path: Path) -> None:
    for path in (folder / "images").iterdir():
        values = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.uint16) + 1000
        cv2.imwrite(str(path), values)
    data = module(folder, tmp_path, channels=1, image_size=[40, 48], window=[1000, 1255])
    plain = cv2.imread(str(data.pairs[0].image), cv2.IMREAD_UNCHANGED).astype(float) - 1000
    assert np.abs(data.cache.images[0, ..., 0] - plain).max() < 1e-3


def test_the_line_about_the_data_tells_counts_and_the_split(folder: Path, tmp_path: Path) -> None:
    data = module(folder, tmp_path, source=Folder(root=str(folder), group=r"(case_\d)"))
    line = data.describe()
    assert line.startswith("12 cases at 32x32: train ")
    assert "25% without foreground" in line
    assert "groups)" in line  # case_1, case_10 and case_11 are one
    other = module(folder, tmp_path, split=SPLIT | {"seed": 1})
    again = module(folder, tmp_path)
    assert again.describe() == module(folder, tmp_path).describe() != other.describe()


def test_impossible_sizes_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"dataset\.split\.val"):
        module(tmp_path / "none", tmp_path, split=SPLIT | {"val": -1.0})
