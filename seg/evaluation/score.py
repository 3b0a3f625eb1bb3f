"""A case to its numbers; every figure is derived from their table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg.metrics import calibration
from seg.metrics.lesions import lesions
from seg.metrics.surface import missed, surface
from seg.metrics.threshold_curves import level_counts

IGNORE = 255
SURFACE = ("hd95", "assd", "nsd")


@dataclass(frozen=True)
class Table:
    """M cases and C foreground classes. Of one case, M is 1.

    counts: (M, C, 4) tp, fp, fn, tn. surface: (M, C, 3) hd95, assd, nsd. lesions: (M, C, 3) tp, fp,
    fn. brier: (M, C). bins: (M, C, 3, B). levels: (M, C, 2, L). confusion: (C + 1, C + 2) pixels of
    all by true class and predicted one, background first; the last column: predictions that failed.
    """

    cases: list[str]
    groups: list[str]
    failed: NDArray[np.bool_]
    counts: NDArray[np.int64]
    surface: NDArray[np.float64]
    lesions: NDArray[np.int64]
    brier: NDArray[np.float64]
    bins: NDArray[np.float64]
    levels: NDArray[np.int64]
    confusion: NDArray[np.int64]


def score(
    probs: NDArray,
    mask: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    *,
    case: str,
    group: str,
    spacing: tuple[float, float] = (1.0, 1.0),
    tolerance: float = 2.0,
) -> Table:
    """The row of one case.

    probs: (K, H, W), K 1 for one class, else background and classes. mask: (H, W) class indices
    that were decided on. reference: (H, W) indices, 255 void, which counts nowhere. A prediction
    with a NaN is a failure: everything in it is taken for wrong, whatever `mask` says.
    """
    outputs, valid = len(probs), reference != IGNORE
    classes = max(1, outputs - 1)
    lost = calibration.failed(probs)
    rows: list[tuple] = []
    for index in range(1, classes + 1):
        true = (reference == index) & valid
        called = ~true & valid if lost else (mask == index) & valid
        p = calibration.worst(true) if lost else probs[0 if outputs == 1 else index]
        tp, fp, fn = ((called & true).sum(), (called & ~true).sum(), (~called & true).sum())
        tn = valid.sum() - tp - fp - fn
        if lost:
            outlines = missed(true.shape, spacing=spacing)
        else:
            outlines = surface(true, called, spacing=spacing, tolerance=tolerance)
        rows.append(
            (
                [tp, fp, fn, tn],
                [outlines[name] for name in SURFACE],
                lesions(true, called),
                calibration.brier(p, true, valid=valid) if valid.any() else 0.0,
                calibration.bins(p, true, valid=valid),
                level_counts(p, true, valid=valid),
            )
        )
    pairs = reference[valid].astype(np.int64) * (classes + 2)
    pairs += classes + 1 if lost else mask[valid]
    confusion = np.bincount(pairs, minlength=(classes + 1) * (classes + 2))
    columns = [np.stack([np.asarray(row[i]) for row in rows])[None] for i in range(len(rows[0]))]
    return Table(
        [case], [group], np.array([lost]), *columns,
        confusion.reshape(classes + 1, classes + 2),
    )  # fmt: skip


def stack(rows: Iterable[Table]) -> Table:
    """One table of all rows."""
    listed: Sequence[Table] = list(rows)
    arrays = {
        name: np.concatenate([getattr(row, name) for row in listed])
        for name in ("failed", "counts", "surface", "lesions", "brier", "bins", "levels")
    }
    return Table(
        cases=[case for row in listed for case in row.cases],
        groups=[group for row in listed for group in row.groups],
        confusion=sum(row.confusion for row in listed),
        **arrays,
    )
