"""test.json and test_cases.csv: written from the per-case table, and shown on the console."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from seg.evaluation.bootstrap import bootstrap
from seg.metrics.cases import summarize, summarize_class
from seg.metrics.overlap import METRICS
from seg.runs import atomic


def write_cases(
    path: Path,
    *,
    cases: Sequence[str],
    groups: Sequence[str],
    class_names: Sequence[str],
    counts: NDArray,
) -> None:
    """A row a case and class: case, group, class, tp, fp, fn, tn and the overlap figures.

    counts: (M, classes, 4).
    """
    rows: list[list[Any]] = [["case", "group", "class", "tp", "fp", "fn", "tn", *METRICS]]
    for i, (case, group) in enumerate(zip(cases, groups, strict=True)):
        for j, name in enumerate(class_names):
            figures = [f"{float(metric(*counts[i, j])):.6f}" for metric in METRICS.values()]
            rows.append([case, group, name, *counts[i, j].tolist(), *figures])
    atomic.write_csv(path, rows)


def summary(
    *,
    split: str,
    groups: Sequence[str],
    class_names: Sequence[str],
    counts: NDArray,
    size: Sequence[int],
) -> dict[str, Any]:
    """What test.json holds: every figure with its 95 % interval, over all classes and by class.

    size: height and width, in pixels, at which the masks were compared.
    """
    # Volumes are told from single images by their groups; a resample must keep that distinction.
    has_volumes = len(set(groups)) < len(groups)

    def interval(table: NDArray, measure: Any) -> dict[str, dict[str, float]]:
        values = measure(table, groups if has_volumes else None)
        bounds = bootstrap(table, groups, lambda t, g: measure(t, g if has_volumes else None))
        return {
            name: {"value": value, "low": bounds[name][0], "high": bounds[name][1]}
            for name, value in values.items()
        }

    classes = {name: interval(counts[:, j], summarize_class) for j, name in enumerate(class_names)}
    metrics = interval(counts, summarize) if len(class_names) > 1 else next(iter(classes.values()))
    return {
        "split": split,
        "cases": len(counts),
        "groups": len(set(groups)),
        "size": list(size),
        "metrics": metrics,
        "classes": classes,
    }


def show(content: dict[str, Any], folder: Path, console: Console) -> None:
    """The figures of a test.json as a table on the console, and where the rest lies."""
    height, width = content["size"]
    title = (
        f"{content['split']}: {content['cases']} cases, {content['groups']} groups, "
        f"at {height}x{width}"
    )
    console.print(figures(content, title=title, caption="95 % intervals: bootstrap over groups"))
    console.print(f"run folder: {folder}", soft_wrap=True, highlight=False, markup=False)


def figures(content: dict[str, Any], *, title: str, caption: str) -> Table:
    """A row a metric; a column for all classes and each, with one interval."""
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    columns = [("all", content["metrics"])] if len(content["classes"]) > 1 else []
    columns += list(content["classes"].items())
    table.add_column("metric")
    for name, _ in columns:
        table.add_column(escape(name), justify="right")
    for metric in content["metrics"]:
        cells = []
        for position, (_, values) in enumerate(columns):
            f = values.get(metric)
            # of several classes, the intervals of the mean alone fit a terminal
            shown = f"  [dim]{f['low']:.3f} - {f['high']:.3f}[/dim]" if f and not position else ""
            cells.append("-" if f is None else f"{f['value']:.4f}{shown}")
        table.add_row(metric, *cells)
    return table


def worst_median_best(counts: NDArray, rows: int) -> dict[str, list[int]]:
    """Positions of the `rows` cases with the lowest, middle and highest Dice, mean over classes.

    Cases without anything to see, in reference and prediction, are left out unless all are so.
    """
    dice = METRICS["dice"](*np.moveaxis(counts, -1, 0)).mean(1)
    visible = counts[..., :3].sum((1, 2)) > 0  # tp, fp or fn
    order = [i for i in np.argsort(dice, kind="stable").tolist() if visible[i] or not visible.any()]
    rows = min(rows, len(order))
    middle = (len(order) - rows) // 2
    return {
        "worst": order[:rows],
        "median": order[middle : middle + rows],
        "best": order[-rows:][::-1],
    }
