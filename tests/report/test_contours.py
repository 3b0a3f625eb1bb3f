"""Outlines: where they run."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from seg.report.contours import contours, is_thin, outline


@pytest.mark.parametrize("size", [(100, 100), (31, 200), (400, 90)])
def test_contours_enclose_the_mask(size: tuple[int, int]) -> None:
    height, width = size
    mask = np.zeros(size, bool)
    mask[height // 4 : height // 2, width // 5 : width // 2] = True
    (line,) = contours(mask, (width * 2, height * 2))
    # In a picture twice as large; a contour runs through the middle of the mask's outer pixels.
    low, high = line.min(axis=0), line.max(axis=0)
    assert low == pytest.approx([2 * (width // 5) + 0.5, 2 * (height // 4) + 0.5], abs=0.01)
    assert high == pytest.approx([2 * (width // 2) - 1.5, 2 * (height // 2) - 1.5], abs=0.01)


def test_thin_structures_have_thin_outlines() -> None:
    blob, lines = np.zeros((2, 64, 64), bool)
    blob[20:40, 20:40] = True
    lines[::4] = True
    widths = []
    for area in (blob, lines):
        assert is_thin(area) == (area is lines)
        axis = Figure().subplots()
        outline(axis, area, "#7cfc00")
        widths.append(axis.collections[-1].get_linewidth()[0])
    assert widths[0] > widths[1] > 0


def test_a_mask_without_a_pixel_has_no_outline() -> None:
    assert contours(np.zeros((5, 4), bool), (8, 10)) == []
    outline(Figure().subplots(), np.zeros((5, 4), bool), "#7cfc00")
