"""What an ensemble and test-time augmentation add, on cases that no member has seen.

python benchmarks/ensemble.py --runs SWEEP --cases CASES.csv

CASES.csv has the columns image and mask (relative to it). Masks come from `seg.predict`, at the
images' own size; Dice is per image (empty and predicted empty 1), with 95 % percentile intervals of
2000 bootstrap resamples of images. Differences are paired, to the mean of the members alone.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
RESAMPLES = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, required=True, help="a folder with run folders")
    parser.add_argument("--cases", type=Path, required=True)
    arguments = parser.parse_args()
    with arguments.cases.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    root = arguments.cases.parent
    names = [Path(row["image"]).stem for row in rows]
    truth = [read_reference(root / row["mask"]) for row in rows]
    members = sorted(p.parent for p in arguments.runs.rglob("config.yaml"))
    scores: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:

        def score(title: str, runs: list[Path], *more: str) -> None:
            output = Path(folder) / str(len(scores))
            predict(runs, arguments.cases, output, *more)
            masks = [np.asarray(Image.open(output / f"{name}.png")) > 0 for name in names]
            scores[title] = np.array([dice(a, b) for a, b in zip(masks, truth, strict=True)])

        for number, member in enumerate(members):
            score(f"member {number}", [member])
        for number, member in enumerate(members):
            score(f"member {number}, flips", [member], "tta=flips")
        score("ensemble", members)
        score("ensemble, flips", members, "tta=flips")
        score("ensemble, d4", members, "tta=d4")
    count = len(members)
    alone = [scores[f"member {n}"] for n in range(count)]
    scores["members alone, mean"] = np.mean(alone, axis=0)
    turned = [scores[f"member {n}, flips"] for n in range(count)]
    scores["members with flips, mean"] = np.mean(turned, axis=0)
    print(f"{len(rows)} images, {count} members")
    base = scores["members alone, mean"]
    for title, values in scores.items():
        low, high = interval(values)
        line = f"{title:26s} {values.mean():.4f} ({low:.4f} to {high:.4f})"
        if not title.startswith("member ") and values is not base:
            low, high = interval(values - base)
            line += f"   {(values - base).mean():+.4f} ({low:+.4f} to {high:+.4f})"
        print(line)


def predict(runs: list[Path], cases: Path, output: Path, *more: str) -> None:
    listed = ",".join(f"'{run}'" for run in runs)
    subprocess.run(
        [sys.executable, "-m", "seg.predict", f"run=[{listed}]", f"input='{cases}'",
         f"output='{output}'", *more],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True,
    )  # fmt: skip


def read_reference(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L")) > 127


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    total = mask.sum() + truth.sum()
    return 1.0 if total == 0 else float(2 * (mask & truth).sum() / total)


def interval(values: np.ndarray) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[drawn].mean(1), [2.5, 97.5])
    return float(low), float(high)


if __name__ == "__main__":
    main()
