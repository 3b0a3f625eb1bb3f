"""What a search has found, on the console."""

import shlex
from typing import Any

from rich.console import Console

from seg.report.search.parallel import height

LONGEST_FRONT = 5
EDGE = 0.05  # of an interval


def show(content: dict[str, Any], console: Console) -> None:
    """The best trial beside the first, the command that repeats it, importance, and what failed."""
    for line in summary(content):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def summary(content: dict[str, Any]) -> list[str]:
    """The lines of `show`."""
    counts, trials = content["counts"], {t["number"]: t for t in content["trials"]}
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    lines = [f"search: {len(trials)} trials by {content['sampler']}: {told}"]
    best = content["best"]
    if not best:
        return [*lines, "no trial has finished: there is no best"]
    if len(content["objectives"]) == 1:
        lines += _one(content, trials[best[0]], trials[min(trials)])
    else:
        lines.append(f"the front, {len(best)} trials that none is better than in everything:")
        for number in best[:LONGEST_FRONT]:
            lines += [f"  trial {number}: {_values(content, trials[number])}",
                      f"    {_command(trials[number])}"]  # fmt: skip
        if len(best) > LONGEST_FRONT:
            lines.append(f"  ... and {len(best) - LONGEST_FRONT} more in search.json")
    for name, shares in (content["importance"] or {}).items():
        ranked = sorted(shares.items(), key=lambda item: -item[1])
        text = ", ".join(f"{key.lstrip('+')} {share:.2f}" for key, share in ranked)
        lines.append(f"importance for {name}: {text}")
    if content["importance"] is None:
        lines.append(f"importance: {content['importance_note']}")
    return lines


def _one(content: dict[str, Any], best: dict[str, Any], first: dict[str, Any]) -> list[str]:
    name = content["objectives"][0]["name"]
    beside = ""
    if first["number"] != best["number"] and first["status"] == "finished":
        beside = f", the first trial {first['values'][0]:.4f}"
    if first["number"] == best["number"]:
        beside = ", which is the first trial: nothing better was found"
    return [
        f"best: trial {best['number']}, {name} {best['values'][0]:.4f}{beside}",
        f"  {_command(best)}",
        *_at_the_edge(content["space"], best["params"]),
    ]


def _at_the_edge(space: dict[str, Any], params: dict[str, Any]) -> list[str]:
    """A best at the end of an interval may have a better one beyond it."""
    lines = []
    for key, dimension in space.items():
        if dimension["kind"] == "choice":
            continue
        place = height(params[key], dimension)
        margin = EDGE if dimension["kind"] == "float" else 0
        if place <= margin or place >= 1 - margin:
            ends = f"{dimension['low']:g} to {dimension['high']:g}"
            lines.append(
                f"  {key.lstrip('+')} {params[key]:.3g} is at the edge of what was searched "
                f"({ends}): a wider one may hold a better"
            )
    return lines


def _values(content: dict[str, Any], trial: dict[str, Any]) -> str:
    pairs = zip(content["objectives"], trial["values"], strict=True)
    return ", ".join(f"{objective['name']} {value:.4g}" for objective, value in pairs)


def _command(trial: dict[str, Any]) -> str:
    return shlex.join(["python", "-m", "seg.train", *trial["overrides"]])
