"""Views of an image, and the way back."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from seg.data.preprocess import Preprocessing
from seg.data.symmetries import FLIPS, VIEWS
from seg.inference.model import NO_POSTPROCESS, LoadedModel
from seg.inference.tta import UNCHANGED, TestTimeAugmentation, choose, view_of
from tests.inference.small import Brightness, picture, predictor

SETS = {"flips": FLIPS, "d4": tuple(VIEWS)}


class Corner:
    """Says 1 at the upper left pixel of what it is shown, 0 elsewhere; contiguous input only."""

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        assert image.flags.c_contiguous
        probs = np.zeros((1, *image.shape[:2]), np.float32)
        probs[0, 0, 0] = 1
        return probs

    def batch(self, images: list[NDArray]) -> list[NDArray[np.float32]]:
        return [self.probabilities(image) for image in images]


def _reference_mean(network: object, image: NDArray, transforms: str) -> NDArray:
    """With numpy's own words for turning and mirroring."""
    turns = range(4) if transforms == "d4" else (0, 2)
    result = []
    for turn in turns:
        for mirrored in (False, True):
            view = np.rot90(image, turn)
            view = np.fliplr(view) if mirrored else view
            probs = network.probabilities(np.ascontiguousarray(view))
            back = probs[..., ::-1] if mirrored else probs
            result.append(np.rot90(back, -turn, axes=(1, 2)).astype(np.float64))
    return np.mean(result, axis=0)


@pytest.mark.parametrize("size", [(40, 40), (37, 61)])
@pytest.mark.parametrize("transforms", ["flips", "d4"])
def test_the_mean_is_that_of_turned_and_mirrored_images(
    transforms: str, size: tuple[int, int]
) -> None:
    image, network = picture(*size), predictor(32, outputs=3)
    expected = _reference_mean(network, image, transforms)
    probs = TestTimeAugmentation(network, symmetries=SETS[transforms]).probabilities(image)
    assert probs.dtype == np.float32
    np.testing.assert_allclose(probs, expected, atol=1e-5)
    assert np.abs(probs - network.probabilities(image)).max() > 0.01  # the views do differ


@pytest.mark.parametrize("transforms", ["flips", "d4"])
def test_a_network_that_turns_with_its_image_is_left_as_it_is(transforms: str) -> None:
    image = picture(31, 50)
    probs = TestTimeAugmentation(Brightness(), symmetries=SETS[transforms]).probabilities(image)
    np.testing.assert_allclose(probs, Brightness().probabilities(image), atol=1e-6)


@pytest.mark.parametrize("transforms", ["flips", "d4"])
def test_every_view_is_another_one_and_leads_back_to_its_own_place(transforms: str) -> None:
    image = picture(9, 9)
    views = [UNCHANGED, *(VIEWS[name] for name in SETS[transforms])]
    shown = {view_of(image, view).tobytes() for view in views}
    assert len(shown) == len(views) == {"flips": 4, "d4": 8}[transforms]
    probs = TestTimeAugmentation(Corner(), symmetries=SETS[transforms]).probabilities(image)[0]
    np.testing.assert_allclose(probs[[0, 0, -1, -1], [0, -1, 0, -1]], 0.25)
    assert probs.sum() == pytest.approx(1)


def test_the_prediction_turns_with_the_image() -> None:
    image, augmented = picture(40, 40), TestTimeAugmentation(predictor(32), symmetries=VIEWS)
    turned = augmented.probabilities(np.ascontiguousarray(np.rot90(image)))
    expected = np.rot90(augmented.probabilities(image), axes=(1, 2))
    np.testing.assert_allclose(turned, expected, atol=1e-5)


@pytest.mark.parametrize("at_once", [1, 3, 16, 100])
def test_images_are_predicted_together_and_agree_with_single_ones(at_once: int) -> None:
    images = [picture(30, 40), picture(50, 20, seed=1), picture(32, 32, seed=2)]
    network, count = predictor(32), []
    batch = network.batch
    network.batch = lambda some: count.append(len(some)) or batch(some)
    augmented = TestTimeAugmentation(network, views_at_once=at_once)
    together = augmented.batch(images)
    assert sum(count) == 3 * 4
    assert max(count) == min(at_once, 12)
    for probs, image in zip(together, images, strict=True):
        assert probs.shape == (1, *image.shape[:2])
        np.testing.assert_allclose(probs, augmented.probabilities(image), atol=1e-5)


def test_nan_in_one_view_is_nan_in_the_mean() -> None:
    class Lost(Corner):
        def probabilities(self, image: NDArray) -> NDArray[np.float32]:
            return np.where(super().probabilities(image) == 1, np.nan, 0.5).astype(np.float32)

    probs = TestTimeAugmentation(Lost()).probabilities(picture(12, 10))[0]
    assert np.isnan(probs[[0, 0, -1, -1], [0, -1, 0, -1]]).all()
    assert np.isnan(probs).sum() == 4


def test_no_views_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="views_at_once=0"):
        TestTimeAugmentation(Corner(), views_at_once=0)


def model(
    trained: list[str] | None, classes: tuple[str, ...] = ("polyp",), mirrored: tuple = ()
) -> LoadedModel:
    recorded = {"trained": trained, "mirrored": list(mirrored)}
    return LoadedModel(
        predictor=Brightness(), classes=list(classes), threshold=0.5, postprocess=NO_POSTPROCESS,
        preprocessing=Preprocessing((32, 32), 3, None, None), mean=[0.0] * 3, std=[1.0] * 3,
        members=[Path("best.ckpt")], symmetries=None if trained is None else recorded,
    )  # fmt: skip


H, V, HALF, QUARTER = "horizontal flip", "vertical flip", "turn by 180", "turn by 90"


@pytest.mark.parametrize(
    ("tta", "trained", "views"),
    [
        (True, [H], [H]),
        ("flips", [H], [H]),
        (True, list(VIEWS), list(VIEWS)),
        ("flips", list(VIEWS), list(FLIPS)),
        ("d4", list(VIEWS), list(VIEWS)),
        ("d4", [HALF, QUARTER, "turn by 270"], [HALF, QUARTER, "turn by 270"]),
        ("flips", [HALF, QUARTER], [HALF]),
    ],
)
def test_only_views_that_training_had_are_predicted(
    tta: bool | str, trained: list[str], views: list[str]
) -> None:
    assert choose(tta, model(trained)) == views


@pytest.mark.parametrize(
    ("tta", "trained"),
    [("flips", []), (True, []), ("d4", []), ("d4", [H, V, HALF]), ("flips", [QUARTER]),
     ("flips", None), (True, None)],
)  # fmt: skip
def test_what_training_had_not_is_refused_unless_it_is_insisted_on(
    tta: bool | str, trained: list[str] | None
) -> None:
    with pytest.raises(ValueError, match=r"best\.ckpt.*tta_check=false"):
        choose(tta, model(trained))
    assert choose(tta, model(trained), check=False) == list(VIEWS if tta == "d4" else FLIPS)


def test_classes_that_mirror_each_other_are_refused_by_their_names() -> None:
    sides = ("lung left", "lung right")
    for trained in ([H], [HALF], list(VIEWS)):
        with pytest.raises(ValueError, match=r"lung left and lung right.*tta_check=false"):
            choose(True, model(trained, sides))
    assert choose(True, model([V], sides)) == [V]  # each stays on its side
    assert choose(True, model([H], ("upper lobe", "lower lobe"))) == [H]
    with pytest.raises(ValueError, match="upper lobe"):
        choose("flips", model([V], ("upper lobe", "lower lobe")))


def test_classes_that_mirror_each_other_by_their_masks_alone_get_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    by_masks = {"classes": ["a", "b"], "axis": "horizontal", "by": "masks"}
    assert choose(True, model([H], ("a", "b"), (by_masks,))) == [H]
    assert [r.levelname for r in caplog.records if "a and b" in r.message] == ["WARNING"]
