"""What the results of an evaluation were made of: to tell whether they are there already, and
whether the network was trained on some of the cases.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seg.data import Progress, no_progress
from seg.data.cache import case_digests, file_digests
from seg.evaluation.cases import Case
from seg.runs.folder import RunFolder

TRAINING = ("train", "val")  # the splits whose cases made the weights, or chose them


def describe_inputs(
    run: RunFolder,
    checkpoint: Path,
    cases: Sequence[Case],
    settings: Mapping[str, Any],
    *,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Entries for the JSON of an evaluation.

    Args:
        run: whose training the cases are compared with, by the contents of the images.
        checkpoint: the file of the weights.
        cases: that are scored.
        settings: all else that the figures follow from, as JSON has it.
        progress: shows how many files are read.
    Returns:
        `inputs`: a digest of all of them. `seen`: how many of the cases were in the run's training,
        by split; None where the run has no split.csv.
    """
    images, masks = case_digests([case.pair for case in cases], progress=progress)
    weights = file_digests([checkpoint], progress=no_progress, label="")[checkpoint]
    names = [[case.pair.case, case.group] for case in cases]
    content = json.dumps([weights, names, images, masks, settings], sort_keys=True)
    seen = None
    if run.split is not None:
        rows = {_key(row["image"], row["image_sha256"]): row["split"] for row in run.split.rows}
        keys = [_key(case.pair.case, image) for case, image in zip(cases, images, strict=True)]
        counts = Counter(rows.get(key) for key in keys)
        seen = {split: counts[split] for split in TRAINING if counts[split]}
    return {"inputs": hashlib.sha256(content.encode()).hexdigest(), "seen": seen}


def _key(case: str, image: str | None) -> tuple[str | None, str]:
    """An image by its content; of a volume, whose slices share their file, with the slice."""
    return image, case.partition("#")[2]
