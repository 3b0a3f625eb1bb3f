"""Which mirror images and turns a training shows, and whether they exchange two of its classes."""

import logging
from dataclasses import asdict
from typing import Any

from seg.data.datamodule import SegmentationDataModule
from seg.data.mirrored_classes import SAMPLE, find_partners
from seg.data.planes import planes_first
from seg.data.symmetries import symmetries_of

log = logging.getLogger(__name__)

FIX = "train with augmentation=rotate_zoom (or none), which has no mirror images"


def record(data: SegmentationDataModule) -> dict[str, Any]:
    """What checkpoints say of a training's symmetries; test-time augmentation goes by it.

    Args:
        data: after its setup.
    Returns:
        Plain containers. `trained`: names of `data.symmetries.VIEWS` that the augmentation makes;
        `mirrored`: the fields of each of the classes' `Partners`.
    Raises:
        ValueError: by names and by masks two classes are each other's mirror image, and the
            augmentation has mirror images: no network could tell them apart.
    """
    trained = symmetries_of(
        data.augmentation,
        size=data.preprocessing.network_size,
        channels=data.preprocessing.channels,
        dtype=data.cache.images.dtype.type,
    )
    rows = data.rows("train")
    rows = rows[:: max(1, len(rows) // SAMPLE)]
    masks = (planes_first(data.cache.masks[row]) for row in rows)
    partners = find_partners(data.class_names, masks)
    for pair in partners:
        if exchanging := pair.exchanged_by(trained):
            text = f"dataset.classes: {pair}, and the augmentation has {', '.join(exchanging)}"
            if pair.by == "names and masks":
                raise ValueError(f"{text}: no network can tell them apart; {FIX}")
            log.warning("%s: the network cannot tell them apart by their place; %s", text, FIX)
    return {"trained": trained, "mirrored": [asdict(pair) for pair in partners]}
