"""A sweep in sentences: no more than was shown."""

import pytest

from seg.report.sweep import text as words

BEST = {
    "position": 1, "configuration": "loss=a", "status": "finished", "configuration/jobs": 1,
    "configuration/finished": 1, "configuration/made_of": "1 run", "configuration/val/dice": 0.8,
    "configuration/dice": 0.7, "configuration/dice_low": 0.6, "configuration/dice_high": 0.75,
}  # fmt: skip


def _others(*shows):
    return [
        BEST | {"position": 2 + i, "configuration": f"loss={'bcdefg'[i]}",
                "configuration/val/dice": 0.79 - i / 100} | ({"behind_shows": s} if s else {})
        for i, s in enumerate(shows)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shows", "said"),
    [
        (["better"], "dice 0.7000 (0.6000 to 0.7500), shown to be better than the other."),
        (["better"] * 3, "shown to be better than all 3 others."),
        (["better", "better", None], "better than both others that could be tested."),
        (["not shown"] * 2, "not shown to be better than any other."),
        (["not shown"], "not shown to be better than the other."),
        (["better", "not shown", "better"], "better than 2 of the 3 others; the rest is open."),
        (
            ["worse", "better", "worse"],
            "there loss=b and 1 more are shown to be better than it, and it is so than 1 of 3.",
        ),
        (["not shown", "worse"], "; there loss=c is shown to be better than it."),
        ([None, None], "It was not held against the others there."),
    ],
)
def test_the_verdict_says_what_the_test_showed(shows, said):
    text = words.verdict([BEST, *_others(*shows)])
    assert text.startswith("Best on validation: loss=a, val/dice 0.8000; next is loss=b with 0.79")
    assert "On the test, which had no part in the choice: dice 0.7000" in text
    assert text.endswith(said)


def _seeded(row, low, high):
    return row | {"configuration/dice_seeds_low": low, "configuration/dice_seeds_high": high}


def test_what_other_seeds_may_turn_is_said_beside_what_the_cases_show():
    best = _seeded(BEST, 0.6, 0.8)
    near, far = (_seeded(row, 0.1, high) for row, high in
                 zip(_others("better", "better"), (0.65, 0.5), strict=True))  # fmt: skip
    text = words.verdict([best, near, far])
    assert "shown to be better than both others. That is of these very networks" in text
    assert "overlap with 1 of these 2, so that other seeds may turn the order." in text
    assert "seeds may" not in words.verdict([best, far])
    assert "overlap with it, so" in words.verdict([best, near])
    assert "seeds may" not in words.verdict([BEST, *_others("better")])


def test_a_choice_without_a_test_has_none():
    row = {k: v for k, v in BEST.items() if "/dice" not in k or "val" in k}
    assert words.verdict([row]).endswith("It has no test.")


def test_a_best_that_lacks_runs_is_no_quiet_winner():
    row = BEST | {"configuration/jobs": 3, "configuration/finished": 2}
    text = words.verdict([row, *_others("not shown")])
    assert "No configuration has finished all of its runs." in text
    assert "mean over 2 of its 3 runs" in text


def _failed(count, reasons):
    return [
        {"run": f"{i}_x", "number": i, "status": "failed", "error": f"reason {i % reasons}"}
        for i in range(count)
    ]


def test_each_failure_has_a_line_until_they_are_too_many():
    assert words.reasons(_failed(3, 2), lines=3) == [
        "0_x: failed: reason 0", "1_x: failed: reason 1", "2_x: failed: reason 0",
    ]  # fmt: skip
    assert words.reasons(_failed(9, 2), lines=3) == [
        "failed: reason 0 (0_x, 2_x, 4_x and 2 more)",
        "failed: reason 1 (1_x, 3_x, 5_x and 1 more)",
    ]
    many = words.reasons(_failed(9, 9), lines=3)
    assert len(many) == 3
    assert many[-1] == "... and 7 more reasons in the page"
