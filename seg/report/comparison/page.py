"""leaderboard.html of a comparison: who leads, what was shown, and what the others differ in."""

import math
from typing import Any

from seg.comparison.configurations import text
from seg.comparison.ranking import Comparison
from seg.comparison.summary import RankedConfiguration, Spread
from seg.report.comparison import text as words
from seg.report.comparison.curves import curves
from seg.report.comparison.html import (
    Cell,
    attribute,
    document,
    escaped,
    label,
    section,
    shortened,
    table,
)

BESIDE = ("dice", "iou", "precision", "recall", "dice_pooled", "dice_group", "hd95", "nsd")
COLUMNS = 5  # figures beside the ranked one; leaderboard.csv has all
PAIRS = 60
VALUE = 26  # characters of a value of a configuration


def page(comparison: Comparison) -> str:
    """The whole page."""
    parts = [
        section("Leaderboard", _leaderboard(comparison), _read_as(comparison)),
        section("Paired tests", _pairs(comparison), _tested(comparison)),
        section("Seeds and folds", _spreads(comparison)),
        section("Validation", curves(comparison.entries, comparison.metric.name),
                "At training size, a line a run; the test's figures are above."),
        section("What the configurations differ in", _differences(comparison)),
        section("Not ranked", _unranked(comparison)),
        section("Notes", _notes(comparison)),
    ]  # fmt: skip
    title = f"{comparison.metric.name}: {words.about(comparison)}"
    return document(
        title,
        f"<header><h1>Comparison by {escaped(comparison.metric.name)}</h1>"
        f'<p class="about">{escaped(words.about(comparison))}; source: '
        f"{escaped(comparison.source)}</p>"
        f'<p class="verdict">{escaped(words.verdict(comparison))}</p></header>\n'
        + "\n".join(filter(None, parts)),
    )


def _read_as(comparison: Comparison) -> str:
    return (
        "Values with their 95 % bootstrap interval. Configurations that share a rank (=) are not "
        "shown to differ from the best of them. Click a heading to sort."
    )


def _figure(value: float) -> Cell:
    key = value if math.isfinite(value) else -math.inf
    return Cell(words.number(value), key, number=True)


def _leaderboard(comparison: Comparison) -> str:
    name = comparison.metric.name
    first = comparison.entries[0]
    beside = [n for n in BESIDE if n in first.figures and n != name]
    by_class = [n for n in first.figures if "/" in n and n != name]
    beside = (by_class[:3] + beside)[:COLUMNS]
    with_leader = {pair.b: pair for pair in comparison.pairs if pair.a == 0}
    ends = [e.figures[name][1:] for e in comparison.entries]
    ends = [v for pair in ends for v in pair if math.isfinite(v)] or [0.0, 1.0]
    rows = []
    for i, entry in enumerate(comparison.entries):
        value, low, high = entry.figures[name]
        interval = f"{words.number(low)} to {words.number(high)}"
        pair = with_leader.get(i)
        behind = _figure(pair.difference) if pair else Cell("", 0.0, number=True)
        chance = Cell("", 2.0, number=True)
        if pair:
            shown = words.chance(pair.p_holm)
            chance = Cell(escaped(shown), pair.p_holm, number=True)
        rows.append([
            Cell(f'<span class="{"first rank" if entry.rank == 1 else "rank"}">'
                 f"{words.rank(entry)}</span>", entry.rank),
            label(entry.label, 56),
            Cell(words.made_of(entry), len(entry.configuration.runs), kind="short"),
            Cell(f"<b>{words.number(value)}</b>", value, number=True),
            Cell(f"{interval_bar(value, low, high, min(ends), max(ends))}<small>{interval}</small>",
                 low),
            *(_figure(entry.figures[n][0]) for n in beside),
            behind,
            chance,
        ])  # fmt: skip
    head = ["rank", "configuration", "runs", name, "95 % interval", *beside, "behind", "p"]
    return table(head, rows)


def interval_bar(value: float, low: float, high: float, left: float, right: float) -> str:
    """A bar from low to high with a dot at the value, all rows on one scale."""
    if not all(map(math.isfinite, (value, low, high))):
        return ""
    width = max(right - left, 1e-9)
    a, b, c = (4 + 112 * (v - left) / width for v in (low, high, value))
    return (
        '<svg class="bar" viewBox="0 0 120 14" aria-hidden="true">'
        f'<line x1="{a:.1f}" x2="{b:.1f}" y1="7" y2="7"/>'
        f'<circle cx="{c:.1f}" cy="7" r="3.5"/></svg>'
    )


def _tested(comparison: Comparison) -> str:
    return f"{words.test_name(comparison).capitalize()}; {words.family(comparison)}."


def _pairs(comparison: Comparison) -> str:
    rows = []
    for pair in comparison.pairs[:PAIRS]:
        a, b = comparison.entries[pair.a].label, comparison.entries[pair.b].label
        says = "better" if pair.shown else "not shown"
        low, high = words.number(pair.low), words.number(pair.high)
        rows.append([
            label(a, 40),
            label(b, 40),
            _figure(pair.difference),
            Cell(f"{low} to {high}", pair.low, number=True),
            Cell(escaped(words.chance(pair.p)), pair.p, number=True),
            Cell(escaped(words.chance(pair.p_holm)), pair.p_holm, number=True),
            Cell(f"{pair.d_z:.2f}" if math.isfinite(pair.d_z) else "-", pair.d_z, number=True),
            Cell(f"{pair.rank_biserial:.2f}", pair.rank_biserial, number=True),
            Cell(f"{100 * pair.share:.0f} %", pair.share, number=True),
            Cell(f'<span class="{"yes" if pair.shown else "no"}" '
                 f'title="{attribute(words.sentence(pair, comparison))}">{says}</span>',
                 says, kind="short"),
        ])  # fmt: skip
    if not rows:
        return ""
    unit = "groups" if comparison.groups < comparison.cases else "cases"
    head = ["a", "against b", "difference", "95 % interval", "p", "p (Holm)", "d_z",
            "rank-biserial", f"{unit} won", "a is"]  # fmt: skip
    more = len(comparison.pairs) - PAIRS
    return table(head, rows) + (f"<p>{more} more in pairs.csv.</p>" if more > 0 else "")


def _spreads(comparison: Comparison) -> str:
    rows = [
        _spread(entry, over, found)
        for entry in comparison.entries
        for over, found in (("seeds", entry.seeds), ("folds", entry.folds))
        if found is not None
    ]
    head = ["configuration", "over", "mean", "standard deviation", "95 % of the mean (t)"]
    return table(head, rows) if rows else ""


def _spread(entry: RankedConfiguration, over: str, found: Spread) -> list[Cell]:
    interval = "-"
    if math.isfinite(found.low):
        interval = f"{words.number(found.low)} to {words.number(found.high)}"
    return [
        label(entry.label, 56),
        Cell(f"{found.n} {over}", found.n),
        _figure(found.mean),
        _figure(found.deviation),
        Cell(interval, found.low if math.isfinite(found.low) else -math.inf, number=True),
    ]


def _value(key: str, value: Any) -> Cell:
    whole = text(value)
    if key.endswith("_target_"):  # the class says enough
        short = whole.rpartition(".")[2]
        return Cell(f'<span title="{attribute(whole)}">{shortened(short, VALUE)}</span>', whole)
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell(shortened(whole, VALUE), value if numeric else whole)


def _differences(comparison: Comparison) -> str:
    """The shorter side across: keys, or configurations."""
    keys, entries = comparison.keys, comparison.entries
    if not keys:
        return ""
    configs = [entry.configuration.runs[0].config for entry in entries]

    def cell(config: dict[str, Any], key: str) -> Cell:
        return (
            _value(key, config[key])
            if key in config
            else Cell('<span class="none">none</span>', "")
        )

    if len(keys) <= max(8, len(entries)):
        rows = [
            [label(entry.label, 40), *(cell(config, key) for key in keys)]
            for entry, config in zip(entries, configs, strict=True)
        ]
        return table(["configuration", *keys], rows)
    rows = [[Cell(shortened(k, 56), k), *(cell(config, k) for config in configs)] for k in keys]
    return table(["key", *(entry.label for entry in entries)], rows)


def _unranked(comparison: Comparison) -> str:
    rows = [
        [label(run.name, 56), Cell(escaped(run.status)),
         Cell(shortened(run.problem or "", 90), run.problem or "")]
        for run in comparison.unranked
    ]  # fmt: skip
    return table(["run", "status", "why"], rows) if rows else ""


def _notes(comparison: Comparison) -> str:
    notes = [*comparison.notes, *DEFINITIONS]
    return f"<ul>{''.join(f'<li>{escaped(note)}</li>' for note in notes)}</ul>"


DEFINITIONS = (
    "dice, iou, ...: mean over test images, of the classes' mean; _positive: over images whose "
    "reference has foreground; _pooled: all pixels together; _group: mean over groups' volumes.",
    "Intervals: percentile bootstrap, 1000 resamples, whole groups drawn with replacement. Seeds "
    "of one configuration are averaged case by case before that; folds are pooled into one table.",
    "difference: in favour of a. d_z: mean over standard deviation of the groups' differences. "
    "rank-biserial: from -1 to 1, 0 where neither is better.",
    "behind, p: against the leader, p after Holm. Not shown to differ does not mean equal.",
)
