"""Panels: every colour where it belongs, to the pixel."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from PIL import Image

from seg.metrics.cases import summarize
from seg.report import panels
from seg.report.panels import CONFUSED, FALSE_ALARM, HIT, IGNORED_COLOUR, MISS


def _tinted(grey, colour):
    return 0.45 * grey / 255 + 0.55 * np.array(to_rgb(colour))


@pytest.mark.parametrize(
    ("reference", "prediction", "colour"),
    [
        (1, 1, HIT),
        (1, 0, MISS),
        (0, 1, FALSE_ALARM),
        (0, 0, None),
        (2, 2, HIT),
        (2, 1, CONFUSED),
        (1, 2, CONFUSED),
        (255, 0, None),
        (255, 1, None),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_pixel_has_the_colour_of_what_happened_there(reference, prediction, colour, channels):
    image = np.full((3, 4, channels), 100, np.uint8)
    references, predictions = np.zeros((3, 4), np.uint8), np.zeros((3, 4), np.int64)
    references[1, 2], predictions[1, 2] = reference, prediction
    shown = panels.overlay(image, references, predictions)
    expected = np.full((3, 4, 3), 100 / 255)
    if colour is not None:
        expected[1, 2] = _tinted(100, colour)
    np.testing.assert_allclose(shown, expected)


def test_a_found_a_missed_and_an_invented_area_lie_where_they_are():
    reference, prediction = np.zeros((6, 8), np.uint8), np.zeros((6, 8), np.uint8)
    reference[1:3, 1:5] = 1
    prediction[1:3, 3:7] = 1
    shown = panels.overlay(np.zeros((6, 8, 3), np.uint8), reference, prediction)
    for y, x in np.ndindex(6, 8):
        row = y in (1, 2)
        colour = (
            MISS if x in (1, 2) else HIT if x in (3, 4) else FALSE_ALARM if x in (5, 6) else None
        )
        expected = _tinted(0, colour) if row and colour else np.zeros(3)
        np.testing.assert_allclose(shown[y, x], expected, err_msg=f"pixel {y}, {x}")


def test_the_colours_are_told_apart():
    colours = [np.array(to_rgb(c)) for c in (HIT, MISS, FALSE_ALARM, CONFUSED, IGNORED_COLOUR)]
    for a, b in itertools.combinations(colours, 2):
        assert abs(a - b).max() > 0.25


def test_the_image_itself_is_left_as_it_was():
    image = np.full((4, 4, 3), 9, np.uint8)
    panels.overlay(image, np.ones((4, 4), np.uint8), np.ones((4, 4), np.uint8))
    assert (image == 9).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_shown_as_rgb_in_their_own_intensities(dtype, channels):
    image = np.arange(12 * channels).reshape(3, 4, channels).astype(dtype)
    shown = panels.as_rgb(image)
    assert shown.shape == (3, 4, 3)
    assert shown.dtype == np.uint8
    np.testing.assert_array_equal(shown[..., 0], image[..., 0])
    np.testing.assert_array_equal(shown[..., 2], image[..., -1])


def test_intensities_out_of_range_are_clipped_and_do_not_wrap():
    image = np.array([-5.0, 300.0]).reshape(1, 2, 1)
    assert panels.as_rgb(image)[0, :, 0].tolist() == [0, 255]


def test_background_is_black_void_is_grey_and_classes_differ():
    coloured = panels.colour_classes(np.array([[0, 1, 2, 3, 255]], np.uint8))
    assert coloured[0, 0].tolist() == [0, 0, 0]
    assert coloured[0, 4].tolist() == list(to_rgb(IGNORED_COLOUR))
    assert len({tuple(c) for c in coloured[0]}) == 5


@pytest.mark.parametrize(
    ("reference", "prediction", "expected"),
    [
        ([0, 0, 0, 0], [0, 0, 0, 0], [1, 1]),
        ([0, 0, 0, 0], [0, 1, 0, 0], [0, (0 + 1) / 2]),
        ([1, 1, 0, 0], [0, 0, 0, 0], [0, (0 + 1) / 2]),
        ([1, 1, 0, 0], [1, 0, 0, 0], [2 / 3, (2 / 3 + 1) / 2]),
        ([1, 2, 0, 0], [1, 0, 0, 0], [1, (1 + 0) / 2]),
        ([1, 255, 255, 0], [1, 1, 0, 0], [1, 1]),
    ],
)
def test_the_dice_of_a_case_is_the_one_worked_out_by_hand(reference, prediction, expected):
    masks = np.array([reference], np.uint8), np.array([prediction], np.int64)
    assert [panels.case_dice(*masks, classes) for classes in (1, 2)] == pytest.approx(expected)


def test_the_dice_of_a_binary_case_is_that_of_the_table():
    rng = np.random.default_rng(0)
    for share in (0.0, 0.1, 0.6):
        reference, prediction = (rng.random((2, 9, 9)) < share).astype(np.uint8)
        tp, fp = (prediction & reference).sum(), (prediction & ~reference & 1).sum()
        fn = (reference & ~prediction & 1).sum()
        counts = np.array([[[tp, fp, fn, 81 - tp - fp - fn]]])
        of_table = summarize(counts)["dice"]
        assert panels.case_dice(reference, prediction, 1) == pytest.approx(of_table)


def _cases(count=2, classes=1, channels=3):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (count, 20, 24, channels), dtype=np.uint8)
    references, predictions = np.zeros((2, count, 20, 24), np.uint8)
    references[:, 4:12, 4:14], predictions[:, 6:14, 8:20] = classes, 1
    return images, references, predictions.astype(np.int64)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_picture_is_written_and_returned_alike(tmp_path, channels):
    path = tmp_path / "panels" / "epoch_005.png"  # the folder is not there yet
    picture = panels.draw(
        ["a", "b"], *_cases(channels=channels), "epoch 5", path, class_names=["organ"]
    )
    written = np.asarray(Image.open(path).convert("RGB"))
    assert picture.dtype == np.uint8
    assert picture.shape == written.shape
    assert abs(picture.astype(int) - written).max() <= 2


def test_hits_misses_and_false_alarms_are_seen_in_the_picture(tmp_path):
    images, references, predictions = _cases()
    images[:] = 0
    picture = panels.draw(
        ["a", "b"], images, references, predictions, "", tmp_path / "p.png", class_names=["organ"]
    )
    for colour in (HIT, MISS, FALSE_ALARM):
        wanted = 255 * _tinted(0, colour)
        assert (abs(picture - wanted).max(-1) <= 2).sum() > 500, colour


def test_more_cases_are_more_rows(tmp_path):
    one, five = (
        panels.draw(
            [f"case {i}" for i in range(n)],
            *_cases(n),
            "",
            tmp_path / f"{n}.png",
            class_names=["organ"],
        )
        for n in (1, 5)
    )
    assert five.shape[1] == one.shape[1]
    assert five.shape[0] > 3 * one.shape[0]


def test_the_legend_speaks_of_wrong_classes_only_where_there_are_several(tmp_path, monkeypatch):
    labels = []
    monkeypatch.setattr(
        panels, "Patch", lambda label, **look: labels.append(label) or Patch(**look)
    )
    panels.draw(["a", "b"], *_cases(classes=1), "", tmp_path / "one.png", class_names=["organ"])
    assert labels == ["hit", "miss", "false alarm"]
    labels.clear()
    panels.draw(
        ["a", "b"], *_cases(classes=2), "", tmp_path / "two.png", class_names=["organ", "lesion"]
    )
    assert labels == ["organ", "lesion", "hit", "miss", "false alarm", "wrong class"]


@pytest.mark.parametrize("name", ["x" * 200, "cost$_$x.png", "a\\b.png", "tag_<b>.png"])
def test_every_file_name_can_be_a_caption(tmp_path, name):
    panels.draw([name, name], *_cases(), "epoch 5", tmp_path / "p.png", class_names=["organ"])
    assert (tmp_path / "p.png").is_file()


@pytest.mark.parametrize("name", ["cost$_$x", "a$\\frac$", "a\\b"])
def test_every_class_name_and_title_is_drawn_as_it_is(tmp_path, name):
    path = tmp_path / "p.png"
    panels.draw(["a", "b"], *_cases(classes=2), name, path, class_names=["organ", name])
    assert path.is_file()


@pytest.mark.parametrize(
    ("reference", "prediction", "colour"),
    [
        ((1, 0), (1, 0), HIT),
        ((1, 1), (1, 1), HIT),
        ((1, 1), (1, 0), CONFUSED),
        ((0, 1), (1, 0), CONFUSED),
        ((1, 1), (0, 0), MISS),
        ((0, 0), (0, 1), FALSE_ALARM),
        ((0, 0), (0, 0), None),
        ((255, 0), (1, 0), None),
        ((1, 255), (1, 1), HIT),
    ],
)
def test_a_hit_has_all_classes_of_a_pixel_and_no_other(reference, prediction, colour):
    image = np.full((3, 4, 3), 100, np.uint8)
    references, predictions = np.zeros((2, 3, 4), np.uint8), np.zeros((2, 3, 4), np.int64)
    references[:, 1, 2], predictions[:, 1, 2] = reference, prediction
    shown = panels.overlay(image, references, predictions)
    expected = np.full((3, 4, 3), 100 / 255)
    if colour is not None:
        expected[1, 2] = _tinted(100, colour)
    np.testing.assert_allclose(shown, expected)


def test_a_small_class_is_drawn_on_the_large_one_that_it_lies_in():
    planes = np.zeros((3, 20, 20), np.uint8)
    planes[0, 6:12, 6:12] = 1
    planes[1, 2:18, 2:18] = 1
    planes[2, 10:16, 1:5] = 255
    shown = panels.colour_classes(planes)
    assert np.allclose(shown[8, 8], to_rgb(panels.class_colour(1)))
    assert np.allclose(shown[4, 4], to_rgb(panels.class_colour(2)))
    assert np.allclose(shown[12, 1], to_rgb(IGNORED_COLOUR))
    assert not shown[0].any()
