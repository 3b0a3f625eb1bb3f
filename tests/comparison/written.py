"""Run folders as seg.train writes them, from made-up counts."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from seg.evaluation.summary import summarize_test
from seg.runs.case_table import write_cases

PIXELS = 4096


def reference(cases: int, seed: int = 0, empty: float = 0.1) -> NDArray:
    """(cases,) pixels of the lesion in each reference mask, some of them none."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(80, 900, cases)
    return np.where(rng.random(cases) < empty, 0, sizes)


def counts_of(sizes: NDArray, quality: NDArray) -> NDArray:
    """(cases, 1, 4) counts of a segmentation whose Dice is about `quality` (cases,), 0 to 1."""
    quality = np.clip(quality, 0.02, 0.99)
    tp = np.round(sizes * quality).astype(int)
    fp = np.where(sizes > 0, sizes - tp, (quality < 0.5) * 30)
    return np.stack([tp, fp, sizes - tp, PIXELS - sizes - fp], axis=-1)[:, None]


def config_of(**changes: Any) -> dict[str, Any]:
    """A configuration with dotted keys changed."""
    content: dict[str, Any] = {
        "name": "polyps-unet-dice",
        "seed": 0,
        "output_dir": "outputs",
        "resume": None,
        "init_from": None,
        "dataset": {
            "root": "data",
            "cache_dir": "outputs/.cache",
            "split": {"seed": 0, "folds": None, "fold": None},
        },
        "loss": {"_target_": "seg.losses.dice.DiceLoss", "smooth": 1.0},
        "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.001},
    }
    for path, value in changes.items():
        node, *keys = content, *path.split(".")
        for key in keys[:-1]:
            node = node.setdefault(key, {})
        node[keys[-1]] = value
    return content


def write_run(
    folder: Path,
    *,
    counts: NDArray,
    cases: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    classes: Sequence[str] = ("polyp",),
    config: dict[str, Any] | None = None,
    status: str = "finished",
    intervals: bool = False,
    epochs: int = 4,
) -> Path:
    """A run folder with all that seg.compare reads. counts: (M, C, 4). intervals: true ones in
    test.json (slow).
    """
    folder.mkdir(parents=True)
    cases = cases or [f"images/{i:03}.png" for i in range(len(counts))]
    groups = groups or cases
    (folder / "config.yaml").write_text(yaml.safe_dump(config or config_of()))
    facts = {"name": (config or config_of())["name"], "status": status, "seconds": 9.5}
    (folder / "run.json").write_text(json.dumps(facts))
    lines = [f"{e},main,{0.5 + 0.3 * (1 - 0.8**e):.6f},0.4" for e in range(1, epochs + 1)]
    (folder / "metrics.csv").write_text("\n".join(["epoch,stage,val/dice,val/iou", *lines]) + "\n")
    if status != "finished":
        return folder
    about = {"groups": groups, "class_names": classes, "counts": counts}
    write_cases(folder / "test_cases.csv", cases=cases, **about)
    if intervals:
        content = summarize_test(split="test", size=[64, 64], **about)
    else:
        tp, fp, fn, _ = np.moveaxis(counts, -1, 0)
        dice = np.where(tp + fp + fn > 0, 2 * tp / np.maximum(2 * tp + fp + fn, 1), 1.0).mean()
        figure = {"value": float(dice), "low": 0.0, "high": 1.0}
        content = {"split": "test", "cases": len(counts), "metrics": {"dice": figure}}
    (folder / "test.json").write_text(json.dumps(content))
    return folder


def write_evaluation(
    run: Path,
    name: str,
    *,
    counts: NDArray,
    groups: Sequence[str] | None = None,
    classes: Sequence[str] = ("polyp",),
    prefix: str = "images/",
    **facts: Any,
) -> Path:
    """RUN/evaluate/NAME as seg.evaluate leaves it. facts: further entries of the JSON."""
    folder = run / "evaluate" / name
    folder.mkdir(parents=True)
    cases = [f"{prefix}{i:03}.png" for i in range(len(counts))]
    about = {"groups": groups or cases, "class_names": classes, "counts": counts}
    write_cases(folder / f"{name}_cases.csv", cases=cases, **about)
    content = summarize_test(split=name, size=None, **about) | facts
    (folder / f"{name}.json").write_text(json.dumps(content))
    return folder
