"""The figures of a run as tables of the page: a column each test, which are never mixed."""

import math
from collections.abc import Mapping, Sequence

from seg.report.comparison.html import Cell, escaped, label, shortened, table
from seg.report.comparison.text import number
from seg.report.run.distribution import Spread, areas, by_group
from seg.report.run.text import UNSTATED
from seg.runs.results import Interval, Result

WORST, GROUPS = 10, 60
FIRST = (
    "dice", "iou", "dice_positive", "dice_group", "dice_pooled", "precision", "recall",
    "specificity", "hd95", "nsd",
)  # fmt: skip


def figures(results: Sequence[Result]) -> str:
    """A row a figure, a column a result, each value with its interval; those that few look for
    folded.
    """
    names = list(dict.fromkeys(n for result in results for n in result.metrics))
    names.sort(key=lambda n: FIRST.index(n) if n in FIRST else len(FIRST))
    main = [n for n in names if n in FIRST] or names
    rest = [n for n in names if n not in main]
    folded = f"<details><summary>{len(rest)} more figures</summary>{_figures(rest, results)}"
    return _figures(main, results) + (f"{folded}</details>" if rest else "")


def _figures(names: Sequence[str], results: Sequence[Result]) -> str:
    rows = [
        [label(name, 40), *(_value(result.metrics.get(name)) for result in results)]
        for name in names
    ]
    return table(["figure", *map(headed, results)], rows)


def headed(result: Result) -> str:
    """A column's heading: which result, and where it was scored."""
    return f"{result.name}, at {result.resolution}"


def about(results: Sequence[Result]) -> str:
    """What each column is of."""
    items = []
    for result in results:
        facts = [f"{result.cases} cases, {result.groups} groups, at {result.resolution}"]
        used = result.facts.get("checkpoint")
        facts += [str(used).replace("\\", "/").rpartition("/")[2]] if used else []
        threshold = result.facts.get("threshold")
        facts += [f"threshold {threshold:g}"] if isinstance(threshold, float | int) else []
        unit = result.facts.get("unit")
        facts += [f"distances in {unit}"] if unit else []
        items.append(f"<li><b>{escaped(result.name)}</b>: {escaped('; '.join(facts))}</li>")
    return f"<ul>{''.join(items)}</ul>"


def _value(figure: Interval | None) -> Cell:
    if figure is None:
        return Cell('<span class="none">-</span>', -math.inf, number=True)
    between = ""
    if math.isfinite(figure.low) and math.isfinite(figure.high):
        between = f"<small>{number(figure.low)} to {number(figure.high)}</small>"
    return Cell(f"<b>{number(figure.value)}</b>{between}", figure.value, number=True)


def classes(result: Result) -> str:
    """A row a class; "" for a single one, whose figures are those of all."""
    if len(result.classes) < 2:
        return ""
    names = [n for n in FIRST if any(n in f for f in result.classes.values())]
    rows = [
        [label(name, 40), *(_value(found.get(n)) for n in names)]
        for name, found in result.classes.items()
    ]
    return table(["class", *names], rows, caption=f"{headed(result)}, by class")


def protocols(results: Sequence[Result]) -> str:
    """Others' definitions: a row each, a column each evaluation that has any."""
    having = [result for result in results if result.protocols]
    names = list(dict.fromkeys(n for result in having for n in result.protocols))
    rows = [
        [label(name, 30), *(Cell(_lines(result.protocols.get(name, {}))) for result in having)]
        for name in names
    ]
    return table(["protocol", *map(headed, having)], rows) if rows else ""


def _lines(found: Mapping[str, float | str]) -> str:
    """Each figure and its value, or what a protocol says instead of one."""
    said = [
        f'<span class="none">{shortened(value, 90)}</span>'
        if isinstance(value, str)
        else f"{shortened(name, 40)} <b>{number(value)}</b>"
        for name, value in found.items()
    ]
    return "; ".join(said) or '<span class="none">-</span>'


def worst(result: Result, found: Spread) -> str:
    """The ten worst cases, with what there was and what was found, in % of the image."""
    held = result.table
    if held is None:
        return ""
    several = len(held.classes) > 1
    grouped = len(set(held.groups)) < len(held.cases)
    head = ["case", *(["group"] if grouped else []), found.column]
    for name in held.classes if several else [""]:
        head += [f"{name} in the mask".strip(), f"{name} predicted".strip()]
    rows = []
    for i in found.order[:WORST]:
        pixels, reference, predicted = areas(held, i)
        row = [label(held.cases[i], 56), *([label(held.groups[i], 30)] if grouped else [])]
        row.append(Cell(number(float(found.values[i])), float(found.values[i]), number=True))
        for a, b in zip(reference, predicted, strict=True):
            row += [_percent(a, pixels), _percent(b, pixels)]
        rows.append(row)
    return table(head, rows)


def _percent(part: float, whole: float) -> Cell:
    share = part / whole if whole else 0.0
    return Cell(f"{100 * share:.2f} %" if part else "none", share, number=True)


def groups(result: Result, found: Spread) -> str:
    """Every group, the worst first; "" where groups are single cases."""
    if result.table is None:
        return ""
    each = by_group(result.table, found)
    rows = [
        [label(name, 40), Cell(str(count), count, number=True),
         Cell(number(mean), mean if math.isfinite(mean) else -math.inf, number=True),
         Cell(number(pooled), pooled, number=True)]
        for name, count, mean, pooled in each[:GROUPS]
    ]  # fmt: skip
    if not rows:
        return ""
    more = len(each) - GROUPS
    said = f"<p>{more} better ones are left out.</p>" if more > 0 else ""
    return table(["group", "cases", f"{found.column}, mean", "dice, all pixels"], rows) + said


def facts(rows: Mapping[str, object]) -> str:
    """Names and what is known of them; None is said as not stated."""
    lines = []
    for name, value in rows.items():
        said = shortened(value, 160)
        if value is None:
            said = f'<span class="none">{UNSTATED}</span>'
        lines.append(f"<tr><td class=label>{escaped(name)}</td><td>{said}</td></tr>")
    return f'<div class="scroll"><table><tbody>{"".join(lines)}</tbody></table></div>'
