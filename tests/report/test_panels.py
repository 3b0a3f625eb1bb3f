"""Panels: every outline where it belongs."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from seg.metrics.cases import summarize
from seg.report import panels
from seg.report.palette import FALSE_ALARM, HIT, MISS, class_colour


@pytest.mark.parametrize(
    ("reference", "prediction", "outcome"),
    [
        (1, 1, "hit"),
        (1, 0, "miss"),
        (0, 1, "false alarm"),
        (0, 0, None),
        (2, 2, "hit"),
        (2, 1, "wrong class"),
        (1, 2, "wrong class"),
        (255, 0, None),
        (255, 1, None),
        ((1, 0), (1, 0), "hit"),
        ((1, 1), (1, 1), "hit"),
        ((1, 1), (1, 0), "wrong class"),
        ((0, 1), (1, 0), "wrong class"),
        ((1, 1), (0, 0), "miss"),
        ((0, 0), (0, 1), "false alarm"),
        ((0, 0), (0, 0), None),
        ((255, 0), (1, 0), None),
        ((1, 255), (1, 1), "hit"),
    ],
)
def test_each_pixel_is_what_happened_there(reference, prediction, outcome):
    shape = (2, 3, 4) if isinstance(reference, tuple) else (3, 4)
    references, predictions = np.zeros(shape, np.uint8), np.zeros(shape, np.int64)
    references[..., 1, 2], predictions[..., 1, 2] = reference, prediction
    for name, area in panels.outcomes(references, predictions).items():
        assert area.shape == (3, 4)
        assert np.argwhere(area).tolist() == ([[1, 2]] if name == outcome else []), name


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


def _near(picture, colour, most=40):
    """Pixels of about this colour."""
    return (abs(picture - 255 * np.array(to_rgb(colour))).max(-1) < most).sum()


def test_hits_misses_and_false_alarms_have_outlines_of_their_colours(tmp_path):
    images, references, predictions = _cases()
    picture = panels.draw(
        ["a", "b"], images, references, predictions, "", tmp_path / "p.png", class_names=["organ"]
    )
    errors = picture[30:-60, -220:-20]
    for colour in (HIT, MISS, FALSE_ALARM):
        assert _near(errors, colour) > 100, colour
    same = panels.draw(
        ["a", "b"], images, references, references, "", tmp_path / "p.png", class_names=["organ"]
    )
    assert _near(same[30:-60, -220:-20], HIT) > 100
    for colour in (MISS, FALSE_ALARM):
        assert _near(same[30:-60, -220:-20], colour) == 0, colour


def test_outlines_leave_the_tissue_in_its_own_colours(tmp_path):
    images, references, predictions = _cases(count=1)
    images[:], tissue = (170, 70, 50), "#aa4632"
    picture = panels.draw(
        ["a"], images, references, predictions, "", tmp_path / "p.png", class_names=["organ"]
    )
    without = panels.draw(
        ["a"],
        images,
        0 * references,
        0 * predictions,
        "",
        tmp_path / "p.png",
        class_names=["organ"],
    )
    assert _near(picture, tissue, 3) > 0.9 * _near(without, tissue, 3)
    assert _near(picture, class_colour(1)) > 2 * _near(without, class_colour(1)) > 0


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


def test_the_legend_names_all_that_can_be_seen():
    def names(classes, **which):
        return [entry.get_label() for entry in panels.legend(classes, **which)]

    one, many = ["organ"], [f"class {i}" for i in range(12)]
    assert names(one, ignored=False, errors=True) == ["organ", "hit", "miss", "false alarm"]
    assert names(one, ignored=True, errors=False) == ["organ", "ignored"]
    shown = names(many, ignored=False, errors=True)
    assert shown == [*many, "hit", "miss", "false alarm", "wrong class"]


@pytest.mark.parametrize("name", ["x" * 200, "cost$_$x.png", "a\\b.png", "tag_<b>.png"])
def test_every_file_name_can_be_a_caption(tmp_path, name):
    panels.draw([name, name], *_cases(), "epoch 5", tmp_path / "p.png", class_names=["organ"])
    assert (tmp_path / "p.png").is_file()


@pytest.mark.parametrize("name", ["cost$_$x", "a$\\frac$", "a\\b"])
def test_every_class_name_and_title_is_drawn_as_it_is(tmp_path, name):
    path = tmp_path / "p.png"
    panels.draw(["a", "b"], *_cases(classes=2), name, path, class_names=["organ", name])
    assert path.is_file()
