"""The data module: disjoint loaders, validation as it is, one reading."""

from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate

from seg.config import compose
from seg.data.datamodule import SegmentationDataModule
from seg.data.sources.folder import Folder

SPLIT = {
    "val": 0.25, "test": 0.25, "by": "group", "seed": 0, "folds": None, "fold": None, "file": None,
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
    import logging

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
    assert "byte-equal" in caplog.text


def test_a_written_split_is_read_back_exactly(folder: Path, tmp_path: Path) -> None:
    data = module(folder, tmp_path)
    data.write_split(tmp_path / "split.csv")
    other = module(folder, tmp_path, split=SPLIT | {"seed": 9, "file": str(tmp_path / "split.csv")})
    assert other.labels == data.labels


def test_a_patient_on_both_sides_of_a_given_split_is_refused(folder: Path, tmp_path: Path) -> None:
    rows = [f"images/case_{i}.png,x,{'train' if i % 2 else 'val'}" for i in range(12)]
    (tmp_path / "split.csv").write_text("\n".join(["image,mask,split", *rows]))
    source = Folder(root=str(folder), group=r"(case_1?)")
    with pytest.raises(ValueError, match="is in both"):
        module(folder, tmp_path, source=source, split=SPLIT | {"file": str(tmp_path / "split.csv")})


def test_grey_and_rectangular_sizes_work(folder: Path, tmp_path: Path) -> None:
    data = module(folder, tmp_path, channels=1, image_size=[24, 40], augmentation=None)
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == (4, 1, 24, 40)
    assert batch["mask"].shape == (4, 24, 40)
