"""What a sweep says, in sentences that claim no more than was shown."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from seg.comparison.effects import Effect, ahead
from seg.comparison.sweep_jobs import MONITOR, UNSTARTED
from seg.comparison.sweep_rows import METRIC, SHARED, died, failed
from seg.report.comparison.text import cut, number

ORDER = ("finished", "running", "pruned", "failed", "interrupted", "broken", UNSTARTED)
LABEL = 90  # characters of a configuration in a sentence
VALUES = 6


def counts(rows: Sequence[dict[str, Any]]) -> str:
    """`12 jobs: 10 finished, 2 failed`."""
    found = Counter(row["status"] for row in rows)
    known = [status for status in (*ORDER, *found) if found[status]]
    said = ", ".join(f"{found[status]} {status}" for status in dict.fromkeys(known))
    return f"{len(rows)} job{'' if len(rows) == 1 else 's'}" + (f": {said}" if said else "")


def firsts(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first row of each configuration."""
    found: dict[int, dict[str, Any]] = {}
    for row in rows:
        found.setdefault(row["position"], row)
    return list(found.values())


def verdict(rows: Sequence[dict[str, Any]]) -> str:
    """Which configuration is best on validation, what it scored on the test, what that showed."""
    there = [row for row in firsts(rows) if f"{SHARED}{MONITOR}" in row]
    if not there:
        return f"No job has finished. {counts(rows)}."
    best, others = there[0], there[1:]
    label, score = cut(best["configuration"], LABEL), number(best[f"{SHARED}{MONITOR}"])
    jobs, finished = best[f"{SHARED}jobs"], best[f"{SHARED}finished"]
    over = best[f"{SHARED}made_of"] if finished == jobs else f"{finished} of its {jobs} runs"
    score += f", mean over {over}" if jobs > 1 else ""
    parts = []
    if any(row["status"] in ("running", UNSTARTED) for row in rows):
        done = sum(row["status"] == "finished" for row in rows)
        parts.append(f"The sweep is not at its end, {done} of {len(rows)} jobs have finished.")
    if finished < jobs:
        parts.append("No configuration has finished all of its runs.")
    if others:
        following = others[0]
        behind = number(following[f"{SHARED}{MONITOR}"])
        parts.append(f"Best on validation: {label}, {MONITOR} {score}; next is")
        parts.append(f"{cut(following['configuration'], LABEL)} with {behind}.")
    else:
        parts.append("One configuration finished, nothing to compare it with:")
        parts.append(f"{label}, {MONITOR} {score}.")
    parts += [_test(best, others), _seeds(best, others)]
    return " ".join(filter(None, parts))


def _test(best: dict[str, Any], others: Sequence[dict[str, Any]]) -> str:
    if f"{SHARED}{METRIC}" not in best:
        return "It has no test."
    pooled = f"{SHARED}{METRIC}_folds_mean" in best
    where = (
        "On the test cases of all folds together" if pooled else "On the test, which had no part"
    )
    said = f"{where}{'' if pooled else ' in the choice'}: {METRIC} {number(best[SHARED + METRIC])}"
    low, high = best.get(f"{SHARED}{METRIC}_low"), best.get(f"{SHARED}{METRIC}_high")
    if low is not None and high is not None:
        said += f" ({number(low)} to {number(high)})"
    tested = [row for row in others if "behind_shows" in row]
    if not tested:
        return f"{said}." + (" It was not held against the others there." if others else "")
    shown = Counter(row["behind_shows"] for row in tested)
    count, better = len(tested), shown["better"]
    if better == count:
        tried = " that could be tested" if count < len(others) else ""
        return f"{said}, shown to be better than {_all(count)}{tried}."
    worse = [row["configuration"] for row in tested if row["behind_shows"] == "worse"]
    if worse:
        more = f" and {len(worse) - 1} more" if len(worse) > 1 else ""
        are = "are" if len(worse) > 1 else "is"
        there = f"{said}; there {cut(worse[0], LABEL)}{more} {are} shown to be better than it"
        return there + (f", and it is so than {better} of {count}." if better else ".")
    if not better:
        return f"{said}; not shown to be better than {'the other' if count == 1 else 'any other'}."
    return f"{said}, shown to be better than {better} of the {count} others; the rest is open."


def _seeds(best: dict[str, Any], others: Sequence[dict[str, Any]]) -> str:
    """The tests are of these very networks; where other seeds may turn the order, that is said."""
    name = f"{SHARED}{METRIC}_seeds"
    shown = [row for row in others if row.get("behind_shows") == "better"]
    overlap = [
        row for row in shown if row.get(f"{name}_high", -1.0) >= best.get(f"{name}_low", 2.0)
    ]
    if not overlap:
        return ""
    those = f"{len(overlap)} of these {len(shown)}"
    if len(overlap) == len(shown):
        those = "it" if len(shown) == 1 else "all of these"
    return (
        f"That is of these very networks: the 95 % intervals over seeds overlap with {those}, so "
        "that other seeds may turn the order."
    )


def _all(count: int) -> str:
    return {1: "the other", 2: "both others"}.get(count, f"all {count} others")


def effect(found: Effect) -> str:
    """`loss: dice 0.78, bce 0.71; dice ahead of bce by 0.07 (-0.01 to 0.1), in 7 of 8 settings`; of
    a key that was searched, the range that was tried.
    """
    ranked = found.ranked
    if found.is_range and ranked:
        tried = sorted(v.number for v in found.values)
        best = ranked[0]
        return (
            f"{found.key}: {tried[0]:.4g} to {tried[-1]:.4g} were tried, the best at "
            f"{best.number:.4g} ({number(best.mean)})"
        )
    values = ", ".join(f"{cut(v.text, 40)} {number(v.mean)}" for v in ranked[:VALUES])
    more = f", {len(ranked) - VALUES} more values" if len(ranked) > VALUES else ""
    said = f"{found.key}: {values}{more}"
    lost = [v for v in found.values if not v.scores]
    if lost:
        said += f"; nothing finished with {', '.join(cut(v.text, 40) for v in lost[:VALUES])}"
    if len(ranked) < 2:
        return said
    if not found.complete:
        return f"{said}; not on the same settings of the other keys"
    if found.complete == 1:
        return said if found.settings == 1 else f"{said}; in the one setting that all have"
    best, second = ranked[:2]
    mean, low, high, won = ahead(best, second)
    return (
        f"{said}; {cut(best.text, 40)} ahead of {cut(second.text, 40)} by {number(mean)} "
        f"({number(low)} to {number(high)}), in {won} of {found.complete} settings"
    )


def reasons(rows: Sequence[dict[str, Any]], *, lines: int) -> list[str]:
    """Each job that failed with the first line of its reason, at most `lines`; where they are more,
    jobs of one reason share a line.
    """
    lost = died(rows)
    if len(lost) <= lines:
        return [f"{row['run']}: {row['status']}{_reason(row)}" for row in lost]
    by_reason: dict[str, list[str]] = defaultdict(list)
    for row in lost:
        by_reason[f"{row['status']}{_reason(row)}"].append(row["run"])
    said = []
    for reason, names in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        named = ", ".join(cut(name, 60) for name in names[:3])
        rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
        said.append(f"{reason} ({named}{rest})")
    if len(said) > lines:
        said = [*said[: lines - 1], f"... and {len(said) - lines + 1} more reasons in the page"]
    return said


def _reason(row: dict[str, Any]) -> str:
    return f": {cut(row['error'], 200)}" if row["error"] else ""


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """`2 of 12 jobs failed, 1 was never started`; "" if all came through."""
    found = Counter(row["status"] for row in failed(rows))
    names = [status for status in (*ORDER, *found) if found[status]]
    said = [f"{found[status]} {status}" for status in dict.fromkeys(names)]
    return f"of {len(rows)} jobs {', '.join(said)}" if said else ""
