"""Numbers, counts and names as words."""

import math

import pytest

from seg.report import text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.98765, "0.9877"), (12.3456, "12.35"), (-0.5, "-0.5000"), (math.nan, "-"), (math.inf, "-")],
)
def test_shares_have_four_decimals_and_distances_two(value, shown):
    assert text.number(value) == shown


def test_an_interval_stands_behind_its_value_if_there_is_one():
    assert text.interval(0.5, 0.4, 0.6) == "0.5000 (0.4000 to 0.6000)"
    assert text.interval(0.5, 0.4, 0.6, name="95 % ") == "0.5000 (95 % 0.4000 to 0.6000)"
    assert text.interval(0.5, math.nan, 0.6) == "0.5000"


@pytest.mark.parametrize(
    ("p", "cell", "sentence"),
    [(0.0004, "< 0.001", "p < 0.001"), (0.0341, "0.034", "p = 0.034"), (0.423, "0.42", "p = 0.42")],
)
def test_a_p_value_in_a_cell_and_in_a_sentence(p, cell, sentence):
    assert (text.chance(p), text.probability(p)) == (cell, sentence)


@pytest.mark.parametrize("length", [5, 6, 20])
def test_a_long_text_is_cut_in_its_middle_to_the_length(length):
    short = text.cut("abcdefghijklmnopqrstuvwxyz", length)
    assert len(short) == length
    assert short[0] == "a"
    assert short[-1] == "z"


def test_a_text_is_put_on_one_line_with_searched_numbers_rounded():
    assert text.cut("lr=0.00123456789\n a", 99) == "lr=0.001235 a"


def test_counts_and_lists_of_names():
    assert (text.counted(1, "case"), text.counted(2, "case")) == ("1 case", "2 cases")
    assert text.counted(2, "class", "classes") == "2 classes"
    assert text.some(["a", "b", "c"], 2) == "a, b and 1 more"
    assert text.some(["a", "b"], 2) == "a, b"
