"""Sets of images and masks as small as a fault needs, and their audit."""

from pathlib import Path

import numpy as np
from PIL import Image

from seg.data.pairs import Pair
from seg.data.preprocess import Preprocessing
from seg.data.sources.folder import Folder
from seg.preparation.audit import CaseFacts, scan, summarize


def scanned(
    pairs: list[Pair],
    *,
    classes: dict | None = None,
    ignore_value: int | None = None,
    **options: object,
) -> list[CaseFacts]:
    pre = Preprocessing(size=(64, 64), channels=3, classes=classes, ignore_value=ignore_value)
    return scan(pairs, pre, **options)


def audited(pairs: list[Pair], *, classes: dict | None = None, **options: object) -> dict:
    return summarize(scanned(pairs, classes=classes), splits=None, classes=classes, **options)


def write_set(root: Path, masks: list[np.ndarray], *, suffix: str = ".png") -> list[Pair]:
    """A set of these masks beside images of noise, no two alike."""
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True, exist_ok=True)
    for i, mask in enumerate(masks):
        image = rng.integers(40, 200, (*mask.shape[:2], 3), dtype=np.uint8)
        Image.fromarray(image).save(root / "images" / f"c{i}.png")
        Image.fromarray(mask).save(root / "masks" / f"c{i}{suffix}")
    return Folder(root=str(root)).pairs()


def square(size: int = 40, *, value: int = 255, at: int = 10, side: int = 12) -> np.ndarray:
    mask = np.zeros((size, size), np.uint8)
    mask[at : at + side, at : at + side] = value
    return mask


def by_kind(result: dict, key: str) -> dict[str, dict]:
    return {finding["kind"]: finding for finding in result[key]}
