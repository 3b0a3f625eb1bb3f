"""What a search found: Optuna's pictures of its study, and a few lines on the console."""

import math
import shlex
import warnings
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib as mpl
from rich.console import Console

from seg.runs import atomic

FRONT_LINES = 5  # trials of a Pareto front that are printed
EDGE = 0.05  # share of an interval that counts as its edge


def draw(content: dict[str, Any], study: Any, folder: Path) -> list[Path]:
    """Draw search_*.png into `folder`, and remove those that no longer apply.

    Args:
        content: what search.json holds.
        study: Optuna's study.
        folder: the sweep's folder.

    Returns:
        The files that were drawn.
    """
    from matplotlib import pyplot as plt  # noqa: PLC0415 - a search alone draws by pyplot

    drawn = []
    # Optuna sets a style for the whole process, and warns that its pictures are experimental
    with mpl.rc_context({"backend": "agg"}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, axes in _pictures(content, study):
            path = folder / f"search_{name}.png"
            figure = axes.figure
            figure.set_size_inches(9, 5)
            try:
                with atomic.replacing(path) as handle:
                    figure.savefig(handle, format="png", dpi=100, bbox_inches="tight")
            finally:
                plt.close(figure)
            drawn.append(path)
    for path in folder.glob("search_*.png"):
        if path not in drawn:
            path.unlink()
    return drawn


def _pictures(content: dict[str, Any], study: Any) -> Iterator[tuple[str, Any]]:
    """Names and axes of the pictures that there is something to show in."""
    from optuna.importance import FanovaImportanceEvaluator  # noqa: PLC0415 - an extra
    from optuna.visualization import matplotlib as plots  # noqa: PLC0415

    if not content["counts"]["finished"]:
        return
    names = [objective["name"] for objective in content["objectives"]]
    for i, name in enumerate(names):
        suffix = "" if i == 0 else f"_{name.replace('/', '_')}"
        # Optuna warns about a target where there is one objective alone
        target = None if len(names) == 1 else (lambda trial, i=i: trial.values[i])
        options = {"target": target, "target_name": name}
        yield f"history{suffix}", plots.plot_optimization_history(study, **options)
        yield f"parallel{suffix}", plots.plot_parallel_coordinate(study, **options)
        if content["importance"]:
            evaluator = FanovaImportanceEvaluator(seed=0)
            yield (
                f"importance{suffix}",
                plots.plot_param_importances(study, evaluator=evaluator, **options),
            )
    for i, j in combinations(range(len(names)), 2):
        suffix = "" if (i, j) == (0, 1) else f"_{i}_{j}"
        yield (
            f"pareto{suffix}",
            plots.plot_pareto_front(
                study,
                target_names=[names[i], names[j]],
                targets=lambda trial, i=i, j=j: (trial.values[i], trial.values[j]),
            ),
        )


def show(content: dict[str, Any], console: Console) -> None:
    """Print the best trial, the command that repeats it, and the importance of the parameters."""
    for line in summary(content):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def summary(content: dict[str, Any]) -> list[str]:
    """The lines of `show`."""
    counts, trials = content["counts"], {t["number"]: t for t in content["trials"]}
    statuses = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    lines = [f"search: {len(trials)} trials by {content['sampler']}: {statuses}"]
    best = content["best"]
    if not best:
        return [*lines, "no trial has finished: there is no best"]
    if len(content["objectives"]) == 1:
        lines += _one(content, trials[best[0]], trials[min(trials)])
    else:
        lines.append(f"the front, {len(best)} trials that none is better than in everything:")
        for number in best[:FRONT_LINES]:
            lines += [f"  trial {number}: {_values(content, trials[number])}",
                      f"    {_command(content, trials[number])}"]  # fmt: skip
        if len(best) > FRONT_LINES:
            lines.append(f"  ... and {len(best) - FRONT_LINES} more in search.json")
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
        f"  {_command(content, best)}",
        *_at_the_edge(content["space"], best["params"]),
    ]


def _at_the_edge(space: dict[str, Any], params: dict[str, Any]) -> list[str]:
    """A hint for each parameter whose best value lies at the end of its interval."""
    lines = []
    for key, dimension in space.items():
        if dimension["kind"] == "choice":
            continue
        place = _relative_place(params[key], dimension)
        margin = EDGE if dimension["kind"] == "float" else 0
        if place <= margin or place >= 1 - margin:
            ends = f"{dimension['low']:g} to {dimension['high']:g}"
            lines.append(
                f"  {key.lstrip('+')} {params[key]:.3g} is at the edge of what was searched "
                f"({ends}): a wider one may hold a better"
            )
    return lines


def _relative_place(value: float, dimension: dict[str, Any]) -> float:
    """Where a number lies in its interval, from 0 to 1; by its logarithm where that is drawn."""
    low, high = dimension["low"], dimension["high"]
    if dimension["log"]:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low)


def _values(content: dict[str, Any], trial: dict[str, Any]) -> str:
    pairs = zip(content["objectives"], trial["values"], strict=True)
    return ", ".join(f"{objective['name']} {value:.4g}" for objective, value in pairs)


def _command(content: dict[str, Any], trial: dict[str, Any]) -> str:
    flags = content.get("flags", [])  # missing in earlier versions
    return shlex.join(["python", "-m", "seg.train", *flags, *trial["overrides"]])
