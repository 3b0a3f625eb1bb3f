"""Batches: image and mask move together; randomness is of the seed, the epoch and the case
alone.
"""

from pathlib import Path

import albumentations as A
import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from torch.utils.data import DataLoader

from seg.cli.compose import CONF_DIR, compose
from seg.data.dataset import EpochSampler, SegmentationDataset, refuse_channels
from seg.data.shared_memory import share

AUGMENTATIONS = sorted(p.stem for p in (CONF_DIR / "augmentation").glob("*.yaml"))


def augmentation(name: str):
    return instantiate(compose([f"augmentation={name}"]).augmentation, _convert_="all")


def blobs(n: int = 16, size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Images that show their masks: 220 inside, 30 outside."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:size, :size]
    masks = np.zeros((n, size, size), np.uint8)
    for mask in masks:
        cy, cx = rng.integers(16, size - 16, 2)
        mask[(y - cy) ** 2 / 130 + (x - cx) ** 2 / 50 < 1] = 1
        mask[cy : cy + 14, cx : cx + 5] = 1  # no symmetry
    images = np.where(masks[..., None] > 0, 220, 30).astype(np.uint8).repeat(3, axis=3)
    return images, masks


def samples(name: str = "strong", seed: int = 0, n: int = 16) -> SegmentationDataset:
    images, masks = blobs(n)
    return SegmentationDataset(
        images=images, masks=masks, cases=range(n), transform=augmentation(name), seed=seed
    )


def batches(
    set_: SegmentationDataset, *, epoch: int = 0, workers: int = 0
) -> dict[int, torch.Tensor]:
    """The images of an epoch by their case."""
    sampler = EpochSampler(size=len(set_), shuffle=True, seed=set_.seed)
    sampler.set_epoch(epoch)
    loader = DataLoader(set_, batch_size=5, sampler=sampler, num_workers=workers, collate_fn=share)
    return {
        int(case): image
        for batch in loader
        for case, image in zip(batch["case"], batch["image"], strict=True)
    }


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_mask_follows_the_image_under_every_augmentation(name: str) -> None:
    set_ = samples(name)
    images, masks = blobs()
    moved = 0
    for epoch in range(6):
        for i in range(len(set_)):
            batch = set_[epoch * len(set_) + i]
            image, mask = batch["image"][0].float().mean(0), batch["mask"][0]
            inside = mask > 0
            if inside.sum() < 40 or (~inside).sum() < 40:
                continue  # moved out of the picture
            bright = image > (image[inside].mean() + image[~inside].mean()) / 2
            agree = 2 * (bright & inside).sum() / (bright.sum() + inside.sum())
            assert agree > 0.85, f"image and mask part in case {i}, epoch {epoch}"
            assert set(mask.unique().tolist()) <= {0, 1}
            moved += int(not np.array_equal(mask.numpy(), masks[i]))
    assert moved == 0 if name == "none" else moved > 40


def test_epochs_draw_different_augmentations() -> None:
    set_ = samples()
    first, second = batches(set_, epoch=0), batches(set_, epoch=1)
    assert not any(torch.equal(first[c], second[c]) for c in first)


def test_cases_draw_different_augmentations() -> None:
    images, masks = blobs(1)
    set_ = SegmentationDataset(
        images=images.repeat(8, 0), masks=masks.repeat(8, 0), cases=range(8),
        transform=augmentation("strong"),
    )  # fmt: skip
    drawn = [set_[i]["image"] for i in range(8)]
    assert not any(torch.equal(drawn[0], other) for other in drawn[1:])


@pytest.mark.parametrize("epoch", [0, 3])
def test_any_number_of_workers_draws_the_same(epoch: int) -> None:
    alone, many = (batches(samples(), epoch=epoch, workers=w) for w in (0, 3))
    assert alone.keys() == many.keys()
    assert all(torch.equal(alone[c], many[c]) for c in alone)


def test_the_same_seed_repeats_and_another_does_not() -> None:
    first, again, other = (batches(samples(seed=s)) for s in (5, 5, 6))
    assert all(torch.equal(first[c], again[c]) for c in first)
    assert not all(torch.equal(first[c], other[c]) for c in first)


def test_without_a_transform_nothing_is_changed() -> None:
    images, masks = blobs()
    batch = SegmentationDataset(images=images, masks=masks, cases=[3, 1])[1]
    assert np.array_equal(batch["image"][0].permute(1, 2, 0).numpy(), images[1])
    assert batch["case"].tolist() == [1]
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)


def test_floats_pass_through_in_their_range() -> None:
    images, masks = blobs()
    deep = SegmentationDataset(
        images=images.astype(np.float32), masks=masks, cases=range(16),
        transform=augmentation("flip_rotate_zoom"),
    )  # fmt: skip
    shallow = samples("flip_rotate_zoom")
    difference = (deep[4]["image"] - shallow[4]["image"].float()).abs()
    assert difference.max() < 3


@pytest.mark.parametrize(("size", "ranks"), [(7, 2), (8, 2), (1, 3), (10, 4)])
def test_ranks_share_all_cases_and_get_equally_many(size: int, ranks: int) -> None:
    shares = [
        list(EpochSampler(size=size, shuffle=True, rank=r, ranks=ranks)) for r in range(ranks)
    ]
    assert len({len(s) for s in shares}) == 1
    assert {key % size for share in shares for key in share} == set(range(size))


def test_order_changes_with_the_epoch_and_not_without_shuffling() -> None:
    sampler = EpochSampler(size=20, shuffle=True)
    first = [k % 20 for k in sampler]
    sampler.set_epoch(1)
    second = [k % 20 for k in sampler]
    assert first != second
    assert sorted(first) == sorted(second) == list(range(20))
    assert list(EpochSampler(size=20, shuffle=False)) == list(range(20))


def test_the_real_images_move_with_their_masks(real: Path, tmp_path: Path) -> None:
    """LGG slices: the tumour's own brightness pattern must stay inside its mask."""
    from seg.data.cache import Preprocessing, load
    from seg.data.sources.lgg import LGG

    classes = {"tumour": [1, 255]}
    pairs = LGG(root=str(real / "lgg"), classes=classes).pairs()[:60]
    cached = load(pairs, Preprocessing((128, 128), 3, classes, None), folder=tmp_path)
    rows = [i for i in range(60) if cached.foreground[i] > 0.01]
    assert len(rows) > 5
    plain = SegmentationDataset(images=cached.images, masks=cached.masks, cases=rows)
    moved = SegmentationDataset(
        images=cached.images, masks=cached.masks, cases=rows,
        transform=augmentation("flip_rotate_zoom"),
    )  # fmt: skip

    def contrast(batch: dict) -> float:
        image, inside = batch["image"][0].float().mean(0), batch["mask"][0] > 0
        return float(image[inside].mean() - image[~inside].mean())

    for i in range(len(rows)):
        assert contrast(moved[i]) == pytest.approx(contrast(plain[i]), abs=12)


@pytest.mark.parametrize(("rank", "ranks"), [(0, 1), (0, 2), (1, 2)])
def test_an_epoch_that_was_left_goes_on_behind_what_was_seen_and_the_next_is_whole(
    rank: int, ranks: int
) -> None:
    about = {"size": 21, "shuffle": True, "seed": 3, "rank": rank, "ranks": ranks}
    whole, rest = EpochSampler(**about), EpochSampler(**about, start=(2, 4))
    whole.set_epoch(2)
    assert list(rest) == list(whole)[4:]
    assert len(rest) == len(whole)  # as the batches of an epoch are counted
    for sampler in (whole, rest):
        sampler.set_epoch(3)
    assert list(rest) == list(whole)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_plane_of_a_mask_moves_as_a_mask_alone(name: str) -> None:
    images, masks = blobs(6)
    planes = np.stack(list(masks), axis=-1)[None].repeat(6, axis=0)  # (N, H, W, K), K = 6
    planes[:, :3] = 255
    options = {"images": images, "cases": range(6), "transform": augmentation(name)}
    together = SegmentationDataset(masks=planes, **options)[4]["mask"]
    assert together.shape == (1, 6, 64, 64)
    for k in range(6):
        alone = SegmentationDataset(masks=planes[..., k], **options)[4]["mask"]
        assert torch.equal(together[:, k], alone)


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7])
def test_an_augmentation_takes_so_many_channels_or_is_refused_beforehand(
    name: str, channels: int
) -> None:
    transform = augmentation(name)
    lacking = {"strong": (2, 4, 5, 7), "robust": (2, 4, 5, 7), "mri": (1,)}
    if channels in lacking.get(name, ()):
        with pytest.raises(ValueError, match=f"dataset.channels={channels}"):
            refuse_channels(transform, channels)
        return
    refuse_channels(transform, channels)
    rng = np.random.default_rng(0)
    for dtype in (np.uint8, np.float32):
        images = rng.integers(0, 256, (1, 32, 32, channels)).astype(dtype)
        masks = np.zeros((1, 32, 32), np.uint8)
        some = SegmentationDataset(images=images, masks=masks, cases=[0], transform=transform)
        for epoch in range(25):
            image = some[epoch]["image"]
            assert image.shape == (1, channels, 32, 32)
            assert image.dtype == (torch.uint8 if dtype == np.uint8 else torch.float32)


def test_an_augmentation_that_fails_for_another_reason_is_not_blamed_on_channels() -> None:
    albumentations = pytest.importorskip("albumentations")
    too_large = albumentations.Compose([albumentations.RandomCrop(200, 200)])
    refuse_channels(too_large, 4)


@pytest.mark.parametrize(
    ("step", "named"),
    [
        (A.RandomCrop(height=16, width=16, p=1), "RandomCrop"),
        (A.Transpose(p=1), "Transpose turns 48x32 to 32x48; dataset.image_size must be square"),
    ],
)
def test_a_size_that_an_augmentation_changes_is_an_error_that_names_it(
    step: A.BasicTransform, named: str
) -> None:
    images, masks = np.zeros((1, 32, 48, 3), np.uint8), np.zeros((1, 32, 48), np.uint8)
    pipeline = A.Compose([A.HorizontalFlip(), step])
    with pytest.raises(ValueError, match=named):
        SegmentationDataset(images=images, masks=masks, cases=[0], transform=pipeline)[0]
