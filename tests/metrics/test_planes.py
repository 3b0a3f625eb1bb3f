"""Both forms of a mask give the same areas, where no class shares a pixel."""

import numpy as np
import pytest

from seg.metrics.overlap import class_dice
from seg.metrics.planes import area_of, areas, as_planes, valid_of
from seg.metrics.protocols import Contract

INDICES = np.random.default_rng(0).choice([0, 1, 2, 255], (9, 11)).astype(np.uint8)


def test_both_forms_of_a_mask_have_the_same_areas() -> None:
    planes = as_planes(INDICES, 2)
    assert np.array_equal(as_planes(planes, 2), planes)
    assert areas(planes).keys() == areas(INDICES).keys() == {1, 2, 255}
    for k in (1, 2):
        assert np.array_equal(area_of(planes, k), area_of(INDICES, k))
        assert np.array_equal(valid_of(planes, k), valid_of(INDICES, k))
        assert np.array_equal(areas(planes)[k], areas(INDICES)[k])
    other = np.roll(INDICES, 3)
    for k in (1, 2):
        both = class_dice(planes, as_planes(other, 2), k)
        assert both == class_dice(INDICES, other, k)


@pytest.mark.parametrize("fails", [False, True])
def test_the_projects_own_protocol_scores_classes_that_share_pixels(fails: bool) -> None:
    rng = np.random.default_rng(1)
    reference = rng.choice([0, 1, 255], (3, 9, 11)).astype(np.uint8)
    probs = rng.random((3, 9, 11))
    if fails:
        probs[:, 0, 0] = np.nan
    both = Contract(at="native", threshold=0.5)
    both.update(probs, reference, case="a", group="g", size=(4, 4))
    ((_, counts),) = both.cases.items()
    for k in range(3):
        alone = Contract(at="native", threshold=0.5)
        alone.update(probs[k : k + 1], reference[k], case="a", group="g", size=(4, 4))
        assert np.array_equal(counts[k], next(iter(alone.cases.values()))[0])
    smaller = Contract(at="training", threshold=0.5)
    smaller.update(probs, reference, case="a", group="g", size=(4, 5))
    assert next(iter(smaller.cases.values())).sum(1).max() <= 20
