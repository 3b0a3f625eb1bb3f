"""A node is compared with the signature of what it names."""

from collections.abc import Sequence
from typing import Any, Literal

import pytest

from seg.cli.signatures import fits, nearest, problems


class Net:
    """Built by configurations of these tests."""

    def __init__(
        self, *, width: int, norm: Literal["none", "batch"] = "none", parts: Sequence[float] = ()
    ) -> None: ...


def anything(**keys: object) -> None:
    """Takes every key."""


def differences(node: dict[str, Any], **more: Any) -> list[str]:
    target = f"{__name__}.{node.pop('target', 'Net')}"
    keys = {"extra": (), "ruled": (), **more}
    return list(problems("model", {"_target_": target, **node}, **keys))


def test_a_node_that_fits_has_no_problems() -> None:
    assert differences({"width": 3, "norm": "batch", "parts": [1, 0.5], "_convert_": "all"}) == []
    assert differences({"target": "anything", "a": 1, "b": "x"}) == []


@pytest.mark.parametrize(
    ("node", "named"),
    [
        ({"width": 3, "wdith": 3}, "model.wdith: Net takes no such key (nearest: width)"),
        ({}, "model.width: missing"),
        ({"width": "3"}, "model.width='3': must be int"),
        ({"width": True}, "model.width=True: must be int"),
        ({"width": 3, "norm": "b"}, "model.norm='b': must be Literal"),
        ({"width": 3, "parts": ["a"]}, "model.parts=['a']: must be"),
        ({"target": "Nett"}, "model._target_="),
        ({"target": "__name__"}, "model._target_="),
    ],
)
def test_what_does_not_fit_is_named(node: dict[str, Any], named: str) -> None:
    assert [problem.startswith(named) for problem in differences(node)] == [True]


def test_a_partial_node_may_leave_out_what_its_caller_passes() -> None:
    assert differences({"_partial_": True}) == []


def test_extra_keys_are_allowed_and_ruled_values_are_left_to_their_rule() -> None:
    assert differences({"width": 3, "url": "x"}, extra={"url"}) == []
    assert differences({"width": "3"}, ruled={"model.width"}) == []


def test_a_nested_target_is_compared_on_its_own() -> None:
    assert differences({"width": {"_target_": "x.y"}}) == []


def test_a_target_that_is_no_name_is_refused() -> None:
    assert list(problems("model", {"_target_": 3}, extra=(), ruled=()))[0].startswith(
        "model._target_=3: "
    )


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (1, float, True), (float("nan"), float, False), (True, float, False), (1.5, int, False),
        (None, int | None, True), ("a", int | str, True), ([1, "a"], list[int], False),
        ({"a": 1}, dict[str, int], True), ("a", Net, False), ([1], Net, True), ("a", Any, True),
    ],
)  # fmt: skip
def test_a_plain_value_fits_an_annotation_or_not(value: Any, hint: Any, expected: bool) -> None:
    assert fits(value, hint) is expected


def test_the_nearest_name_is_offered_and_none_where_none_is_near() -> None:
    assert nearest("batchsize", ["batch_size", "seed"]) == " (nearest: batch_size)"
    assert nearest("xyz", ["batch_size", "seed"]) == ""
