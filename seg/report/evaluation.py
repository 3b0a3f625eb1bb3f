"""What an evaluation leaves: the per-case table, every figure with its interval, and a screen."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Screen

from seg.evaluation.intervals import per_case, summary
from seg.evaluation.score import Table
from seg.metrics.overlap import METRICS
from seg.report import results

COLUMNS = (
    "case", "group", "class", "tp", "fp", "fn", "tn", *METRICS, "hd95", "assd", "nsd",
    "lesion_tp", "lesion_fp", "lesion_fn", "lesion_f1", "brier", "ece", "failed",
)  # fmt: skip


def write_cases(path: Path, table: Table, class_names: Sequence[str]) -> None:
    """A row a case and class, in full precision: every figure can be made from it again.

    failed: 1 where the prediction held a NaN; its figures are the worst there are.
    """
    figures = [per_case(table, j) for j in range(len(class_names))]
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS)
        writer.writeheader()
        for i, (case, group) in enumerate(zip(table.cases, table.groups, strict=True)):
            for j, name in enumerate(class_names):
                row = {"case": case, "group": group, "class": name, "failed": int(table.failed[i])}
                row |= zip(("tp", "fp", "fn", "tn"), table.counts[i, j].tolist(), strict=True)
                found = table.lesions[i, j].tolist()
                row |= zip(("lesion_tp", "lesion_fp", "lesion_fn"), found, strict=True)
                row |= {key: f"{values[i]:.12g}" for key, values in figures[j].items()}
                writer.writerow(row)


def content(
    table: Table,
    class_names: Sequence[str],
    *,
    split: str,
    protocols: dict[str, dict[str, Any]],
    **facts: Any,
) -> dict[str, Any]:
    """What <split>.json holds. protocols: name -> figures. facts: what else is to be said."""
    return {
        "split": split,
        "cases": len(table.cases),
        "groups": len(set(table.groups)),
        "failed": int(table.failed.sum()),
        "size": "original",
        **facts,
        **summary(table, class_names),
        "protocols": protocols,
    }


def show(content: dict[str, Any], folder: Path, console: Console) -> None:
    """The figures on the console: ours with their intervals, and each protocol by itself."""
    console.print(_figures(content))
    if content["protocols"]:
        console.print(_protocols(content["protocols"]))
    if content["failed"]:
        console.print(
            f"{content['failed']} of {content['cases']} predictions held no numbers: they count as "
            "wrong everywhere",
            soft_wrap=True,
            highlight=False,
        )
    console.print(f"results: {folder}", soft_wrap=True, highlight=False, markup=False)


def _figures(content: dict[str, Any]) -> Screen:
    title = (
        f"{escape(content['split'])}: {content['cases']} cases, {content['groups']} groups, "
        f"at the masks' own size, {escape(Path(content['checkpoint']).name)}"
    )
    caption = (
        f"95 % intervals: bootstrap over groups; distances in {content['unit']}; "
        "definitions: python -m seg.evaluate --help"
    )
    return results.figures(content, title=title, caption=caption)


def _protocols(protocols: dict[str, dict[str, Any]]) -> Screen:
    screen = Screen(
        title="others' protocols, by their own definitions",
        caption="each is comparable with itself alone: never rank across them",
        title_justify="left",
        caption_justify="left",
    )
    screen.add_column("protocol")
    screen.add_column("figure")
    screen.add_column("value", justify="right")
    for name, figures in protocols.items():
        for row, (figure, value) in enumerate(figures.items()):
            shown = value if isinstance(value, str) else f"{value:.4f}"
            last = row == len(figures) - 1
            screen.add_row("" if row else name, figure, escape(shown), end_section=last)
    return screen
