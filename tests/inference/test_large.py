"""Which way a large image goes, and what is said of it."""

import pytest

from seg.inference.large import doubt, given, line
from seg.inference.native_scale import ScaledPredictor
from seg.inference.resized import ResizedPredictor
from seg.inference.sliding_window import SlidingWindow
from tests.inference.asked import Brightness, predictor

SIZE = {"network_size": (128, 128)}


@pytest.mark.parametrize("tile", ["auto", None])
def test_by_itself_an_image_is_resized_whole_as_in_evaluation(tile: str | None) -> None:
    way = given(Brightness(), tile=tile, scale=None, outputs=1, **SIZE)
    assert isinstance(way, ResizedPredictor)
    assert line(way) == "images are resized whole to 128x128, as in training"


def test_a_number_cuts_it() -> None:
    way = given(Brightness(), tile=512, scale=None, outputs=1, overlap=0.5, **SIZE)
    assert isinstance(way, SlidingWindow)
    assert (way.tile, way.overlap) == ((512, 512), 0.5)
    assert "windows" in line(way)
    assert "512x512" in line(way)
    assert "50%" in line(way)


@pytest.mark.parametrize(
    ("tile", "words"), [(None, "in one pass"), ("auto", "as memory allows"), (256, "in windows of")]
)
def test_a_scale_lets_the_network_see_more_at_a_time(tile: int | str | None, words: str) -> None:
    way = given(predictor(32), tile=tile, scale=0.5, outputs=1, network_size=(32, 32))
    assert isinstance(way, ScaledPredictor)
    assert words in line(way)
    assert "scale 0.5" in line(way)


@pytest.mark.parametrize("scale", [None, 0.5])
@pytest.mark.parametrize("tile", [True, "512", 3.5, [3, 4]])
def test_what_is_no_number_is_refused(tile: object, scale: float | None) -> None:
    with pytest.raises(ValueError, match="must be auto, null or a number"):
        given(predictor(32), tile=tile, scale=scale, outputs=1, **SIZE)


def test_a_huge_image_raises_a_doubt_that_names_the_mend() -> None:
    said = doubt((6000, 6000), tile="auto", **SIZE)
    assert "6000x6000 pixels are 47 times" in said
    assert "tile=N" in said
    said = doubt((4000, 6000), tile="auto", trained=(531, 622), **SIZE)
    assert "6000x4000" in said
    assert "tile=622" in said


def test_usual_sizes_and_a_choice_of_the_user_raise_none() -> None:
    assert doubt((1072, 1920), tile="auto", **SIZE) is None
    assert doubt((1072, 1920), tile="auto", trained=(531, 622), **SIZE) is None
    assert doubt((20, 20), tile="auto", trained=(531, 622), **SIZE) is None
    for tile in (None, 512):
        assert doubt((6000, 6000), tile=tile, trained=(256, 256), **SIZE) is None
