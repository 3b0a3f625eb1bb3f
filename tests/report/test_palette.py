"""The palette: how far apart its colours are, for full colour vision and three colour blindnesses.

Distances are CIE 1976 Delta E; 2 is a difference that is just seen, 20 one that is plain.
"""

from itertools import combinations

import numpy as np
import pytest

from seg.report import palette

# Machado, Oliveira and Fernandes 2009, doi:10.1109/TVCG.2009.113, severity 1
VISION = {
    "full": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
TISSUE = {
    "yellow": ("#ffff96", "#f2d98c"),
    "purple": ("#64285a", "#96648c"),
    "grey": ("#202020", "#606060", "#a0a0a0"),
    "red": ("#aa4632", "#d07050", "#8c3c14"),
}


def _lab(colour: str, vision: str) -> np.ndarray:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    rgb = np.array([red, green, blue])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(VISION[vision]) @ linear, 0, 1)
    xyz = np.array(XYZ) @ seen / (0.9505, 1, 1.089)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def _distance(a: str, b: str, vision: str) -> float:
    return float(np.linalg.norm(_lab(a, vision) - _lab(b, vision)))


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize(
    ("colours", "least"),
    [
        ((palette.HIT, palette.MISS, palette.FALSE_ALARM, palette.CONFUSED), 30),
        (palette.CLASSES[:4], 30),
        (palette.CLASSES, 14),
        ((palette.TRAIN, palette.VALIDATION), 60),
        (palette.SERIES[:5], 15),
    ],
    ids=["outcomes", "four classes", "all classes", "train and validation", "five lines"],
)
def test_colours_are_told_apart(colours: tuple[str, ...], least: float, vision: str) -> None:
    assert min(_distance(a, b, vision) for a, b in combinations(colours, 2)) >= least


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("tissue", TISSUE)
def test_the_first_two_classes_are_seen_on_tissue(tissue: str, vision: str) -> None:
    for colour in palette.CLASSES[:2]:
        assert min(_distance(colour, other, vision) for other in TISSUE[tissue]) >= 25


@pytest.mark.parametrize("vision", VISION)
def test_hits_and_errors_are_seen_on_an_image_in_grey(vision: str) -> None:
    for colour in (palette.HIT, palette.MISS, palette.FALSE_ALARM, palette.CONFUSED):
        for level in (0x26, 0x60, 0x99, 0xBF):  # the range of panels.py
            assert _distance(colour, f"#{level:02x}{level:02x}{level:02x}", vision) >= 20


def test_every_colour_has_its_place_from_the_first_on() -> None:
    assert [palette.class_colour(k) for k in (1, 8, 9)] == [
        palette.CLASSES[0], palette.CLASSES[7], palette.CLASSES[0],
    ]  # fmt: skip
    assert [palette.series(k) for k in (0, 7, 8)] == [
        palette.SERIES[0], palette.SERIES[7], palette.SERIES[0],
    ]  # fmt: skip
