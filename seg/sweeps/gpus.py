"""One GPU per job: jobs of a sweep that run side by side on a machine take different GPUs."""

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


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, by their names in CUDA_VISIBLE_DEVICES."""
    stated = os.environ.get("CUDA_VISIBLE_DEVICES")
    if stated is not None:
        return [name for name in stated.split(",") if name.strip() not in ("", "-1")]
    return [str(i) for i in range(torch.cuda.device_count())]  # this creates no CUDA context


def take_gpu(sweep: Path, names: Sequence[str], *, poll: float = 1.0) -> Any:
    """Wait for a GPU that no other job of the sweep uses, and hide the others from this process.

    Launchers that give each job a GPU of its own leave only one visible: nothing is done then.

    Args:
        sweep: the sweep's folder, where the locks lie.
        names: from `visible_gpus`.
        poll: seconds between two tries.

    Returns:
        The lock on the GPU, to be kept while it is used; None where there is nothing to choose.
    """
    if len(names) < 2:
        return None
    while True:
        for name in names:
            folder = sweep / ".gpus" / f"{platform.node()}-{name}"
            folder.mkdir(parents=True, exist_ok=True)
            gpu_lock = lock.acquire(folder)
            if gpu_lock is not None:
                os.environ["CUDA_VISIBLE_DEVICES"] = name
                log.info("on GPU %s", name)
                return gpu_lock
        time.sleep(poll)
