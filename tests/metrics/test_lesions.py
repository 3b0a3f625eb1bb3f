"""Detection of lesions against a flood fill with a matching by hand, and cases worked out."""

import numpy as np
import pytest

from seg.metrics.lesions import f1, lesions


def _reference_components(mask):
    """Sets of pixels that touch by sides or corners, in raster order of their first pixel."""
    left, parts = set(zip(*map(list, np.nonzero(mask)), strict=True)), []
    for start in sorted(left):
        if start not in left:
            continue
        part, edge = set(), [start]
        left.discard(start)
        while edge:
            y, x = edge.pop()
            part.add((y, x))
            for v in (y - 1, y, y + 1):
                for u in (x - 1, x, x + 1):
                    if (v, u) in left:
                        left.discard((v, u))
                        edge.append((v, u))
        parts.append(part)
    return parts


def _reference_lesions(reference, prediction, overlap):
    """The best pair of all that are left, again and again."""
    true, called = _reference_components(reference), _reference_components(prediction)
    misses, alarms, hits = list(range(len(true))), list(range(len(called))), 0
    while True:
        pairs = [
            (-len(true[i] & called[j]) / len(true[i] | called[j]), i, j)
            for i in misses
            for j in alarms
            if true[i] & called[j]
        ]
        if not pairs or -min(pairs)[0] < overlap:
            return hits, len(alarms), len(misses)
        _, i, j = min(pairs)
        misses.remove(i)
        alarms.remove(j)
        hits += 1


@pytest.mark.parametrize("overlap", [0.05, 0.1, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_counts_agree_with_a_flood_fill_and_matching_by_hand(seed, overlap):
    rng = np.random.default_rng(seed)
    reference = rng.random((30, 26)) < 0.25
    prediction = reference ^ (rng.random((30, 26)) < 0.12)
    expected = _reference_lesions(reference, prediction, overlap)
    assert lesions(reference, prediction, overlap=overlap) == expected
    assert expected[0] > 0
    assert expected[1] + expected[2] > 0


def _masks(*pictures):
    return [np.array([[c == "#" for c in row] for row in p.split()]) for p in pictures]


def test_a_corner_joins_two_pixels_into_one_lesion():
    joined, apart = _masks("#.. .#. ...", "#.# ... ...")
    nothing = np.zeros((3, 3), dtype=bool)
    assert lesions(joined, nothing) == (0, 0, 1)
    assert lesions(nothing, apart) == (0, 2, 0)


def test_one_lesion_in_two_pieces_is_a_hit_and_a_false_alarm():
    one, pieces = _masks("#######", "###.###")
    assert lesions(one, pieces) == (1, 1, 0)


def test_two_lesions_under_one_prediction_are_a_hit_and_a_miss():
    two, bridge = _masks("###.###", "#######")
    assert lesions(two, bridge) == (1, 0, 1)


def test_a_lesion_goes_to_the_prediction_that_fits_it_best():
    """IoU 1/6 with the left prediction and 2/5 with the right: one hit, one false alarm."""
    reference, prediction = _masks("..####...", "###.###..")
    assert lesions(reference, prediction) == (1, 1, 0)
    assert lesions(reference, prediction, overlap=0.3) == (1, 1, 0)
    assert lesions(reference, prediction, overlap=0.41) == (0, 2, 1)


def test_the_best_pair_is_taken_first_even_where_others_would_match_more():
    """The long prediction fits the right lesion by 1/2 and the left by 1/8."""
    reference, prediction = _masks("##.########", ".#######.##")
    assert lesions(reference, prediction) == (1, 1, 1)


def test_an_iou_equal_to_the_overlap_is_a_match():
    reference, prediction = _masks("##########", "#.........")
    assert lesions(reference, prediction, overlap=0.1) == (1, 0, 0)
    assert lesions(reference, prediction, overlap=0.1001) == (0, 1, 1)


def test_touching_without_a_common_pixel_is_no_match():
    left, right = _masks("##..", "..##")
    assert lesions(left, right, overlap=1e-9) == (0, 1, 1)


def test_empty_masks_have_no_lesions():
    empty, some = _masks("... ...", "#.# ...")
    assert lesions(empty, empty) == (0, 0, 0)
    assert lesions(empty, some) == (0, 2, 0)
    assert lesions(some, empty) == (0, 0, 2)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((0, 0, 0), 1), ((0, 2, 0), 0), ((0, 0, 2), 0), ((3, 0, 0), 1), ((2, 1, 3), 4 / 8)],
)
def test_f1_follows_the_rule_for_nothing_there(counts, expected):
    assert f1(*counts) == pytest.approx(expected)


def test_f1_takes_arrays():
    np.testing.assert_allclose(f1([0, 1], [0, 1], [0, 0]), [1, 2 / 3])


@pytest.mark.parametrize("overlap", [0, -0.1, 1.1, float("nan")])
def test_an_overlap_that_means_nothing_is_refused(overlap):
    mask = np.ones((2, 2), dtype=bool)
    with pytest.raises(ValueError, match="overlap"):
        lesions(mask, mask, overlap=overlap)


def test_masks_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match="shape"):
        lesions(np.ones((2, 2), dtype=bool), np.ones((2, 3), dtype=bool))
