"""leaderboard.csv and pairs.csv of a comparison."""

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from seg.comparison.configurations import as_text
from seg.comparison.paired_tests import Pair
from seg.comparison.statistic import Spread
from seg.comparison.summary import Comparison, RankedConfiguration
from seg.report.comparison import text


def leaderboard_csv(comparison: Comparison) -> str:
    """A row a configuration, best first, then one for each run that is not ranked."""
    rows = [_entry(i, entry, comparison) for i, entry in enumerate(comparison.entries)]
    for run in comparison.unranked:
        facts = {"configuration": run.name, "status": run.status, "problem": run.problem}
        rows.append(facts | {"folders": str(run.folder.path)})
    return as_csv(list(dict.fromkeys(key for row in rows for key in row)), rows)


def _entry(position: int, entry: RankedConfiguration, comparison: Comparison) -> dict[str, Any]:
    configuration = entry.configuration
    row: dict[str, Any] = {
        "rank": entry.rank,
        "tied": entry.tied,
        "configuration": entry.label,
        "status": "finished",
        "runs": len(configuration.runs),
        "seeds": len(configuration.tables),
        "folds": len(configuration.folds) or 1,
        "cases": comparison.cases,
        "groups": comparison.groups,
    }
    for name, (value, low, high) in entry.figures.items():
        row |= {name: value, f"{name}_low": low, f"{name}_high": high}
    name = comparison.metric.name
    row |= _spread(f"{name}_seeds", entry.seeds, interval=True)
    row |= _spread(f"{name}_folds", entry.folds, interval=False)
    row |= entry.untabled
    if pair := comparison.behind.get(position):
        row |= {f"leader_{key}": value for key, value in _pair(pair).items()}
    row |= {key: as_text(configuration.runs[0].config.get(key)) for key in comparison.keys}
    return row | {"folders": "; ".join(str(run.folder.path) for run in configuration.runs)}


def _spread(name: str, spread: Spread | None, *, interval: bool) -> dict[str, float]:
    if spread is None:
        return {}
    row = {f"{name}_mean": spread.mean, f"{name}_deviation": spread.deviation}
    return row | ({f"{name}_low": spread.low, f"{name}_high": spread.high} if interval else {})


def pairs_csv(comparison: Comparison) -> str:
    """A row a tested pair: difference in favour of `a`, interval, p-values, sizes of the effect."""
    labels = [entry.label for entry in comparison.entries]
    rows = [
        {"a": labels[p.a], "b": labels[p.b]} | _pair(p) | {"says": text.sentence(p, comparison)}
        for p in comparison.pairs
    ]
    return as_csv(list(rows[0]) if rows else ["a", "b"], rows)


def _pair(pair: Pair) -> dict[str, Any]:
    names = ("difference", "low", "high", "p", "p_holm", "shown", "d_z", "rank_biserial")
    return {name: getattr(pair, name) for name in names} | {"share_better": pair.share}


def as_csv(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """Rows as a CSV file; six digits, and nothing for NaN."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, columns, restval="")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: _cell(v) for k, v in row.items()})
    return stream.getvalue()


def _cell(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else f"{value:.6g}"
