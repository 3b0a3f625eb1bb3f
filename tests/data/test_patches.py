"""Patches: where they lie, what they hold beyond an image, and that seed and key decide alone."""

from collections import Counter
from pathlib import Path

import albumentations as A
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from seg.data.datamodule import SegmentationDataModule
from seg.data.dataset import SegmentationDataset
from seg.data.masks import IGNORE
from seg.data.patches import Patches, of_images
from seg.data.sources.folder import Folder

SIZE = (16, 24)


def rare() -> NDArray[np.uint8]:
    """A mask of 200x100: class 1 in many pixels, class 2 in a few, some ignored."""
    mask = np.zeros((200, 100), np.uint8)
    mask[20:120, 10:60], mask[150:152, 80:83], mask[190:] = 1, 2, IGNORE
    return mask


def patches(mask: NDArray, *, foreground: float = 1.0, size: tuple[int, int] = SIZE) -> Patches:
    return Patches(masks=[mask], size=size, foreground=foreground, per_image=4)


def classes_hit(drawn: Patches, count: int) -> Counter:
    rng, hit = np.random.default_rng(0), Counter()
    mask = drawn.masks[0]
    for _ in range(count):
        y, x = drawn.corner(0, rng)
        centre = mask[y + SIZE[0] // 2, x + SIZE[1] // 2]
        hit[int(centre) if mask.ndim == 2 else int(centre.any() and 1 + centre.argmax())] += 1
    return hit


def test_patches_around_foreground_have_each_class_equally_often_in_their_middle() -> None:
    hit = classes_hit(patches(rare()), 400)
    assert hit.keys() == {1, 2}
    assert 150 < hit[2] < 250


def test_classes_that_share_pixels_are_drawn_as_often() -> None:
    planes = np.stack([rare() == 1, rare() == 2], axis=2).astype(np.uint8)
    hit = classes_hit(patches(planes), 400)
    assert hit.keys() == {1, 2}
    assert 150 < hit[2] < 250


def test_the_share_of_foreground_is_the_one_asked_for() -> None:
    mask = np.zeros((2000, 2000), np.uint8)
    mask[1000, 1000] = 1  # which a patch drawn anywhere nearly never has in its middle
    rng, drawn = np.random.default_rng(0), patches(mask, foreground=0.33)
    corners = [drawn.corner(0, rng) for _ in range(600)]
    assert 0.27 < np.mean([corner == (992, 988) for corner in corners]) < 0.39


def test_patches_without_foreground_lie_anywhere_and_reach_every_border() -> None:
    rng, drawn = np.random.default_rng(0), patches(np.zeros((40, 50), np.uint8))
    corners = np.array([drawn.corner(0, rng) for _ in range(2000)])
    assert corners.min(0).tolist() == [0, 0]
    assert corners.max(0).tolist() == [24, 26]


def test_beyond_a_small_image_lies_its_mirror_image_which_the_mask_ignores() -> None:
    image = np.random.default_rng(0).integers(0, 256, (10, 30, 3), dtype=np.uint8)
    drawn = patches(np.ones((10, 30), np.uint8), size=(32, 24))
    patch, mask, _ = drawn.cut(image, 0, np.random.default_rng(1), surround=True)
    assert patch.shape == (32, 24, 3)
    assert (mask[:10] == 1).all()
    assert (mask[10:] == IGNORE).all()
    mirrored = np.pad(image, ((0, 22), (0, 0), (0, 0)), mode="reflect")
    assert any((patch == mirrored[:, x : x + 24]).all() for x in range(7))


def samples(side: int, *, transform: A.Compose | None) -> SegmentationDataset:
    """Patches of white images: black can only come from a turn."""
    images, masks = np.full((2, side, side, 3), 255, np.uint8), np.ones((2, side, side), np.uint8)
    drawn = Patches(masks=masks, size=(32, 32), foreground=0, per_image=10)
    return SegmentationDataset(
        images=images, masks=masks, cases=[0, 1], transform=transform, patches=drawn
    )


def test_a_turned_patch_has_no_black_corners_where_the_image_goes_on() -> None:
    turn = A.Compose([A.Rotate(limit=(20, 20), p=1.0)])
    drawn = samples(200, transform=turn)
    images = [drawn[key]["image"] for key in range(60)]
    assert {tuple(image.shape) for image in images} == {(1, 3, 32, 32)}
    # others lie at the image's border
    assert np.mean([(image == 255).all().item() for image in images]) > 0.7


def test_an_epoch_has_all_patches_of_all_cases() -> None:
    drawn = samples(64, transform=None)
    assert len(drawn) == 20
    rows = [int(drawn[key]["case"]) for key in range(20)]
    assert Counter(rows) == {0: 10, 1: 10}


def test_a_patch_follows_from_seed_and_key_alone() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 90, 80, 3), dtype=np.uint8)
    masks = rng.integers(0, 3, (3, 90, 80), dtype=np.uint8)

    def made(seed: int) -> SegmentationDataset:
        drawn = of_images(masks, [0, 1, 2], size=(32, 32), foreground=0.5, per_image="auto")
        turn = A.Compose([A.D4(p=1.0), A.Affine(rotate=(-30, 30), p=1.0)])
        return SegmentationDataset(
            images=images, masks=masks, cases=[0, 1, 2], transform=turn, seed=seed, patches=drawn
        )

    once, again, other = made(1), made(1), made(2)
    assert len(once) == 3 * 8  # 7200 pixels are 7.03 patches
    forwards = [once[key]["image"] for key in range(24)]
    backwards = [again[key]["image"] for key in reversed(range(24))][::-1]
    assert all((a == b).all() for a, b in zip(forwards, backwards, strict=True))
    assert any((a != other[key]["image"]).any() for key, a in enumerate(forwards))
    assert (once[0]["image"] != once[24]["image"]).any()  # the same place in the next epoch


@pytest.fixture
def varied(tmp_path: Path) -> Path:
    """12 pairs of 12 sizes, two of them smaller than 32 pixels."""
    rng, root = np.random.default_rng(0), tmp_path / "varied"
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for i in range(12):
        size = (28 + 5 * i, 90 - 6 * i)
        mask = np.zeros(size, np.uint8)
        cv2.circle(mask, (size[1] // 2, size[0] // 2), 8, 255, -1)
        image = rng.integers(0, 120, (*size, 3), dtype=np.uint8) + (mask[..., None] > 0) * 100
        cv2.imwrite(str(root / "images" / f"{i}.png"), image)
        cv2.imwrite(str(root / "masks" / f"{i}.png"), mask)
    return root


def data_module(root: Path, **keys: object) -> SegmentationDataModule:
    split = {"val": 0.2, "test": 0.2, "by": "group", "seed": 1, "folds": None, "fold": None}
    options = {"image_size": None, "patch_size": 32} | keys
    module = SegmentationDataModule(
        source=Folder(root=str(root)), channels=3, batch_size=4, num_workers=0,
        split=split | {"file": None, "duplicates": "ignore"}, normalize="dataset",
        cache_dir=str(root / "cache"), **options,
    )  # fmt: skip
    module.setup()
    return module


def test_images_of_many_sizes_are_cached_as_they_are(varied: Path) -> None:
    data = data_module(varied)
    for row, pair in enumerate(data.pairs):
        stored = cv2.cvtColor(cv2.imread(str(pair.image)), cv2.COLOR_BGR2RGB)
        np.testing.assert_array_equal(data.cache.images[row], stored)
        assert data.cache.masks[row].shape == stored.shape[:2]


def test_training_gets_patches_and_validation_whole_images_one_at_a_time(varied: Path) -> None:
    data = data_module(varied, patches_per_image=3)
    batches = list(data.train_dataloader())
    assert sum(len(batch["case"]) for batch in batches) == 3 * len(data.rows("train"))
    assert {tuple(batch["image"].shape[1:]) for batch in batches} == {(3, 32, 32)}
    for batch in data.val_dataloader():
        (row,) = batch["case"].tolist()
        np.testing.assert_array_equal(batch["image"][0].permute(1, 2, 0), data.cache.images[row])


def test_images_are_resized_first_where_a_size_is_given(varied: Path) -> None:
    data = data_module(varied, image_size=[64, 48])
    assert {mask.shape for mask in data.cache.masks} == {(64, 48)}
    assert next(iter(data.train_dataloader()))["image"].shape == (4, 3, 32, 32)


def test_images_smaller_than_a_patch_are_reported(
    varied: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data_module(varied)
    assert "3 of 12 images are smaller" in caplog.text
