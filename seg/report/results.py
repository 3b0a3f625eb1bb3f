"""The figures of a test or an evaluation on the console."""

import math
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from seg.report.text import interval


def show_test(content: dict[str, Any], folder: Path, console: Console) -> None:
    """Print the figures of a test.json, and the run folder."""
    size = content["size"]  # "original" where the masks have their own
    where = "at the masks' own size" if isinstance(size, str) else "at {}x{}".format(*size)
    caption = "95 % intervals: bootstrap over groups"
    console.print(_figures(content, where=where, caption=caption))
    _show_absent(content, console)
    console.print(f"run folder: {folder}", soft_wrap=True, highlight=False, markup=False)


def show_evaluation(content: dict[str, Any], folder: Path, console: Console) -> None:
    """Print our figures of an evaluation with their intervals, and each protocol by itself."""
    where = f"at the masks' own size, {escape(Path(content['checkpoint']).name)}"
    caption = (
        f"95 % intervals: bootstrap over groups; distances in {content['unit']}; "
        "definitions: python -m seg.evaluate --help"
    )
    console.print(_figures(content, where=where, caption=caption))
    _show_absent(content, console)
    _show_failure_prediction(content["failure_prediction"], console)
    if content["protocols"]:
        console.print(_protocols(content["protocols"]))
    if "robustness" in content:
        _show_robustness(content["robustness"], console)
    if content["failed"]:
        console.print(
            f"{content['failed']} of {content['cases']} predictions are not finite: they count as "
            "wrong everywhere",
            soft_wrap=True,
            highlight=False,
        )
    console.print(f"results: {folder}", soft_wrap=True, highlight=False, markup=False)


def show_briefly(content: dict[str, Any], folder: Path, console: Console) -> None:
    """Print one line of an evaluation that is one of many."""
    dice = content["metrics"].get("dice")
    ends = [] if dice is None else [dice[key] for key in ("value", "low", "high")]
    figure = (
        f"dice {interval(*(math.nan if end is None else end for end in ends))}, " if ends else ""
    )
    line = f"{content['split']}: {figure}{content['cases']} cases: {folder}"
    console.print(line, soft_wrap=True, highlight=False, markup=False)


def _figures(content: dict[str, Any], *, where: str, caption: str) -> Table:
    """A row for each metric; a column for all classes together and for each."""
    title = (
        f"{escape(content['split'])}: {content['cases']} cases, {content['groups']} groups, {where}"
    )
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
            # with several classes, only the intervals of their mean fit a terminal
            shown = ""
            if f and f["low"] is not None and not position:
                shown = f"  [dim]{f['low']:.3f} - {f['high']:.3f}[/dim]"
            cells.append("-" if f is None or f["value"] is None else f"{f['value']:.4f}{shown}")
        table.add_row(metric, *cells)
    return table


def _show_absent(content: dict[str, Any], console: Console) -> None:
    """A line for each class that no reference mask has."""
    for name, found in content.get("absent", {}).items():
        wrong = f"predicted in {found['false_positive_cases']} of {content['cases']} cases"
        line = f"{name}: in no reference mask, so that it has no figure; {wrong}"
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _show_failure_prediction(found: dict[str, Any], console: Console) -> None:
    """How well the confidence tells which cases went wrong, and those that it puts first."""
    first = [f"{one['case']} {one['foreground_confidence']:.2f}" for one in found["review_first"]]
    lines = [f"review first, the masks of lowest confidence: {', '.join(first)}"]
    if rank := found.get("spearman"):
        interval = "" if rank["low"] is None else f" ({rank['low']:.2f} to {rank['high']:.2f})"
        lines.append(f"rank correlation of confidence and Dice: {rank['value']:.2f}{interval}")
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _protocols(protocols: dict[str, dict[str, Any]]) -> Table:
    table = Table(
        title="others' protocols, by their own definitions",
        caption="each is comparable with itself alone: never rank across them",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("protocol")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, figures in protocols.items():
        for row, (figure, value) in enumerate(figures.items()):
            shown = value if isinstance(value, str) else f"{value:.4f}"
            last = row == len(figures) - 1
            table.add_row("" if row else name, figure, escape(shown), end_section=last)
    return table


def _show_robustness(content: dict[str, Any], console: Console) -> None:
    """A row for each corruption, a column for each strength; a line of what they come to."""
    table = Table(title="Dice on degraded images", title_justify="left")
    table.add_column("strength")
    corruptions = content["corruptions"].items()
    strengths = max(len(corruption["amounts"]) for _, corruption in corruptions)
    for head in (*range(1, strengths + 1), "mean"):
        table.add_column(str(head), justify="right")
    for name, corruption in corruptions:
        cells = [f"{figure['value']:.3f}" for figure in corruption["dice"]]
        cells += [""] * (strengths - len(cells))
        table.add_row(name, *cells, f"{corruption['mean']['value']:.3f}")
    console.print(table)
    clean, mean, ratio = (
        f"{figure['value']:.4f}"
        + ("" if figure["low"] is None else f" ({figure['low']:.3f} - {figure['high']:.3f})")
        for figure in (content[n] for n in ("clean", "mean_corruption_dice", "ratio_to_clean"))
    )
    line = f"clean {clean}, mean corruption Dice {mean}, ratio to clean {ratio}"
    console.print(line, soft_wrap=True, highlight=False)
