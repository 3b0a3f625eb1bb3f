"""leaderboard.csv: the jobs of a sweep side by side, failed ones included."""

import csv
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def read_run(folder: Path) -> dict[str, Any]:
    """Status, seconds, error and test figures of one run folder; what is not there is left out."""
    row: dict[str, Any] = {"run": folder.name, "status": "never started"}
    if (folder / "run.json").is_file():
        facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        row |= {key: facts[key] for key in ("status", "seconds", "error") if key in facts}
        if "error" in row:
            row["error"] = " ".join(row["error"].split())
    if (folder / "test.json").is_file():
        content = json.loads((folder / "test.json").read_text(encoding="utf-8"))
        for name, figure in content["metrics"].items():
            row |= {
                name: figure["value"],
                f"{name}_low": figure["low"],
                f"{name}_high": figure["high"],
            }
    return row


def write(sweep: Path, *, metric: str = "dice") -> list[dict[str, Any]]:
    """Write `sweep/leaderboard.csv`, best `metric` first; returns its rows."""
    rows = [read_run(folder) for folder in sorted(p for p in sweep.iterdir() if p.is_dir())]
    rows.sort(key=lambda row: -row.get(metric, float("-inf")))
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with (sweep / "leaderboard.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return rows


def show(rows: list[dict[str, Any]], sweep: Path, console: Console) -> None:
    """The leaderboard on the console."""
    table = Table(title=f"{len(rows)} runs", title_justify="left")
    for name in ("run", "status", "dice (95 % interval)", "iou", "seconds"):
        text = name in ("run", "status")
        table.add_column(name, justify="left" if text else "right", overflow="fold")
    for row in rows:
        dice = (
            f"{row['dice']:.4f} ({row['dice_low']:.3f} - {row['dice_high']:.3f})"
            if "dice" in row
            else "-"
        )
        iou = f"{row['iou']:.4f}" if "iou" in row else "-"
        table.add_row(escape(row["run"]), row["status"], dice, iou, str(row.get("seconds", "-")))
    console.print(table)
    for row in rows:
        if row["status"] != "finished":
            console.print(
                f"{row['run']}: {row['status']}: {row.get('error', '')}",
                soft_wrap=True,
                markup=False,
            )
    console.print(f"sweep folder: {sweep}", soft_wrap=True, highlight=False, markup=False)
