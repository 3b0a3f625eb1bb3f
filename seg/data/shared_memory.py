"""Shared memory (/dev/shm), through which loader processes hand over their batches.

A container often has 64 MB of it. Where it is full, torch's processes lose a batch and the training
waits for it for ever, or the system kills them with a bus error.
"""

import logging
import os
import shutil
import sys
from pathlib import Path

import torch
from torch.utils.data import get_worker_info

log = logging.getLogger(__name__)

FOLDER = Path("/dev/shm")
AHEAD = 2  # batches that each process prepares, torch's default
IN_USE = 3  # batches that the training works on, has fetched ahead, and has not yet given back


def free_bytes() -> int | None:
    """Free shared memory; None where the system sets no limit of its own."""
    if sys.platform != "linux":
        return None
    return shutil.disk_usage(FOLDER).free if os.access(FOLDER, os.W_OK) else 0


def workers_that_fit(workers: int, *, batch_bytes: int, ranks: int = 1) -> int:
    """How many loader processes there is shared memory for; fewer than asked for are logged.

    Args:
        workers: dataset.num_workers, of each rank.
        batch_bytes: of one batch.
        ranks: trainings on this machine that share the memory.
    Returns:
        `workers` or fewer; 0: the training reads the data itself.
    """
    free = free_bytes()
    if workers == 0 or free is None:
        return workers
    fitting = (free // (batch_bytes * ranks) - IN_USE) // AHEAD
    if fitting >= workers:
        return workers
    needed = ranks * batch_bytes * (workers * AHEAD + IN_USE)
    log.warning(
        "dataset.num_workers=%d needs %s of shared memory, and %s has %s free: %d are used; "
        "a container gets more by docker run --shm-size=%dg",
        workers, _mb(needed), FOLDER, _mb(free), max(0, fitting), -(-2 * needed // 2**30),
    )  # fmt: skip
    return max(0, fitting)


def share(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """In a loader process, move a batch to shared memory; elsewhere leave it as it is.

    torch would do so in a thread, whose failure nobody hears of: the training would wait for ever.
    """
    if get_worker_info() is not None:
        for tensor in batch.values():
            tensor.share_memory_()
    return batch


def _mb(count: int) -> str:
    return f"{count / 2**20:.3g} MB"
