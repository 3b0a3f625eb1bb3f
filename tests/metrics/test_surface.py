"""Distances between outlines against brute force over pixel pairs, hand-worked cases and MONAI."""

import numpy as np
import pytest

from seg.metrics.surface import missed, surface


def _blobs(seed, size=(28, 33)):
    """A pair of masks: rectangles, discs and speckle, often touching the border."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    masks = []
    for _ in range(2):
        y, x, r = rng.integers(0, size[0]), rng.integers(0, size[1]), rng.integers(2, 12)
        mask = (rows - y) ** 2 + (columns - x) ** 2 < r * r
        top, left = rng.integers(0, 20, 2)
        mask[top : top + rng.integers(0, 9), left : left + 7] ^= True
        mask |= rng.random(size) < rng.choice([0, 0.02])
        masks.append(mask)
    return masks


def _reference_outline(mask):
    """Coordinates of the pixels with a side open to the outside, one at a time."""
    height, width = mask.shape
    outline = []
    for y, x in zip(*np.nonzero(mask), strict=True):
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if not (0 <= v < height and 0 <= u < width) or not mask[v, u]:
                outline.append((y, x))
                break
    return np.array(outline, dtype=float)


def _reference_percentile(values, percent):
    """Between ranks, by hand."""
    values = sorted(values)
    rank = percent / 100 * (len(values) - 1)
    low = int(rank)
    high = min(low + 1, len(values) - 1)
    return values[low] + (rank - low) * (values[high] - values[low])


def _reference_surface(reference, prediction, spacing, tolerance):
    """Every pixel of one outline against every pixel of the other."""
    one = _reference_outline(reference) * spacing
    two = _reference_outline(prediction) * spacing
    apart = np.sqrt(((one[:, None] - two[None]) ** 2).sum(-1))
    there, back = apart.min(0), apart.min(1)
    pooled = [*there, *back]
    return {
        "hd95": max(_reference_percentile(there, 95), _reference_percentile(back, 95)),
        "assd": sum(pooled) / len(pooled),
        "nsd": sum(d <= tolerance for d in pooled) / len(pooled),
    }


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.7, 1.3), (3.0, 0.5)])
@pytest.mark.parametrize("seed", range(6))
def test_every_figure_agrees_with_brute_force(seed, spacing):
    reference, prediction = _blobs(seed)
    for tolerance in (0.0, 2.0, 5.1):
        figures = surface(reference, prediction, spacing=spacing, tolerance=tolerance)
        expected = _reference_surface(reference, prediction, spacing, tolerance)
        assert figures == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_every_figure_agrees_with_monai(seed):
    metrics = pytest.importorskip("monai.metrics")
    torch = pytest.importorskip("torch")
    reference, prediction = _blobs(seed, size=(64, 80))
    one, two = (torch.from_numpy(m)[None, None].float() for m in (reference, prediction))
    spacing = (0.8, 1.5)
    more = {"include_background": True, "spacing": spacing}
    expected = {
        "hd95": metrics.compute_hausdorff_distance(two, one, percentile=95, **more).item(),
        "assd": metrics.compute_average_surface_distance(two, one, symmetric=True, **more).item(),
        "nsd": metrics.compute_surface_dice(two, one, class_thresholds=[2.0], **more).item(),
    }
    figures = surface(reference, prediction, spacing=spacing, tolerance=2.0)
    assert figures == pytest.approx(expected, rel=1e-6, abs=1e-6)


def _square(top, left, side, size=(40, 40)):
    mask = np.zeros(size, dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_two_single_pixels_are_as_far_apart_as_their_centres():
    figures = surface(_square(2, 3, 1), _square(5, 7, 1))
    assert figures == {"hd95": 5.0, "assd": 5.0, "nsd": 0.0}


def test_a_distance_equal_to_the_tolerance_is_within_it():
    one, three_right = _square(5, 5, 1), _square(5, 8, 1)
    assert surface(one, three_right, tolerance=3)["nsd"] == 1
    assert surface(one, three_right, tolerance=2.999)["nsd"] == 0
    # 3 * 0.1 is 0.30000000000000004
    assert surface(one, three_right, spacing=(0.1, 0.1), tolerance=0.3)["nsd"] == 1


def test_a_square_in_a_larger_one_is_the_case_worked_out_by_hand():
    """Outlines of 8 pixels (3x3) and 16 (5x5), one pixel apart: corners by the diagonal from
    outside.
    """
    figures = surface(_square(10, 10, 3), _square(9, 9, 5), tolerance=1)
    assert figures["assd"] == pytest.approx((8 * 1 + 12 * 1 + 4 * np.sqrt(2)) / 24)
    assert figures["nsd"] == pytest.approx(20 / 24)
    # the larger square's distances: 12 of 1, 4 of root 2; rank .95 * 15 = 14.25 is a root 2
    assert figures["hd95"] == pytest.approx(np.sqrt(2))


def test_hd95_is_the_larger_of_two_percentiles_and_not_that_of_all_distances():
    """A far speck: 1 of 10 called pixels is 20 away, so 1 of 19 distances."""
    reference = np.zeros((40, 40), dtype=bool)
    reference[5, 5:14] = True
    prediction = reference.copy()
    prediction[25, 5] = True
    pooled = [0.0] * 18 + [20.0]
    assert surface(reference, prediction)["hd95"] == pytest.approx(0.55 * 20)
    assert np.percentile(pooled, 95) == pytest.approx(0.1 * 20)


def test_the_border_of_the_image_is_a_surface():
    full, hole = np.ones((9, 9), dtype=bool), np.ones((9, 9), dtype=bool)
    assert surface(full, hole) == {"hd95": 0, "assd": 0, "nsd": 1}
    middle = _square(4, 4, 1, size=(9, 9))
    assert surface(full, middle)["hd95"] == pytest.approx(
        _reference_surface(full, middle, (1, 1), 2)["hd95"]
    )


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 2.0)])
def test_empty_masks_follow_the_rule(spacing):
    empty, some = np.zeros((30, 40), dtype=bool), _square(3, 3, 5, size=(30, 40))
    worst = np.hypot(30 * spacing[0], 40 * spacing[1])
    both = surface(empty, empty, spacing=spacing)
    assert both == {"hd95": 0.0, "assd": 0.0, "nsd": 1.0}
    for pair in ((empty, some), (some, empty)):
        assert surface(*pair, spacing=spacing) == {"hd95": worst, "assd": worst, "nsd": 0.0}


def test_a_miss_is_worse_than_any_hit():
    corners = [_square(0, 0, 1), _square(39, 39, 1)]
    assert surface(*corners)["hd95"] < missed((40, 40))["hd95"] == pytest.approx(40 * np.sqrt(2))


def test_neither_mask_is_preferred():
    for seed in range(4):
        one, two = _blobs(seed)
        assert surface(one, two) == pytest.approx(surface(two, one))


def test_rows_and_columns_have_their_own_spacing():
    down = surface(_square(5, 5, 1), _square(9, 5, 1), spacing=(3.0, 0.5))
    right = surface(_square(5, 5, 1), _square(5, 9, 1), spacing=(3.0, 0.5))
    assert (down["hd95"], right["hd95"]) == (12.0, 2.0)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 3)])
def test_small_images_are_scored(size):
    full = np.ones(size, dtype=bool)
    assert surface(full, full) == {"hd95": 0.0, "assd": 0.0, "nsd": 1.0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prediction": np.zeros((4, 5), dtype=bool)}, "one shape"),
        ({"prediction": np.zeros((4, 4))}, "boolean"),
        ({"spacing": (0.0, 1.0)}, "spacing"),
        ({"spacing": (np.nan, 1.0)}, "spacing"),
        ({"tolerance": -1.0}, "tolerance"),
    ],
)
def test_what_cannot_be_scored_is_refused(change, message):
    empty = np.zeros((4, 4), dtype=bool)
    with pytest.raises(ValueError, match=message):
        surface(**{"reference": empty, "prediction": empty} | change)
