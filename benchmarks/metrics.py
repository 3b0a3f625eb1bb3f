"""Time of the per-case metrics beside torchmetrics and MONAI. python benchmarks/metrics.py

Masks of 16 images, 256x256, discs and displaced discs: per-image Dice (torchmetrics'
BinaryF1Score, samplewise), and HD95 and NSD (MONAI's, if it is installed). Both take turns on a
possibly busy machine: compare the ratios. Their figures are checked to be equal first.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torchmetrics.classification import BinaryF1Score

from seg.metrics.cases import confusion
from seg.metrics.overlap import dice
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


def ours_dice(reference: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    counts = confusion(torch.from_numpy(prediction).long(), torch.from_numpy(reference).long(),
                       classes=1)  # fmt: skip
    return dice(*counts[:, 0].numpy().T)


def their_dice(reference: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    metric = BinaryF1Score(multidim_average="samplewise", zero_division=1.0, validate_args=False)
    return metric(torch.from_numpy(prediction).int(), torch.from_numpy(reference).int()).numpy()


def ours_surface(reference: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    rows = [surface(r, p, tolerance=TOLERANCE) for r, p in zip(reference, prediction, strict=True)]
    return np.array([[row["hd95"]] for row in rows])


def monai_surface(reference: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    from monai.metrics import compute_hausdorff_distance  # noqa: PLC0415 - optional

    a, b = (torch.from_numpy(m[:, None].astype(np.float32)) for m in (prediction, reference))
    return compute_hausdorff_distance(a, b, include_background=True, percentile=95).numpy()


def race(name: str, ours: Callable, theirs: Callable, rounds: int) -> None:
    reference, prediction = masks()
    np.testing.assert_allclose(
        np.ravel(ours(reference, prediction)), np.ravel(theirs(reference, prediction)), atol=1e-5
    )
    rows = []
    for _ in range(rounds):
        times = []
        for metric in (ours, theirs):
            started = time.perf_counter()
            metric(reference, prediction)
            times.append(1000 * (time.perf_counter() - started) / N)
        rows.append(times)
    ratios = [b / a for a, b in rows]
    a, b = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"{name}: {a:.2f} ms an image, theirs {b:.2f}: {statistics.median(ratios):.2f} times "
          f"as fast ({min(ratios):.2f} - {max(ratios):.2f})")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    race("Dice, beside torchmetrics", ours_dice, their_dice, rounds)
    try:
        import monai  # noqa: F401, PLC0415
    except ImportError:
        print("MONAI is not installed: pip install 'seg-med[monai]'")
    else:
        race("HD95, ASSD and NSD, beside MONAI's HD95 alone", ours_surface, monai_surface, rounds)


if __name__ == "__main__":
    main()
