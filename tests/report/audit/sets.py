"""Facts of sets that are not on disk, and their audit."""

from pathlib import Path

import numpy as np

from seg.data.pairs import MaskFile, Pair
from seg.preparation.audit import CaseFacts, summarize

HISTOGRAM = np.full((3, 64), 1 / 64, np.float32)


def facts_of(count: int = 12, **changes: object) -> list[CaseFacts]:
    """Cases of growing foreground, 1 % to `count` %, two to a group."""
    facts = []
    for i in range(count):
        inside = 100 * (i + 1)
        fields = {
            "pair": Pair(
                f"images/c{i}.png",
                (Path(f"/data/images/c{i}.png"),),
                (MaskFile(Path(f"/data/masks/c{i}.png")),),
                f"g{i // 2}",
            ),
            "size": (100, 100 + i),
            "kind": "PNG 8-bit RGB",
            "mask_kind": "PNG 8-bit grey",
            "image_sha256": str(i),
            "mask_sha256": str(i),
            "histogram": HISTOGRAM,
            "mean": 90.0 + i,
            "deviation": 40.0,
            "values": {"0": 10000 - inside, "255": inside},
            "class_pixels": [10000 - inside, inside],
            "foreground": inside / 10000,
            "frame": 0.0,
            "components": 1 + i % 2,
        }
        facts.append(CaseFacts(**fields | changes))
    return facts


def emptied(facts: list[CaseFacts], *indices: int) -> list[CaseFacts]:
    for i in indices:
        facts[i].foreground, facts[i].class_pixels, facts[i].components = 0.0, [10000, 0], 0
    return facts


def audited(facts: list[CaseFacts], **options: object) -> dict:
    return summarize(facts, **{"splits": None, "classes": {"organ": 255}} | options)
