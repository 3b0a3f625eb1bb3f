"""A sweep in sentences: no more than was shown."""

import re

import pytest

from seg.report.sweep import text

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
    ("shows", "end"),
    [
        (["better"], r"dice 0\.7000 \(0\.6000 to 0\.7500\), .*better than the other\."),
        (["better"] * 3, r"better than all 3 others\."),
        (["better", "better", None], r"better than both others that could be tested\."),
        (["not shown"] * 2, r"not shown .* any other\."),
        (["not shown"], r"not shown .* the other\."),
        (["better", "not shown", "better"], r"better than 2 of the 3 others.* open\."),
        (
            ["worse", "better", "worse"],
            r"; loss=b and 1 more are .* better than 1 of the 3 others\.",
        ),
        (["not shown", "worse"], r"0\.7500\); loss=c is shown to be better on the test\."),
        ([None, None], r"not compared with the others.*\."),
    ],
)
def test_the_verdict_says_what_the_test_showed(shows, end):
    verdict = text.verdict([BEST, *_others(*shows)])
    assert re.match(r"Best on validation: loss=a, val/dice 0\.8000; .* loss=b with 0\.79", verdict)
    assert "On the test, " in verdict
    assert re.search(f"{end}$", verdict)


def _seeded(row, low, high):
    return row | {"configuration/dice_seeds_low": low, "configuration/dice_seeds_high": high}


def test_the_verdict_warns_where_other_seeds_may_turn_the_order():
    best = _seeded(BEST, 0.6, 0.8)
    near, far = (_seeded(row, 0.1, high) for row, high in
                 zip(_others("better", "better"), (0.65, 0.5), strict=True))  # fmt: skip
    assert re.search(
        "both others.* over seeds overlap with 1 of these 2", text.verdict([best, near, far])
    )
    assert "overlap with it" in text.verdict([best, near])
    assert "over seeds" not in text.verdict([best, far])
    assert "over seeds" not in text.verdict([BEST, *_others("better")])


def test_a_configuration_without_a_test_has_none():
    row = {k: v for k, v in BEST.items() if "/dice" not in k or "val" in k}
    assert text.verdict([row]).endswith("no test.")


def test_a_best_that_lacks_runs_is_no_quiet_winner():
    row = BEST | {"configuration/jobs": 3, "configuration/finished": 2}
    verdict = text.verdict([row, *_others("not shown")])
    assert "No configuration has finished all" in verdict
    assert "2 of its 3 runs" in verdict


def _failed(count, reasons):
    return [
        {"run": f"{i}_x", "number": i, "status": "failed", "error": f"reason {i % reasons}"}
        for i in range(count)
    ]


def test_each_failure_has_a_line_until_they_are_too_many():
    assert text.reasons(_failed(3, 2), lines=3) == [
        "0_x: failed: reason 0", "1_x: failed: reason 1", "2_x: failed: reason 0",
    ]  # fmt: skip
    assert text.reasons(_failed(9, 2), lines=3) == [
        "failed: reason 0 (0_x, 2_x, 4_x and 2 more)",
        "failed: reason 1 (1_x, 3_x, 5_x and 1 more)",
    ]
    many = text.reasons(_failed(9, 9), lines=3)
    assert len(many) == 3
    assert many[-1] == "... and 7 more reasons in the page"
