"""`class_weights=auto`: computed from the training masks before the first step."""

import logging
from collections.abc import Sequence

from seg.data.class_frequencies import class_frequencies
from seg.data.datamodule import SegmentationDataModule
from seg.losses.class_weights import ClassWeights, median_frequency
from seg.training.stages import Stage

log = logging.getLogger(__name__)


def fill(stages: Sequence[Stage], data: SegmentationDataModule) -> dict[str, float]:
    """Set the weights of all losses that are to have them computed, and log them.

    Args:
        data: after its setup.
    Returns:
        The weight of each class by its name; nothing where no loss has class_weights=auto.
    """
    wanted = [
        module
        for stage in stages
        for module in stage.loss.modules()
        if isinstance(module, ClassWeights) and module.is_auto
    ]
    if not wanted:
        return {}
    masks = (data.cache.masks[row] for row in data.rows("train"))
    overlap = data.preprocessing.overlap
    values = median_frequency(class_frequencies(masks, len(data.class_names), overlap=overlap))
    names = data.class_names if overlap else ["background", *data.class_names]
    weights = {name: float(f"{v:.6g}") for name, v in zip(names, values, strict=True)}
    for module in wanted:
        module.fill(list(weights.values()))
    shown = ", ".join(f"{name} {weight:.4g}" for name, weight in weights.items())
    log.info("class_weights=auto, from the training masks: %s", shown)
    return weights
