"""One job a GPU: which of several GPUs the jobs of a sweep that run side by side may use."""

import logging
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from seg.runs import lock

log = logging.getLogger(__name__)


def visible() -> list[str]:
    """The GPUs that this process may see, by what CUDA_VISIBLE_DEVICES calls them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name for name in given.split(",") if name.strip() not in ("", "-1")]
    return [str(i) for i in range(torch.cuda.device_count())]  # asks the driver, makes no context


def take(folder: Path, names: Sequence[str], *, poll: float = 1.0) -> Any:
    """Wait for a GPU that no other job of the sweep uses, and let this process see that one alone.

    folder: the sweep's. Returns the lock, which is held as long as the process lives; None where
    there is nothing to choose. Engines that give each job its own GPU leave one to see.
    """
    if len(names) < 2:
        return None
    while True:
        for name in names:
            place = folder / ".gpus" / f"{platform.node()}-{name}"
            place.mkdir(parents=True, exist_ok=True)
            held = lock.acquire(place)
            if held is not None:
                os.environ["CUDA_VISIBLE_DEVICES"] = name
                log.info("on GPU %s", name)
                return held
        time.sleep(poll)
