"""Overrides as people type them."""

import pytest

from seg.cli.overrides import parse, quoted, values_of


@pytest.mark.parametrize(
    "line", ["a.b=3", "a=[1,2]", "a=x,y", "~a", "+a=1", "a='x y'", "a=''", "a="]
)
def test_a_line_that_hydra_reads_stays_as_it_is(line: str) -> None:
    assert quoted(line) == line


@pytest.mark.parametrize("value", ["x y/ü", "a (1)", "it's", "a b\\", r"c:\x (1)\'s", "a=b (c)"])
def test_a_value_that_needs_quotes_gets_them_and_is_read_as_typed(value: str) -> None:
    overrides, problems = parse([quoted(f"key={value}")])
    assert problems == []
    assert overrides[0].value() == value


def test_a_line_that_is_no_override_is_named_and_the_others_are_read() -> None:
    overrides, problems = parse(["a=1", "a=[1,2", "b=2"])
    assert [o.key_or_group for o in overrides] == ["a", "b"]
    assert [problem.startswith("a=[1,2: ") for problem in problems] == [True]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("a=1", ["1"]), ("a=null", ["null"]), ("a=1,x", ["1", "x"]),
        ("a=range(1,4)", ["1", "2", "3"]),
        ("a=[1,2],[3]", ["[1,2]", "[3]"]), ("a=interval(1,4)", ["1", "4"]),
        ("a=interval(0.5,4)", ["0.5", "4"]), ("a=choice(1,2)", ["1", "2"]),
    ],
)  # fmt: skip
def test_the_values_of_an_override(line: str, values: list[str]) -> None:
    assert values_of(parse([line])[0][0]) == values
