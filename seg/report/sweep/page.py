"""leaderboard.html of a sweep: what to take, why, and what became of every job."""

import math
import shlex
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from seg.comparison.choices import Choice
from seg.comparison.configurations import Configuration
from seg.comparison.effects import effects
from seg.comparison.summary import RankedConfiguration
from seg.comparison.sweep_jobs import MONITOR
from seg.comparison.sweep_plan import Plan
from seg.comparison.sweep_rows import SHARED, died, keys
from seg.comparison.sweep_test import Tested
from seg.comparison.validation import cautions
from seg.report import embedded
from seg.report.comparison.curves import curves
from seg.report.comparison.html import Cell, document, escaped, label, section, shortened, table
from seg.report.sweep import tables, text
from seg.report.sweep.pictures import picture

BEST = 3  # configurations with their command


def page(
    sweep: Path,
    *,
    plan: Plan,
    choices: Sequence[Choice],
    tested: Tested,
    rows: Sequence[dict[str, Any]],
) -> str:
    """The whole page. rows: of `rows.make_rows`."""
    several = any(row[f"{SHARED}jobs"] > 1 for row in rows)
    parts = [
        section("Configurations", tables.configurations(rows) if several else "",
                "Seeds and folds of one configuration together: val/dice is the mean over them, "
                "the test is of all folds' cases, seeds averaged case by case. Over seeds: mean, "
                "standard deviation and t-interval; folds share training cases and have none."),
        section("Jobs", tables.jobs(rows, several=several), _read_as(rows, several=several)),
        section("The effect of each key", _effects(rows), EFFECTS),
        section("Validation curves", _curves(choices)),
        section("What failed, and why", _failed(rows)),
        section("The search", embedded.pictures(sweep)),
        section("To repeat", _commands(plan, choices)),
        section("Notes", _notes(plan, choices, tested)),
    ]  # fmt: skip
    swept = ", ".join(keys(rows))
    heading = f"Sweep of {swept}" if swept else "Sweep"
    style = resources.files("seg.report.sweep").joinpath("sweep.css").read_text("utf-8")
    body = (
        f"<header><h1>{shortened(heading, 110)}</h1>"
        f'<p class="about">{escaped(_about(sweep, plan, rows))}</p>'
        f'<p class="verdict">{escaped(text.verdict(rows))}</p></header>\n'
    )
    return document(heading, body + "\n".join(filter(None, parts)), style=style)


EFFECTS = (
    "val/dice of the jobs that finished, a dot each. A bar is the mean over the settings of the "
    "other keys (seeds and folds among them) in which every value finished, so that all values "
    "stand on the same ones; ± is the standard deviation over these settings. The range after "
    "“ahead” is the least and the greatest difference, no interval of confidence."
)


def _about(sweep: Path, plan: Plan, rows: Sequence[dict[str, Any]]) -> str:
    seconds = math.fsum(row["seconds"] for row in rows if "seconds" in row)
    parts = [text.counts(rows)]
    parts += [f"started {plan.started}"] if plan.started else []
    parts += [f"{tables.duration(seconds)} of training in all"] if seconds else []
    return "; ".join([*parts, str(sweep)])


def _read_as(rows: Sequence[dict[str, Any]], *, several: bool) -> str:
    order = "their configuration's mean val/dice" if several else "val/dice"
    said = (
        f"In the order of {order}, the best epoch's: a sweep must not choose by the test, which "
        "stands beside it, with 95 % bootstrap intervals. "
    )
    if not several and any("behind" in row for row in rows):
        said += "“behind”: how far the first is ahead on the test cases. "
    return said + "Click a heading to sort."


def _effects(rows: Sequence[dict[str, Any]]) -> str:
    parts = [
        f"<div><h3>{escaped(effect.key)}</h3>{picture(effect)}"
        f"<p>{escaped(text.effect(effect))}.</p></div>"
        for effect in effects(rows)
    ]
    return f'<div class="effects">{"".join(parts)}</div>' if parts else ""


def _curves(choices: Sequence[Choice]) -> str:
    """Of all jobs, whatever became of them; in the colours of their place."""
    entries = [
        RankedConfiguration(Configuration(c.label, [job.run for job in c.jobs], []), {})
        for c in choices
    ]
    return curves(entries, MONITOR, drawn=len(entries))


def _failed(rows: Sequence[dict[str, Any]]) -> str:
    body = [
        [label(row["run"], 64), tables.badge(row["status"]), Cell(shortened(row["error"], 240))]
        for row in died(rows)
    ]
    return table(["job", "status", "why"], body) if body else ""


def _commands(plan: Plan, choices: Sequence[Choice]) -> str:
    parts = []
    for choice in [c for c in choices if c.finished][:BEST]:
        lines = [repeat(job.run.folder) for job in choice.finished]
        parts.append(f"<p>{escaped(choice.label)}:</p><pre>{escaped(chr(10).join(lines))}</pre>")
    if plan.command:
        parts.append(
            f"<p>The sweep; again, it runs what is missing:</p><pre>{escaped(plan.command)}</pre>"
        )
    return "".join(parts)


def repeat(run: Path) -> str:
    """The command that trains this run once more, in a folder of its own."""
    return f"python -m seg.train --config-path {shlex.quote(str(run))} --config-name config"


def _notes(plan: Plan, choices: Sequence[Choice], tested: Tested) -> str:
    notes = cautions(choices)
    if tested.problem:
        notes.append(f"not compared on the test: {tested.problem}")
    if tested.pairs:
        unit = "groups" if tested.groups < tested.cases else "cases"
        family = "these tests alone, since the test had no part in choosing the first"
        if tested.is_pooled:
            family = (
                "all pairs of configurations: the images that validate one fold are tested in "
                "another, and so had a part in choosing the first, whose figure is a little too "
                "high for that"
            )
        notes.append(
            f"behind, p: the first against each of the {len(tested.pairs)} others on the "
            f"{tested.cases} test cases, paired permutation test, whole {unit} swapped, Holm over "
            f"{family}. Not shown to differ does not mean equal."
        )
        if not any(entry.seeds for entry in tested.entries.values()):
            notes.append(
                "the tests are about new cases; what another seed would change, only several seeds "
                "of each configuration tell (seed=0,1,2)"
            )
    notes += tested.notes
    if sum(bool(choice.finished) for choice in choices) > 1:
        notes.append(
            "the best val/dice of many is too high by the luck that made it the best: report the "
            "test's figure"
        )
    notes += [plan.problem] if plan.problem else []
    return f"<ul>{''.join(f'<li>{escaped(note)}</li>' for note in notes)}</ul>" if notes else ""
