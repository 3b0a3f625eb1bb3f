"""What must not be in two splits: groups, and images that are the same."""

import random

import pytest

from seg.data.split.leakage import between, check_groups, equal_pairs, is_chained, join


def test_a_group_in_two_splits_is_an_error_that_names_it() -> None:
    check_groups(["a", "b", "b"], ["train", "test", "test"])
    with pytest.raises(ValueError, match=r"\bb\b.*train.*test"):
        check_groups(["a", "b", "b"], ["train", "train", "test"])


def test_equal_digests_are_paired_with_the_first_of_them() -> None:
    assert equal_pairs(["1", "2", "1", "3", "1", "2"], [False] * 6) == [(0, 2), (0, 4), (1, 5)]
    assert equal_pairs([], []) == equal_pairs(["1", "2"], [False] * 2) == []


def test_blank_images_are_never_paired() -> None:
    digests = ["0", "1", "0", "1", "0", "1"]
    assert equal_pairs(digests, [True, False, True, False, True, False]) == [(1, 3), (1, 5)]


def test_groups_of_paired_cases_become_one() -> None:
    assert join(["a", "b", "c", "a"], [(0, 2)]) == ["a", "b", "a", "a"]
    assert between(["a", "b", "c", "a"], [(0, 2), (0, 3)]) == [(0, 2)]


def test_pairs_within_a_group_join_nothing() -> None:
    assert join(["a", "a", "b"], [(0, 1)]) == ["a", "a", "b"]
    assert join(["a", "a", "b"], []) == ["a", "a", "b"]


def _reference_components(groups: list[str], pairs: list[tuple[int, int]]) -> set[frozenset[int]]:
    """Sets of cases, grown until no pair and no group leads out of them."""
    parts = {frozenset([i]) for i in range(len(groups))}
    links = [*pairs, *((groups.index(g), i) for i, g in enumerate(groups))]
    for i, j in links * len(groups):
        one, other = (next(s for s in parts if k in s) for k in (i, j))
        parts = (parts - {one, other}) | {one | other}
    return parts


@pytest.mark.parametrize("seed", range(20))
def test_joining_follows_every_chain_whatever_the_order(seed: int) -> None:
    rng = random.Random(seed)
    groups = [f"g{rng.randrange(8)}" for _ in range(14)]
    pairs = [tuple(sorted(rng.sample(range(14), 2))) for _ in range(rng.randrange(6))]
    after = join(groups, pairs)
    components = {frozenset(i for i, g in enumerate(after) if g == name) for name in set(after)}
    assert components == _reference_components(groups, pairs)
    # the names, by which a split is drawn, are the same in another order, too
    assert join(groups, rng.sample(pairs, len(pairs))) == after
    assert join(groups, [(j, i) for i, j in pairs]) == after
    assert set(after) <= set(groups)


def chain(cases: int, linked: int) -> tuple[list[str], list[str]]:
    groups = [f"g{i:03d}" for i in range(cases)]
    return groups, join(groups, [(i, i + 1) for i in range(linked - 1)])


@pytest.mark.parametrize(
    ("cases", "linked", "too_many"),
    [(100, 11, False), (100, 12, True), (20, 11, False), (20, 12, True), (300, 31, False),
     (300, 32, True), (5, 5, False)],
)  # fmt: skip
def test_more_than_a_tenth_and_more_than_ten_are_too_many(
    cases: int, linked: int, too_many: bool
) -> None:
    """The first of a chain is there anyway: the others are what was added to it."""
    assert is_chained(*chain(cases, linked)) is too_many


def test_groups_are_counted_not_their_cases() -> None:
    """Two patients with one slice alike are no chain, however many slices they have."""
    patients = [f"p{i // 40}" for i in range(200)]
    assert not is_chained(patients, patients)
    assert not is_chained(patients, join(patients, [(0, 70), (100, 199)]))


def test_a_chain_is_detected_beside_a_larger_group() -> None:
    before = ["patient"] * 60 + [f"p{i}" for i in range(40)]
    assert is_chained(before, join(before, [(i, i + 1) for i in range(60, 80)]))
