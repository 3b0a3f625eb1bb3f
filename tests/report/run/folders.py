"""A whole run folder as seg.train and seg.evaluate leave it, from made-up counts."""

import base64
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from seg.data.split.file import COLUMNS
from seg.evaluation.summary import summarize_test
from seg.runs.case_table import write_cases

# 1x1 pixels
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
PIXELS = 4096


def counts_of(cases: int, classes: int = 1, *, seed: int = 0) -> NDArray:
    """(cases, classes, 4) counts of masks of a Dice of about 0.9."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(200, 900, (cases, classes))
    tp = np.round(sizes * rng.uniform(0.88, 0.95, (cases, classes))).astype(int)
    return np.stack([tp, sizes - tp + 9, sizes - tp, PIXELS - 2 * sizes + tp - 9], axis=-1)


def config_of(classes: Sequence[str]) -> dict[str, Any]:
    return {
        "name": "polyps-unet-dice",
        "seed": 7,
        "output_dir": "outputs",
        "init_from": None,
        "threshold": 0.5,
        "early_stopping": None,
        "stages": {},
        "dataset": {
            "_target_": "seg.data.sources.folder.Folder",
            "root": "/data/polyps",
            "image_size": 64,
            "channels": 3,
            "classes": {name: k + 1 for k, name in enumerate(classes)},
            "split": {
                "val": 0.15, "test": 0.15, "by": "group", "seed": 7, "folds": None, "fold": None,
                "file": None, "duplicates": "together",
            },
        },
        "augmentation": None,
        "model": {"_target_": "seg.models.unet.UNet", "width": 8},
        "loss": {"_target_": "seg.losses.dice.DiceLoss", "smooth": 1.0},
        "optimizer": {"_target_": "torch.optim.AdamW", "_partial_": True, "lr": 0.001},
        "trainer": {"max_epochs": 6},
    }  # fmt: skip


def write_whole(folder: Path, *, classes: Sequence[str] = ("polyp",)) -> Path:
    """A finished run of 40 test groups of 2 cases, evaluated, with nothing to be wary of but that
    it is one.
    """
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config_of(classes), sort_keys=False))
    facts = {
        "name": "polyps-unet-dice", "seed": 7, "device": "cpu, 2 threads", "status": "finished",
        "started": "2026-01-01T10:00:00+00:00", "pid": 41, "host": "secret-host",
        "command": "python -m seg.train dataset.root=/data/polyps loss=dice optimizer.lr=1e-3",
        "git_commit": "0123abcd", "versions": {"seg": "0.1.0", "torch": "2.13.0"},
        "best_epoch": 4, "val/dice": 0.9, "seconds": 3723.0, "cpu_seconds": 61.5,
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(facts))
    val = [0.5, 0.7, 0.8, 0.9, 0.89, 0.88]
    rows = [f"{e + 1},main,0.001,{1 - v},{1.1 - v},{v + 0.02},{v}" for e, v in enumerate(val)]
    head = "epoch,stage,lr,train/loss,val/loss,train/dice,val/dice"
    (folder / "metrics.csv").write_text("\n".join([head, *rows]) + "\n")
    write_split(folder / "split.csv")
    test = [case for case, _, split in allocated() if split == "test"]
    groups = [group for _, group, split in allocated() if split == "test"]
    counts = counts_of(len(test), len(classes))
    write_cases(
        folder / "test_cases.csv", cases=test, groups=groups, class_names=classes, counts=counts
    )
    content = summarize_test(
        split="test", groups=groups, class_names=classes, counts=counts, size=[64, 64]
    )
    (folder / "test.json").write_text(json.dumps(content))
    for name in ("test_panels/worst", "test_panels/median", "test_panels/best"):
        _picture(folder / f"{name}.png")
    for epoch in (2, 4, 6):
        _picture(folder / "panels" / f"epoch_{epoch:03}.png")
    _evaluated(folder, content, test, groups, classes)
    return folder


def allocated() -> list[tuple[str, str, str]]:
    """(case, group, split): 50 training groups, 10 validation, 40 test, of 2 cases each."""
    splits = ["train"] * 50 + ["val"] * 10 + ["test"] * 40
    return [
        (f"images/{g:03}_{k}.png", f"patient {g}", split)
        for g, split in enumerate(splits)
        for k in (0, 1)
    ]


def write_split(path: Path, changed: dict[str, dict[str, str]] | None = None) -> None:
    """changed: case -> columns that are other than usual."""
    rows = []
    for case, group, split in allocated():
        row = {"image": case, "mask": case.replace("images", "masks"), "group": group}
        row |= {"split": split, "image_sha256": f"i{case}", "mask_sha256": f"m{case}"}
        rows.append(row | (changed or {}).get(case, {}))
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def _evaluated(
    folder: Path,
    content: dict[str, Any],
    cases: Sequence[str],
    groups: Sequence[str],
    classes: Sequence[str],
) -> None:
    """Other figures than those of the test, and a table that bears out their Dice."""
    place = folder / "evaluate" / "test"
    place.mkdir(parents=True)
    counts = counts_of(len(cases), len(classes), seed=5)
    write_cases(
        place / "test_cases.csv", cases=cases, groups=groups, class_names=classes, counts=counts
    )
    figures = {
        name: {key: 0.99 * number for key, number in figure.items()}
        for name, figure in content["metrics"].items()
    }
    tp, fp, fn, _ = np.moveaxis(counts, -1, 0)
    figures["dice"]["value"] = float((2 * tp / (2 * tp + fp + fn)).mean())
    figures["hd95"] = {"value": 3.25, "low": 2.5, "high": 4.125}
    evaluation = {
        "split": "test", "cases": content["cases"], "groups": content["groups"], "failed": 0,
        "size": "original", "threshold": 0.5 if len(classes) == 1 else None,
        "postprocess": {"largest_component": [], "fill_holes": []}, "unit": "pixels",
        "checkpoint": "/elsewhere/checkpoints/best.ckpt", "data": "/data/polyps/images",
        "metrics": figures, "classes": dict.fromkeys(classes, figures),
        "protocols": {"kvasir": {"dice": 0.8125}, "buda": {"dice_mean": "one class only"}},
    }  # fmt: skip
    (place / "test.json").write_text(json.dumps(evaluation))
    _picture(place / "pr_curve.png")


def _picture(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(PNG)


def change_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def change_config(run: Path, **changes: Any) -> None:
    """Dotted keys, with __ for the dots."""
    content = yaml.safe_load((run / "config.yaml").read_text())
    for dotted, value in changes.items():
        node, *keys = content, *dotted.split("__")
        for key in keys[:-1]:
            node = node[key]
        node[keys[-1]] = value
    (run / "config.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
