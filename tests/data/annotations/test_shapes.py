"""Polygons as pixels, against Pillow and OpenCV, which differ along the outline alone."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from seg.data.annotations.shapes import Shape, circle, draw, polygon


def random_polygon(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A star-shaped polygon (N, 2), in part outside the image."""
    count = int(rng.integers(3, 40))
    angles = np.sort(rng.uniform(0, 2 * np.pi, count))
    radius = rng.uniform(0.2, 0.7, count) * min(size)
    centre = rng.uniform(0.2, 0.8, 2) * size[::-1]
    return centre + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _reference_opencv(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size, np.uint8)
    fixed = np.rint((points - 0.5) * 256).astype(np.int32)  # its pixel centres are whole numbers
    cv2.fillPoly(mask, [fixed], 1, shift=8)
    return mask > 0


def _reference_pillow(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    picture = Image.new("1", size[::-1])
    ImageDraw.Draw(picture).polygon([tuple(p) for p in (points - 0.5).tolist()], fill=1)
    return np.array(picture)


@pytest.mark.parametrize("seed", range(20))
def test_polygons_are_those_of_pillow_and_opencv_but_for_the_outline(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = (int(rng.integers(20, 120)), int(rng.integers(20, 120)))
    points = random_polygon(rng, size)
    mask = polygon(points, size)
    outline = np.zeros(size, np.uint8)
    line = np.rint((points - 0.5) * 256).astype(np.int32)
    cv2.polylines(outline, [line], True, 1, thickness=3, shift=8)
    for reference in (_reference_opencv, _reference_pillow):
        other = reference(points, size)
        assert not ((mask != other) & (outline == 0)).any()
        assert np.count_nonzero(mask != other) <= np.count_nonzero(outline)


def test_a_pixel_is_inside_if_its_centre_is() -> None:
    """As in COCO, a rectangle along pixel edges has its width times its height."""
    corners = np.array([(2, 1), (7, 1), (7, 4), (2, 4)], dtype=float)
    expected = np.zeros((6, 9), dtype=bool)
    expected[1:4, 2:7] = True
    for turned in (corners, corners[::-1], np.roll(corners, 1, axis=0)):
        np.testing.assert_array_equal(polygon(turned, (6, 9)), expected)
    np.testing.assert_array_equal(polygon(corners + 0.4, (6, 9)), expected)
    assert not polygon(corners + 0.6, (6, 9))[1].any()
    assert not polygon(corners + 100, (6, 9)).any()
    assert not polygon(corners - 100, (6, 9)).any()
    assert polygon(np.array([(-9, -9), (99, -9), (99, 99), (-9, 99)], float), (6, 9)).all()


def test_the_area_is_that_of_the_shape() -> None:
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    ring = 60 + 50.3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert polygon(ring, (120, 120)).sum() == pytest.approx(np.pi * 50.3**2, rel=0.003)
    disc = circle(np.array([60.0, 60.0]), np.array([60.0, 90.0]))
    assert polygon(disc, (120, 120)).sum() == pytest.approx(np.pi * 30**2, rel=0.003)


def test_crossing_outlines_leave_a_hole() -> None:
    outer = [(0, 0), (10, 0), (10, 10), (0, 10), (0, 0)]
    inner = [(3, 3), (7, 3), (7, 7), (3, 7), (3, 3)]
    mask = polygon(np.array(outer + inner, float), (10, 10))
    assert not mask[3:7, 3:7].any()
    assert mask.sum() == 84


def square(left: float, top: float, side: float) -> np.ndarray:
    return np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * side + (left, top)


def test_parts_are_united_and_a_later_class_covers_an_earlier_one() -> None:
    shapes = [
        Shape("a", [square(0, 0, 4), square(2, 2, 4)]),  # parts that overlap are no hole
        Shape("b", [square(4, 4, 4)]),
        Shape("other", [square(0, 0, 8)]),  # of a class that is not trained
    ]
    options = {"size": (8, 8), "classes": ["a", "b"]}
    apart = {name: draw(shapes, name, overlap=False, **options) for name in ("a", "b")}
    both = {name: draw(shapes, name, overlap=True, **options) for name in ("a", "b")}
    assert {name: int(mask.sum()) for name, mask in apart.items()} == {"a": 24, "b": 16}
    assert {name: int(mask.sum()) for name, mask in both.items()} == {"a": 28, "b": 16}
    assert not (apart["a"] & apart["b"]).any()
