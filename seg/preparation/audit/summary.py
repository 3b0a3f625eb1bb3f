"""The audit of a whole set."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from seg.preparation.audit import figures
from seg.preparation.audit.discovery import class_pixels, discover
from seg.preparation.audit.errors import file_errors, split_errors
from seg.preparation.audit.facts import CaseFacts
from seg.preparation.audit.findings import Context, finding, identity
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
    orphans: Sequence[Path | str] = (),
    unpaired: Sequence[str] = (),
    refused: Sequence[str] = (),
) -> dict:
    """The audit of a whole set as plain lists and dicts, which JSON can hold.

    splits: the label of each case. near: index pairs of images that look alike. image_size: (H, W)
    of training. orphans: masks without an image; unpaired: what pairing the files has refused.
    refused: why there is no split.

    `errors` are what training refuses, `warnings` what deserves a look, both ranked: each a dict of
    kind, text (one line), files (all, relative to `root`), cases (indices), details (messages in
    full). `cases` has a row for every case. `discovered_classes`, where `classes` is None and the
    masks share a few more values than 0 and 1 or 255, could be `dataset.classes`; what the masks
    hold is then summed up by these.
    """
    discovered, rims = discover(facts, ignore_value) if classes is None else (None, None)
    names = list(classes or discovered or ["foreground"])
    pixels = [class_pixels(f, discovered) for f in facts]
    context = Context(
        facts=facts,
        splits=splits,
        near=[(i, j) for i, j in near if identity(facts[i]) != identity(facts[j])],
        pixels=pixels,
        names=names,
        discovered=discovered,
        rims=rims,
        image_size=image_size,
    )
    errors = [*file_errors(context, unpaired), *split_errors(context)]
    errors += [finding("no split", text.splitlines()[0], details=[text]) for text in refused]
    warnings = [*pair_warnings(context, orphans), *mask_warnings(context)]
    warnings += [*image_warnings(context), *set_warnings(context)]
    return {
        "root": context.root,
        "count": len(facts),
        "groups": figures.spread(Counter(f.group for f in facts).values()),
        "splits": figures.split_counts(context),
        "height": figures.spread(f.size[0] for f in facts if f.size),
        "width": figures.spread(f.size[1] for f in facts if f.size),
        "spacing": figures.spacing(facts),
        "kinds": dict(Counter(f.kind for f in facts).most_common()),
        "mask_kinds": dict(Counter(f.mask_kind for f in facts).most_common()),
        "intensity": figures.intensity(facts),
        "values": figures.values(facts),
        "greys": figures.grey_shares(facts),
        "classes": figures.class_counts(context),
        "discovered_classes": discovered,
        "foreground": figures.spread(f.foreground for f in facts if f.foreground),
        "components": figures.spread(f.components for f in facts if f.components),
        "masks": sum(f.foreground is not None for f in facts),
        "empty": sum(f.empty for f in facts),
        "full": sum(f.foreground == 1 for f in facts),
        "lossy": sum(f.lossy for f in facts),
        "duplicates": [[facts[i].case, facts[j].case] for i, j in context.equal],
        "near_duplicates": [[facts[i].case, facts[j].case] for i, j in context.near],
        "errors": errors,
        "warnings": warnings,
        "cases": [
            {
                "case": f.case,
                "group": f.group,
                "split": None if splits is None else splits[i],
                "size": None if f.size is None else list(f.size),
                "foreground": f.foreground,
                "components": f.components,
            }
            for i, f in enumerate(facts)
        ],
    }
