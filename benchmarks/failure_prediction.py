"""Which score, of the probabilities alone, tells best which predictions went wrong.

python benchmarks/failure_prediction.py RUN [RUN ...] [--split test] [--root DATA]

Rank correlation (Spearman) with the Dice of each case, and area under the risk-coverage curve, with
95 % percentile intervals of 1000 bootstrap resamples of groups. Means over classes. The size of the
mask is a control: large objects are segmented better, and to know that takes no confidence.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from seg.cli.make import make
from seg.cli.stored_run import run_source
from seg.evaluation.bootstrap import bootstrap
from seg.evaluation.cases import run_cases
from seg.evaluation.stream import stream
from seg.inference.load import Loader
from seg.inference.model import Predictor
from seg.inference.patches import for_whole_images
from seg.inference.segmentation import mask_of
from seg.metrics.overlap import class_dice, dice
from seg.metrics.planes import area_of
from seg.metrics.risk_coverage import aurc
from seg.metrics.threshold_curves import counts_at, level_counts
from seg.runs.folder import RunFolder

Score = Callable[[NDArray, NDArray], float]  # of a class: p (H, W) and the area of its mask


def soft_dice(p: NDArray, area: NDArray) -> float:
    """Soft Dice confidence, Borges et al. 2024, arXiv:2402.10665."""
    if not area.any():
        return float(1 - p.max())
    return float(2 * p[area].sum() / (p.sum(dtype=np.float64) + area.sum()))


def mean_over_thresholds(p: NDArray, area: NDArray) -> float:
    """Dice of the mask and p > u, mean over u in 0-1: the Dice to be expected if p is right and all
    pixels come and go together; for soft Dice each goes by itself.
    """
    return float(dice(*np.moveaxis(counts_at(level_counts(p, area)), -1, 0))[1:].mean())


def entropy(p: NDArray) -> NDArray:
    q = np.clip(p.astype(np.float64), 1e-12, 1 - 1e-12)
    return -(q * np.log2(q) + (1 - q) * np.log2(1 - q))


def inside(values: NDArray, p: NDArray, area: NDArray) -> float:
    """The mean over the mask; of an empty one 1 - the largest p."""
    return float(values[area].mean()) if area.any() else float(1 - p.max())


SCORES: dict[str, Score] = {
    "foreground confidence": lambda p, area: inside(p, p, area),
    "1 - mean entropy in the mask": lambda p, area: inside(1 - entropy(p), p, area),
    "soft Dice confidence": soft_dice,
    "Dice, mean over thresholds": mean_over_thresholds,
    "confidence, whole image": lambda p, _: float(np.maximum(p, 1 - p).mean()),
    "1 - mean entropy, whole image": lambda p, _: float(1 - entropy(p).mean()),
    "size of the mask (control)": lambda _, area: float(area.mean()),
}
TURNED = "Dice with the masks of two flips"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--split", default="test")
    parser.add_argument("--root", help="where the data lie now")
    arguments = parser.parse_args()
    for run in arguments.runs:
        measure(RunFolder(run.absolute()), arguments.split, arguments.root)


def measure(run: RunFolder, split: str, root: str | None) -> None:
    model = Loader(build=make).load_run(run.path, "best")
    predictor, classes = for_whole_images(model), range(1, len(model.classes) + 1)
    rows, groups = [], []
    for case in stream(
        run_cases(run, run_source(run, root), split), predictor, model.preprocessing
    ):
        mask = mask_of(case.probs, model)
        probs = case.probs[-len(classes) :]  # without the background
        areas = [area_of(mask, k) for k in classes]
        row = {
            name: np.mean([score(p, area) for p, area in zip(probs, areas, strict=True)])
            for name, score in SCORES.items()
        }
        turned = [mask_of(flipped(predictor, case.image, axis), model) for axis in (0, 1)]
        row[TURNED] = np.mean([class_dice(mask, other, k) for other in turned for k in classes])
        row["dice"] = np.mean([class_dice(case.reference, mask, k) for k in classes])
        rows.append(row)
        groups.append(case.case.group)
    true = np.array([row["dice"] for row in rows])
    print(f"{run.path}, {split}: {len(rows)} cases, Dice {true.mean():.4f}")
    print(f"{'':34s} rank correlation           AURC                       mean - Dice")
    for name in (*SCORES, TURNED):
        score = np.array([row[name] for row in rows])
        show(name, np.column_stack([score, true]), groups)
    show("Dice itself (the best possible)", np.column_stack([true, true]), groups)


def flipped(predictor: Predictor, image: NDArray, axis: int) -> NDArray:
    """The probabilities of an image from its mirror image."""
    probs = predictor.probabilities(np.ascontiguousarray(np.flip(image, axis)))
    return np.flip(probs, axis + 1)


def show(name: str, table: NDArray, groups: list[str]) -> None:
    def figures(rows: NDArray, _: object = None) -> dict[str, float]:
        score, true = rows.T
        return {"rank": float(spearmanr(score, true)[0]), "aurc": aurc(score, 1 - true)}

    value, bound = figures(table), bootstrap(table, groups, figures)
    cells = [f"{value[n]:6.3f} ({bound[n][0]:6.3f} to {bound[n][1]:6.3f})" for n in value]
    difference = (table[:, 0] - table[:, 1]).mean()
    print(f"{name:34s} {'  '.join(cells)}  {difference:+.3f}", flush=True)


if __name__ == "__main__":
    main()
