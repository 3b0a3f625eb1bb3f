"""leaderboard.csv, leaderboard.md and pairs.csv of a comparison."""

import csv
import re
from pathlib import Path
from typing import Any

from seg.comparison.configurations import text
from seg.comparison.ranking import Comparison
from seg.comparison.summary import Spread
from seg.report.comparison import text as words


def write_csv(comparison: Comparison, path: Path) -> None:
    """A row a configuration, best first, then one for each run that is not ranked."""
    rows = _rows(comparison)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    _write(path, columns, rows)


def _rows(comparison: Comparison) -> list[dict[str, Any]]:
    with_leader = {pair.b: pair for pair in comparison.pairs if pair.a == 0}
    rows = []
    for i, entry in enumerate(comparison.entries):
        c = entry.configuration
        row: dict[str, Any] = {
            "rank": entry.rank,
            "tied": entry.tied,
            "configuration": entry.label,
            "status": "finished",
            "runs": len(c.runs),
            "seeds": len(c.tables),
            "folds": len(c.folds) or 1,
            "cases": comparison.cases,
            "groups": comparison.groups,
        }
        for name, (value, low, high) in entry.figures.items():
            row |= {name: value, f"{name}_low": low, f"{name}_high": high}
        for over, found in (("seeds", entry.seeds), ("folds", entry.folds)):
            row |= _spread(f"{comparison.metric.name}_{over}", found)
        row |= entry.told
        if pair := with_leader.get(i):
            row |= {f"leader_{k}": v for k, v in _pair(pair).items()}
        row |= {key: text(c.runs[0].config.get(key)) for key in comparison.keys}
        row["folders"] = "; ".join(str(run.folder) for run in c.runs)
        rows.append(row)
    for run in comparison.unranked:
        facts = {"configuration": run.name, "status": run.status, "problem": run.problem}
        rows.append(facts | {"folders": str(run.folder)})
    return rows


def _spread(name: str, found: Spread | None) -> dict[str, float]:
    if found is None:
        return {}
    row = {f"{name}_mean": found.mean, f"{name}_deviation": found.deviation}
    if name.endswith("_seeds"):
        row |= {f"{name}_low": found.low, f"{name}_high": found.high}
    return row


def _pair(pair: Any) -> dict[str, Any]:
    return {
        "difference": pair.difference,
        "low": pair.low,
        "high": pair.high,
        "p": pair.p,
        "p_holm": pair.p_holm,
        "shown": pair.shown,
        "d_z": pair.d_z,
        "rank_biserial": pair.rank_biserial,
        "share_better": pair.share,
    }


def write_pairs(comparison: Comparison, path: Path) -> None:
    """A row a tested pair: difference in favour of `a`, interval, p-values, sizes of the effect."""
    rows = [
        {"a": comparison.entries[p.a].label, "b": comparison.entries[p.b].label}
        | _pair(p)
        | {"says": words.sentence(p, comparison)}
        for p in comparison.pairs
    ]
    _write(path, list(rows[0]) if rows else ["a", "b"], rows)


def _write(path: Path, columns: list[str], rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, columns, restval="")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})


def markdown(comparison: Comparison) -> str:
    """The leaderboard for a README or an issue."""
    name = comparison.metric.name
    with_leader = {pair.b: pair for pair in comparison.pairs if pair.a == 0}
    lines = [
        escaped(words.verdict(comparison)),
        "",
        f"{escaped(words.about(comparison))}. {words.test_name(comparison).capitalize()}; "
        f"{words.family(comparison)}.",
        "",
        f"| rank | configuration | runs | {escaped(name)} (95 %) | behind the leader (95 %) | p |",
        "|---|---|---|---|---|---|",
    ]
    for i, entry in enumerate(comparison.entries):
        value, low, high = map(words.number, entry.figures[name])
        cells = [words.rank(entry), escaped(entry.label), words.made_of(entry),
                 f"{value} ({low} to {high})"]  # fmt: skip
        pair = with_leader.get(i)
        if pair is None:
            cells += ["", ""]
        else:
            low, high = words.number(pair.low), words.number(pair.high)
            behind = f"{words.number(pair.difference)} ({low} to {high})"
            cells += [behind, words.chance(pair.p_holm)]
        lines.append(f"| {' | '.join(cells)} |")
    if comparison.unranked:
        lines += ["", "Not ranked:", ""]
        lines += [
            f"- {escaped(run.name)}: {run.status}: {escaped(str(run.problem))}"
            for run in comparison.unranked
        ]
    if comparison.notes:
        lines += ["", *(f"- {escaped(note)}" for note in comparison.notes)]
    return "\n".join(lines) + "\n"


def escaped(value: str) -> str:
    """Text that Markdown shows as it is, also in a table."""
    value = value.replace("&", "&amp;").replace("<", "&lt;").replace("\n", " ")
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", value)
