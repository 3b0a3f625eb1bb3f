"""Figures of a whole set, from the facts of its cases."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from seg.preparation.audit.discovery import code
from seg.preparation.audit.facts import CaseFacts
from seg.preparation.audit.findings import Context
from seg.preparation.audit.measures import KEPT_VALUES


def spread(numbers: Iterable[float]) -> dict | None:
    ordered = np.sort(np.array(list(numbers), dtype=float))
    if not len(ordered):
        return None
    return {
        "count": len(ordered),
        "min": float(ordered[0]),
        "median": float(np.median(ordered)),
        "max": float(ordered[-1]),
    }


def split_counts(c: Context) -> dict | None:
    if c.splits is None:
        return None
    return {
        split: {
            "cases": len(held),
            "groups": len({f.group for f in held}),
            "empty": sum(f.empty for f in held),
        }
        for split in dict.fromkeys(["train", "val", "test", *c.splits])
        if (held := [f for f, s in zip(c.facts, c.splits, strict=True) if s == split])
    }


def spacing(facts: Sequence[CaseFacts]) -> list[dict] | None:
    spacings = [tuple(f.spacing) for f in facts if f.spacing]
    return [spread(axis) for axis in zip(*spacings, strict=False)] if spacings else None


def intensity(facts: Sequence[CaseFacts]) -> dict | None:
    """Over the images, the mean and 5th and 95th percentile of each channel's histogram."""
    held = [f.histogram for f in facts if f.histogram is not None]
    if not held:
        return None
    stack = np.stack(held)  # (N, C, 64)
    low, high = np.percentile(stack, (5, 95), axis=0)
    return {
        "mean": stack.mean(axis=0).tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
        "means": spread(f.mean for f in facts if f.mean is not None),
    }


def values(facts: Sequence[CaseFacts]) -> dict:
    """Raw values of the lossless masks: share of the pixels, and in how many masks."""
    pixels: Counter[str] = Counter()
    masks: Counter[str] = Counter()
    for f in facts:
        pixels.update(f.values)
        masks.update(f.values.keys())
    total = sum(pixels.values())
    kept = sorted(pixels, key=lambda key: (-pixels[key], key))[:KEPT_VALUES]
    kept.sort(key=code)
    return {key: {"share": pixels[key] / total, "masks": masks[key]} for key in kept}


def grey_shares(facts: Sequence[CaseFacts]) -> dict | None:
    """Of the lossy masks: the pixels below 32, from there to 223, and above."""
    greys = np.array([f.greys for f in facts if f.greys], dtype=np.int64)
    if not len(greys):
        return None
    return dict(zip(("black", "grey", "white"), (greys.sum(0) / greys.sum()).tolist(), strict=True))


def class_counts(c: Context) -> dict:
    """Background and each class: pixels, and in how many masks."""
    held = [p for p in c.pixels if p is not None]
    return {
        name: {"pixels": sum(p[k] for p in held), "masks": sum(p[k] > 0 for p in held)}
        for k, name in enumerate(["background", *c.names])
    }
