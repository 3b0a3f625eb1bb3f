"""Training cases drawn by their foreground: how often, and always the same for a seed and epoch."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from seg.cli.check import check
from seg.cli.compose import ConfigError, compose
from seg.data.case_sampling import CaseSampling, expected_draws, of_cases
from seg.data.datamodule import SegmentationDataModule
from seg.data.dataset import EpochSampler
from seg.data.sources.folder import Folder

N = 30


def masks(**rows: list[int]) -> np.ndarray:
    """(N, 8, 8): class K is in the masks of kK=[...], several of them may share a mask."""
    made = np.zeros((N, 8, 8), np.uint8)
    for name, chosen in rows.items():
        made[chosen, int(name[1:]), :3] = int(name[1:])
    made[:, 7] = 255  # ignored, and no foreground
    return made


def sampled(made: np.ndarray, *, share: float = 0.5, classes: int = 1, draws: int = N):
    return of_cases(
        made, range(N), sampling="foreground", share=share, classes=classes, draws=draws
    )


def epochs(sampling: CaseSampling, count: int = 40, draws: int = N) -> list[list[int]]:
    """The keys of each epoch."""
    sampler = EpochSampler(size=draws, shuffle=True, sampling=sampling, seed=3)
    drawn = []
    for epoch in range(count):
        sampler.set_epoch(epoch)
        drawn.append(list(sampler))
    return drawn


@pytest.mark.parametrize("share", [0.4, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("draws", [N, 4 * N])
def test_each_epoch_has_the_share_of_foreground_and_keeps_its_length(
    share: float, draws: int
) -> None:
    sampling = sampled(masks(k1=[2, 5, 9, 20, 21, 28]), share=share, draws=draws)
    for keys in epochs(sampling, draws=draws):
        assert len(keys) == len(set(keys)) == draws
        cases = Counter(key % N for key in keys)
        positive = [cases[i] for i in (2, 5, 9, 20, 21, 28)]
        assert sum(positive) == round(share * draws)
        assert max(positive) - min(positive) <= 1  # evenly among them
        assert max(cases[i] for i in (0, 1, 3, 29)) <= -(-draws // N)


def test_keys_of_different_epochs_differ_so_that_augmentations_do() -> None:
    keys = sum(epochs(sampled(masks(k1=[1, 2]), share=0.9)), [])
    assert len(set(keys)) == len(keys)


def test_all_cases_without_foreground_are_seen_in_the_course_of_epochs() -> None:
    seen = Counter(key % N for keys in epochs(sampled(masks(k1=[1, 2, 3]))) for key in keys)
    assert set(seen) == set(range(N))
    empty = [seen[i] for i in (0, *range(4, N))]
    assert np.mean(empty) == pytest.approx(40 * 15 / 27)
    assert max(empty) < 3 * min(empty)


def test_a_share_below_that_of_the_cases_lowers_nothing() -> None:
    assert sampled(masks(k1=list(range(20))), share=0.5) is None


def test_cases_of_rare_classes_are_drawn_more_often_by_the_root_of_their_rarity() -> None:
    made = masks(k1=list(range(16)), k2=[4, 5, 6, 7], k3=[16])
    expected, foreground = expected_draws(
        np.array([[(mask == k).any() for k in (1, 2, 3)] for mask in made]), draws=N, share=0.8
    )
    assert foreground.sum() == 17
    assert expected[:17].sum() == pytest.approx(24)
    assert expected[4] / expected[0] == pytest.approx((16 / 4) ** 0.5)
    assert expected[16] / expected[0] == pytest.approx((16 / 1) ** 0.5)
    drawn = Counter(k % N for keys in epochs(sampled(made, share=0.8, classes=3)) for k in keys)
    assert drawn[16] / 40 == pytest.approx(expected[16], rel=0.1)


def test_planes_of_classes_that_share_pixels_count_as_classes() -> None:
    planes = np.zeros((N, 8, 8, 2), np.uint8)
    planes[:20, 2, 2, 0] = 1
    planes[:5, 2, 2, 1] = 1
    planes[29] = 255
    sampling = sampled(planes, classes=2)
    assert sampling.foreground.sum() == 20
    assert sampling.expected[0] == pytest.approx(2 * sampling.expected[6])


def test_the_plain_key_says_where_it_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    everywhere = list(range(N))
    for made in (masks(k1=everywhere), masks(), masks(k1=everywhere, k2=everywhere)):
        caplog.clear()
        assert sampled(made, classes=2 if (made == 2).any() else 1) is None
        assert "dataset.sampling=foreground" in caplog.text
    caplog.clear()
    assert sampled(masks(k1=everywhere, k2=[3]), classes=2) is not None
    assert not caplog.text


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_ranks_share_one_epoch(ranks: int) -> None:
    sampling = sampled(masks(k1=[1, 2, 3]))
    one = epochs(sampling, count=1)[0]
    parts = [
        list(EpochSampler(size=N, shuffle=True, sampling=sampling, seed=3, rank=r, ranks=ranks))
        for r in range(ranks)
    ]
    assert len({len(part) for part in parts}) == 1
    assert {key for part in parts for key in part} == set(one)


def test_an_epoch_that_was_left_goes_on_behind_what_was_seen() -> None:
    sampling = sampled(masks(k1=[1, 2, 3]))
    whole = epochs(sampling, count=6)
    rest = EpochSampler(size=N, shuffle=True, sampling=sampling, seed=3, start=(4, 8))
    assert list(rest) == whole[4][8:]
    rest.set_epoch(5)
    assert list(rest) == whole[5]


@pytest.fixture
def data(folder: Path, tmp_path: Path):
    """12 pairs, some of them empty; only 3 show their object."""
    for i in range(9):
        cv2.imwrite(str(folder / "masks" / f"case_{i}.png"), np.zeros((40, 48), np.uint8))

    def make(**keys: object) -> SegmentationDataModule:
        split = {"val": 2, "test": 0.0, "by": "file", "seed": 0, "folds": None, "fold": None}
        options = {"image_size": 32, "num_workers": 0, "sampling": "foreground"} | keys
        module = SegmentationDataModule(
            source=Folder(root=str(folder)), channels=3, batch_size=4, normalize="unit",
            split=split | {"file": None, "duplicates": "ignore"}, cache_dir=str(tmp_path / "c"),
            **options,
        )  # fmt: skip
        module.setup()
        return module

    return make


def drawn(data: SegmentationDataModule) -> tuple[list[int], torch.Tensor]:
    loader = data.train_dataloader()
    batches = list(loader)
    cases = [case for batch in batches for case in batch["case"].tolist()]
    return cases, torch.cat([batch["image"] for batch in batches])


def test_loaders_draw_by_foreground_for_training_alone(data) -> None:
    made = data()
    cases, _ = drawn(made)
    assert len(cases) == len(made.rows("train")) == 10
    assert sum(made.cache.foreground[case] > 0 for case in cases) == 5
    validated = [case for batch in made.val_dataloader() for case in batch["case"].tolist()]
    assert sorted(validated) == made.rows("val")
    assert "50% of an epoch" in made.describe()


def test_any_number_of_workers_and_a_second_reading_draw_the_same(data) -> None:
    first, second = drawn(data()), drawn(data(num_workers=2))
    assert first[0] == second[0]
    assert torch.equal(first[1], second[1])


def test_patches_of_a_case_that_is_drawn_again_lie_elsewhere(data) -> None:
    made = data(image_size=None, patch_size=16, patches_per_image=3, sampling_foreground=0.9)
    cases, images = drawn(made)
    assert len(cases) == 30
    assert sum(made.cache.foreground[case] > 0 for case in cases) == 27
    flat = images.flatten(1)
    assert len(flat.unique(dim=0)) > 25  # a place may come twice


def test_the_share_without_the_sampling_is_refused() -> None:
    keys = ["dataset.sampling_foreground=0.7"]
    check(compose([*keys, "dataset.sampling=foreground"]))
    with pytest.raises(ConfigError, match="dataset.sampling=foreground"):
        check(compose(keys))
    with pytest.raises(ConfigError, match="dataset.sampling_foreground"):
        check(compose(["dataset.sampling=foreground", "dataset.sampling_foreground=1.5"]))


def test_uniform_draws_as_ever(data) -> None:
    made = data(sampling="uniform")
    assert made.sampling is None
    loader: DataLoader = made.train_dataloader()
    order = np.random.default_rng([0, 0]).permutation(10)
    assert list(loader.sampler) == order.tolist()
