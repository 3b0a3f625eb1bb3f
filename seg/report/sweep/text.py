"""A sweep in sentences that claim no more than was shown."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from seg.comparison.effects import Effect, lead
from seg.comparison.sweep_jobs import METRIC, SHARED, failed, unfinished
from seg.report.text import counted, cut, limits, number
from seg.runs.folder import MONITOR, UNSTARTED

ORDER = ("finished", "running", "pruned", "failed", "interrupted", "broken", UNSTARTED)
LABEL = 90  # characters of a configuration in a sentence
VALUES = 6


def counts(rows: Sequence[dict[str, Any]]) -> str:
    """`12 jobs: 10 finished, 2 failed`."""
    by_status = _by_status(rows)
    return counted(len(rows), "job") + (f": {by_status}" if by_status else "")


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """`of 12 jobs 2 failed, 1 never started`; "" if all are done."""
    by_status = _by_status(unfinished(rows))
    return f"of {len(rows)} jobs {by_status}" if by_status else ""


def _by_status(rows: Sequence[dict[str, Any]]) -> str:
    count = Counter(row["status"] for row in rows)
    known = [status for status in dict.fromkeys((*ORDER, *count)) if count[status]]
    return ", ".join(f"{count[status]} {status}" for status in known)


def duration(seconds: float) -> str:
    """`48 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def firsts(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first row of each configuration."""
    by_position: dict[int, dict[str, Any]] = {}
    for row in rows:
        by_position.setdefault(row["position"], row)
    return list(by_position.values())


def verdict(rows: Sequence[dict[str, Any]]) -> str:
    """Which configuration is best on validation, its test, and what that showed."""
    scored = [row for row in firsts(rows) if f"{SHARED}{MONITOR}" in row]
    if not scored:
        return f"No job has finished. {counts(rows)}."
    best, *others = scored
    jobs, finished = best[f"{SHARED}jobs"], best[f"{SHARED}finished"]
    over = best[f"{SHARED}made_of"] if finished == jobs else f"{finished} of its {jobs} runs"
    score = f"{cut(best['configuration'], LABEL)}, {MONITOR} {number(best[SHARED + MONITOR])}"
    score += f", mean over {over}" if jobs > 1 else ""
    parts = []
    if any(row["status"] in ("running", UNSTARTED) for row in rows):
        done = sum(row["status"] == "finished" for row in rows)
        parts.append(f"The sweep is not at its end, {done} of {len(rows)} jobs have finished.")
    if finished < jobs:
        parts.append("No configuration has finished all of its runs.")
    if others:
        second, behind = others[0]["configuration"], number(others[0][f"{SHARED}{MONITOR}"])
        parts.append(f"Best on validation: {score}; next is {cut(second, LABEL)} with {behind}.")
    else:
        parts.append(f"One configuration finished, nothing to compare it with: {score}.")
    return " ".join(filter(None, [*parts, _test(best, others), _seeds(best, others)]))


def _test(best: dict[str, Any], others: Sequence[dict[str, Any]]) -> str:
    if f"{SHARED}{METRIC}" not in best:
        return "It has no test."
    where = "On the test, which had no part in the choice"
    if f"{SHARED}{METRIC}_folds_mean" in best:
        where = "On the test cases of all folds together"
    text = f"{where}: {METRIC} {number(best[SHARED + METRIC])}"
    low, high = best.get(f"{SHARED}{METRIC}_low"), best.get(f"{SHARED}{METRIC}_high")
    if low is not None and high is not None:
        text += f" ({limits(low, high)})"
    tested = [row for row in others if "behind_shows" in row]
    if not tested:
        return f"{text}." + (" It was not compared with the others there." if others else "")
    return f"{text}{_shown(tested, len(others))}."


def _shown(tested: Sequence[dict[str, Any]], others: int) -> str:
    """What the tests against some of the other configurations showed of the best one."""
    count, better = len(tested), sum(row["behind_shows"] == "better" for row in tested)
    if better == count:
        all_others = {1: "the other", 2: "both others"}.get(count, f"all {count} others")
        that = " that could be tested" if count < others else ""
        return f", shown to be better than {all_others}{that}"
    worse = [row["configuration"] for row in tested if row["behind_shows"] == "worse"]
    if worse:
        more = f" and {len(worse) - 1} more are" if len(worse) > 1 else " is"
        text = f"; {cut(worse[0], LABEL)}{more} shown to be better on the test"
        also = f"; the chosen one is better than {better} of the {count} others"
        return text + (also if better else "")
    if not better:
        return f"; not shown to be better than {'the other' if count == 1 else 'any other'}"
    return f", shown to be better than {better} of the {count} others; the rest is open"


def _seeds(best: dict[str, Any], others: Sequence[dict[str, Any]]) -> str:
    """The tests are of these very networks: a sentence where other seeds may turn the order."""
    name = f"{SHARED}{METRIC}_seeds"
    shown = [row for row in others if row.get("behind_shows") == "better"]
    if shown and f"{name}_mean" in best and f"{name}_low" not in best:
        return "That is of these very networks: two seeds are too few to tell what others would do."
    overlap = sum(row.get(f"{name}_high", -1.0) >= best.get(f"{name}_low", 2.0) for row in shown)
    if not overlap:
        return ""
    those = f"{overlap} of these {len(shown)}"
    if overlap == len(shown):
        those = "it" if len(shown) == 1 else "all of these"
    return (
        f"That is of these very networks: the 95 % intervals over seeds overlap with {those}, so "
        "that other seeds may turn the order."
    )


def effect(result: Effect) -> str:
    """`loss: dice 0.78, bce 0.71; dice ahead of bce by 0.07 (-0.01 to 0.1), in 7 of 8 settings`;
    for a key that was searched, the range that was tried.
    """
    ranked = result.ranked
    if result.is_range and ranked:
        tried, best = sorted(v.number for v in result.values), ranked[0]
        return (
            f"{result.key}: {tried[0]:.4g} to {tried[-1]:.4g} were tried, the best at "
            f"{best.number:.4g} ({number(best.mean)})"
        )
    values = ", ".join(f"{cut(v.text, 40)} {number(v.mean)}" for v in ranked[:VALUES])
    more = f", {len(ranked) - VALUES} more values" if len(ranked) > VALUES else ""
    text = f"{result.key}: {values}{more}"
    lost = [cut(v.text, 40) for v in result.values if not v.scores]
    if lost:
        text += f"; nothing finished with {', '.join(lost[:VALUES])}"
    if len(ranked) < 2:
        return text
    if not result.complete:
        return f"{text}; not on the same settings of the other keys"
    if result.complete == 1:
        return text if result.settings == 1 else f"{text}; in the one setting that all have"
    mean, low, high, won = lead(*ranked[:2])
    first, second = (cut(v.text, 40) for v in ranked[:2])
    return (
        f"{text}; {first} ahead of {second} by {number(mean)} ({limits(low, high)}), "
        f"in {won} of {result.complete} settings"
    )


def reasons(rows: Sequence[dict[str, Any]], *, lines: int) -> list[str]:
    """Why jobs failed, at most `lines`: a line a job, or where they are more, a line a reason."""
    lost = [(row["run"], f"{row['status']}{_reason(row)}") for row in failed(rows)]
    if len(lost) <= lines:
        return [f"{name}: {reason}" for name, reason in lost]
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, reason in lost:
        by_reason[reason].append(name)
    listed = []
    for reason, names in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        listed.append(f"{reason} ({', '.join(cut(name, 60) for name in names[:3])}{more})")
    if len(listed) > lines:
        hidden = len(listed) - lines + 1
        listed = [*listed[: lines - 1], f"... and {hidden} more reasons in the page"]
    return listed


def _reason(row: dict[str, Any]) -> str:
    return f": {cut(row['error'], 200)}" if row["error"] else ""
