"""Time of the per-case metrics beside torchmetrics and MONAI. python benchmarks/metrics.py

Masks of 16 images, 256x256, discs and displaced discs: the counts of one class and of 19 for each
image (torchmetrics' BinaryStatScores and MulticlassStatScores, samplewise), on the CPU and on a GPU
if there is one; HD95, ASSD and NSD on the CPU (MONAI's HD95, if it is installed). Both take turns
on a possibly busy machine: compare the ratios. Their figures are checked to be equal first.
"""

import seg  # noqa: F401 - first, see seg/broken_torchvision.py

# isort: split
import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchmetrics.classification import BinaryStatScores, MulticlassStatScores

from seg.metrics.cases import confusion
from seg.metrics.surface import surface

N, SIDE, TOLERANCE = 16, 256, 2.0


def masks() -> tuple[np.ndarray, np.ndarray]:
    """Reference and prediction, (N, SIDE, SIDE) booleans."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]

    def discs(centres: np.ndarray, radii: np.ndarray) -> np.ndarray:
        return np.stack(
            [np.hypot(rows - r, columns - c) < d for (r, c), d in zip(centres, radii, strict=True)]
        )

    centres, radii = rng.uniform(80, 176, (N, 2)), rng.uniform(15, 60, N)
    moved = centres + rng.normal(0, 6, (N, 2))
    return discs(centres, radii), discs(moved, radii * rng.uniform(0.8, 1.2, N))


def indices(classes: int, device: str) -> tuple[Tensor, Tensor]:
    """Reference and prediction, (N, SIDE, SIDE) int64: each column of an image is a class."""
    columns = np.arange(SIDE) % classes + 1
    return tuple(torch.from_numpy(mask * columns).long().to(device) for mask in masks())


def our_counts(classes: int, reference: Tensor, prediction: Tensor) -> Tensor:
    return confusion(prediction, reference, classes=classes)


def their_counts(classes: int, reference: Tensor, prediction: Tensor) -> Tensor:
    options = {"multidim_average": "samplewise", "validate_args": False}
    if classes == 1:
        scores = BinaryStatScores(**options).to(reference.device)(prediction, reference)[:, None]
    else:
        metric = MulticlassStatScores(num_classes=classes + 1, average=None, **options)
        scores = metric.to(reference.device)(prediction, reference)[:, 1:]  # without background
    return scores[..., [0, 1, 3, 2]]  # tp, fp, tn, fn, support there


def ours_surface(reference: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    rows = [surface(r, p, tolerance=TOLERANCE) for r, p in zip(reference, prediction, strict=True)]
    return np.array([[row["hd95"]] for row in rows])


def monai_surface(reference: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    from monai.metrics import compute_hausdorff_distance  # noqa: PLC0415 - optional

    a, b = (torch.from_numpy(m[:, None].astype(np.float32)) for m in (prediction, reference))
    return compute_hausdorff_distance(a, b, include_background=True, percentile=95).numpy()


def race(ours: Callable, theirs: Callable, inputs: tuple, rounds: int) -> np.ndarray:
    """By round: ms an image of both, and their time divided by ours."""
    results = [torch.as_tensor(metric(*inputs)).cpu().numpy() for metric in (ours, theirs)]
    np.testing.assert_allclose(np.ravel(results[0]), np.ravel(results[1]), atol=1e-5)
    rows = []
    for _ in range(rounds):
        times = []
        for metric in (ours, theirs):
            started = time.perf_counter()
            metric(*inputs)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times.append(1000 * (time.perf_counter() - started) / N)
        rows.append(times)
    return np.array([[a, b, b / a] for a, b in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="file for the figures")
    args = parser.parse_args()
    torch.set_num_threads(1)
    races = {}
    for device in ["cpu", "cuda"][: 1 + torch.cuda.is_available()]:
        for classes in (1, 19):
            races[f"counts, {classes} class{'es' * (classes > 1)}, {device}, torchmetrics"] = (
                partial(our_counts, classes),
                partial(their_counts, classes),
                indices(classes, device),
            )
    try:
        import monai  # noqa: F401, PLC0415
    except ImportError:
        print("MONAI is not installed: pip install 'seg-med[monai]'")
    else:
        races["HD95, ASSD, NSD, MONAI's HD95 alone"] = (ours_surface, monai_surface, masks())
    ratios = {}
    print(f"{'':42}ms an image: seg    peer   times as fast")
    for name, race_ in races.items():
        by_round = race(*race_, args.rounds)
        ratios[f"{name}: times as fast"] = by_round[:, 2].tolist()
        ours, theirs, ratio = np.median(by_round, axis=0)
        low, high = by_round[:, 2].min(), by_round[:, 2].max()
        print(f"{name:42}{ours:16.3f}{theirs:8.3f}{ratio:8.1f}  ({low:.1f} - {high:.1f})")
    if args.json is not None:
        args.json.write_text(json.dumps({"by_round": ratios}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
