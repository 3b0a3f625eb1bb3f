"""The audit of a whole set: its figures and its findings."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from seg.preparation.audit.facts import KEPT_VALUES, CaseFacts
from seg.preparation.audit.findings import AuditedSet, file_errors, finding, identity, split_errors
from seg.preparation.audit.suggestions import class_pixels, discover_classes, value_of
from seg.preparation.audit.warnings import (
    image_warnings,
    mask_warnings,
    pair_warnings,
    set_warnings,
)


def summarize(
    facts: Sequence[CaseFacts],
    *,
    splits: Sequence[str] | None,
    near: Sequence[tuple[int, int]] = (),
    classes: dict | None = None,
    ignore_value: int | None = None,
    image_size: tuple[int, int] | None = None,
    unpaired: Sequence[str] = (),
    refused: Sequence[str] = (),
    by_file: bool = False,
    class_map: str = "",
) -> dict:
    """The audit of a whole set as plain lists and dicts, for audit.json.

    `errors` are what training refuses, `warnings` what deserves a look, both ranked (see
    `findings.finding`). `discovered_classes`, where `classes` is None and the masks share a few
    more values than 0 and 1 or 255, could be `dataset.classes`; the other figures then use them.

    Args:
        facts: of each case.
        splits: the label of each case, if there is a split.
        near: index pairs of near-duplicate images.
        classes: as in the data set's keys.
        ignore_value: likewise.
        image_size: (H, W) of training.
        unpaired: messages on files that could not be paired.
        refused: why there is no split.
        by_file: whether the split takes each file for a group of its own, whatever the data say.
        class_map: one line for all masks with values of no class.
    """
    discovered, rims = None, None
    if classes is None:
        discovered, rims = discover_classes(facts, ignore_value)
    data = AuditedSet(
        facts=facts,
        splits=splits,
        near=[(i, j) for i, j in near if identity(facts[i]) != identity(facts[j])],
        pixels=[class_pixels(f, discovered) for f in facts],
        names=list(classes or discovered or ["foreground"]),
        discovered=discovered,
        rims=rims,
        image_size=image_size,
        by_file=by_file,
        class_map="" if discovered or rims else class_map,
    )
    errors = [*file_errors(data, unpaired), *split_errors(data)]
    errors += [finding("no split", text.splitlines()[0], details=[text]) for text in refused]
    warnings = [*pair_warnings(data), *mask_warnings(data)]
    warnings += [*image_warnings(data), *set_warnings(data)]
    return {
        "root": data.root,
        "count": len(facts),
        "groups": _spread(Counter(f.group for f in facts).values()),
        "splits": _split_counts(data),
        "height": _spread(f.size[0] for f in facts if f.size),
        "width": _spread(f.size[1] for f in facts if f.size),
        "spacing": _spacing(facts),
        "kinds": dict(Counter(f.kind for f in facts).most_common()),
        "mask_kinds": dict(Counter(f.mask_kind for f in facts).most_common()),
        "intensity": _intensity(facts),
        "values": _values(facts),
        "greys": _grey_shares(facts),
        "classes": _class_counts(data),
        "discovered_classes": discovered,
        "foreground": _spread(f.foreground for f in facts if f.foreground),
        "components": _spread(f.components for f in facts if f.components),
        "masks": sum(f.foreground is not None for f in facts),
        "empty": sum(f.empty for f in facts),
        "full": sum(f.foreground == 1 for f in facts),
        "lossy": sum(f.lossy for f in facts),
        "duplicates": [[facts[i].case, facts[j].case] for i, j in data.equal],
        "near_duplicates": [[facts[i].case, facts[j].case] for i, j in data.near],
        "errors": errors,
        "warnings": warnings,
        "cases": [
            {
                "case": f.case,
                "group": f.group,
                "split": splits and splits[i],
                "size": f.size and list(f.size),
                "foreground": f.foreground,
                "components": f.components,
            }
            for i, f in enumerate(facts)
        ],
    }


def _spread(numbers: Iterable[float]) -> dict | None:
    numbers = np.array(list(numbers), dtype=float)
    if not len(numbers):
        return None
    statistics = {"min": numbers.min(), "median": np.median(numbers), "max": numbers.max()}
    return {"count": len(numbers)} | {key: float(value) for key, value in statistics.items()}


def _split_counts(data: AuditedSet) -> dict | None:
    if data.splits is None:
        return None
    facts_of: dict[str, list[CaseFacts]] = {"train": [], "val": [], "test": []}
    for f, split in zip(data.facts, data.splits, strict=True):
        facts_of.setdefault(split, []).append(f)
    return {
        split: {
            "cases": len(facts),
            "groups": len({f.group for f in facts}),
            "empty": sum(f.empty for f in facts),
        }
        for split, facts in facts_of.items()
        if facts
    }


def _spacing(facts: Sequence[CaseFacts]) -> list[dict] | None:
    spacings = [tuple(f.spacing) for f in facts if f.spacing]
    return [_spread(axis) for axis in zip(*spacings, strict=False)] if spacings else None


def _intensity(facts: Sequence[CaseFacts]) -> dict | None:
    """Over the images, the mean and 5th and 95th percentile of each channel's histogram."""
    histograms = [f.histogram for f in facts if f.histogram is not None]
    if not histograms:
        return None
    stack = np.stack(histograms)  # (N, C, 64)
    low, high = np.percentile(stack, (5, 95), axis=0)
    return {
        "mean": stack.mean(axis=0).tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
        "means": _spread(f.mean for f in facts if f.mean is not None),
    }


def _values(facts: Sequence[CaseFacts]) -> dict:
    """Raw values of the lossless masks: share of the pixels, and number of masks."""
    pixels: Counter[str] = Counter()
    masks: Counter[str] = Counter()
    for f in facts:
        pixels.update(f.values)
        masks.update(f.values.keys())
    total = sum(pixels.values())
    kept = sorted(pixels, key=lambda key: (-pixels[key], key))[:KEPT_VALUES]
    kept.sort(key=value_of)
    return {key: {"share": pixels[key] / total, "masks": masks[key]} for key in kept}


def _grey_shares(facts: Sequence[CaseFacts]) -> dict | None:
    """Shares of black, grey and white pixels in the lossy masks."""
    greys = np.array([f.greys for f in facts if f.greys], dtype=np.int64)
    if not len(greys):
        return None
    return dict(zip(("black", "grey", "white"), (greys.sum(0) / greys.sum()).tolist(), strict=True))


def _class_counts(data: AuditedSet) -> dict:
    """Background and each class: number of pixels, and of masks."""
    masks = [p for p in data.pixels if p is not None]
    return {
        name: {"pixels": sum(p[k] for p in masks), "masks": sum(p[k] > 0 for p in masks)}
        for k, name in enumerate(["background", *data.names])
    }
