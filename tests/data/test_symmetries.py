"""Which mirror images and turns an augmentation makes."""

from collections.abc import Callable

import albumentations as A  # noqa: N812 - as its documentation writes it
import numpy as np
import pytest
from hydra.utils import instantiate

from seg.cli.compose import compose
from seg.data.symmetries import VIEWS, symmetries_of
from seg.inference.tta import view_of

H, V, HALF = "horizontal flip", "vertical flip", "turn by 180"
TURNS = [HALF, "turn by 90", "turn by 270"]


class Mirroring(A.DualTransform):
    """A transform that nobody knows."""

    def apply(self, img: np.ndarray, **_: object) -> np.ndarray:
        return np.ascontiguousarray(img[:, ::-1])


class Fixed:
    """Always one view; not of albumentations."""

    def __init__(self, name: str) -> None:
        self.view = VIEWS[name]

    def set_random_seed(self, seed: int) -> None:
        pass

    def __call__(self, *, image: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
        return {"image": view_of(image, self.view), "mask": view_of(mask, self.view)}


@pytest.mark.parametrize(
    ("transforms", "expected"),
    [
        ([], []),
        ([A.HorizontalFlip(p=0.5)], [H]),
        ([A.VerticalFlip(p=0.1)], [V]),
        ([A.HorizontalFlip(p=0)], []),
        ([A.Compose([A.HorizontalFlip(p=1), A.VerticalFlip(p=1)], p=0)], []),
        ([A.HorizontalFlip(p=1), A.VerticalFlip(p=1)], [HALF]),
        ([A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)], [H, V, HALF]),
        ([A.Transpose(p=0.5)], ["transposition"]),
        ([A.RandomRotate90(p=0.5)], TURNS),
        ([A.D4(p=1)], list(VIEWS)),
        ([A.SquareSymmetry(p=1)], list(VIEWS)),
        ([A.Rotate(limit=180, p=1)], TURNS),
        ([A.Rotate(limit=60, p=1)], []),
        ([A.Affine(rotate=[-180, 180], shear=[-10, 10], scale=[0.7, 1.4], p=1)], TURNS),
        ([A.OneOf([A.VerticalFlip(p=1), A.Compose([A.HorizontalFlip(p=1)])], p=0.5)], [H, V]),
        ([A.Perspective(p=1), A.ElasticTransform(alpha=60, sigma=9, p=1)], []),
        ([A.CoarseDropout(p=1), A.GridDropout(p=1), A.VerticalFlip(p=0.5)], [V]),
        ([A.Affine(translate_percent=(-0.5, 0.5), border_mode=4, p=1)], []),  # reflected borders
        ([A.RandomCrop(100, 100), A.PadIfNeeded(128, 128), A.HorizontalFlip(p=0.5)], [H]),
        ([A.RandomBrightnessContrast(p=1), A.Normalize(p=1)], []),
        ([Mirroring(p=0.5)], [H]),
    ],
)  # fmt: skip
def test_what_a_pipeline_makes_is_measured(transforms: list, expected: list[str]) -> None:
    assert symmetries_of(A.Compose(transforms), size=(128, 128)) == expected


@pytest.mark.parametrize("name", list(VIEWS))
def test_each_view_is_told_from_the_others(name: str) -> None:
    assert symmetries_of(Fixed(name), size=(96, 96), channels=1, dtype=np.float32) == [name]
    assert symmetries_of(Fixed(name), size=(40, 120)) == [name]


def test_no_augmentation_makes_none() -> None:
    assert symmetries_of(None, size=(32, 32)) == []


@pytest.mark.parametrize(
    ("choice", "test"),
    [
        ("none", lambda made: made == []),
        ("rotate_zoom", lambda made: made == []),
        ("mri", lambda made: made == [H]),
        ("flip_rotate_zoom", lambda made: HALF in made and set(made) <= {H, V, HALF}),
        ("light", lambda made: made == [H]),
        ("nnunet", lambda made: {H, V, HALF, "turn by 90"} < set(made)),
        ("strong", lambda made: made == list(VIEWS)),
        ("robust", lambda made: made == list(VIEWS)),
    ],
)
def test_the_choices_of_augmentation(choice: str, test: Callable) -> None:
    transform = instantiate(compose([f"augmentation={choice}"]).augmentation, _convert_="all")
    assert test(symmetries_of(transform, size=(256, 256)))
