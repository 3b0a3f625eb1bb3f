"""CPU threads of a training that shares the cores with other processes.

Threads that wait for one another at the end of every operation need their cores at the same time.
Two trainings with two threads each on two cores reached a sixth of the images per second of two
with one thread each (`python benchmarks/side_by_side.py`).
"""

import logging
import os
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from seg.data.cores import usable_cores

log = logging.getLogger(__name__)

SECONDS = 5.0  # between two looks at the machine
STATISTICS = Path("/proc/stat")


def threads_for(others: float, *, now: int, cores: int) -> int:
    """How many threads to use.

    Args:
        others: cores that other processes have used lately, such as 0.9.
        now: threads at present; it takes less to keep them than to have one more.
        cores: that this process may use.
    """
    free = cores - others
    fewer, more = int(free + 0.7), int(free + 0.2)
    return max(1, min(cores, max(more, min(now, fewer))))


def sharing(accelerator: str, *, fixed: bool) -> list[pl.Callback]:
    """`SharedCores`, where a training computes on several cores and nobody has fixed its threads.

    Args:
        accelerator: in Lightning's words.
        fixed: whether the number must stay, as for figures that are equal in every digit.
    """
    fixed = fixed or "OMP_NUM_THREADS" in os.environ
    if fixed or accelerator != "cpu" or not STATISTICS.is_file() or usable_cores() == 1:
        return []
    return [SharedCores()]


class SharedCores(pl.Callback):
    """Gives up threads while other processes use the cores, and takes them back afterwards.

    The number of threads changes the figures from the fifth digit on, since sums are rounded in
    another order. `OMP_NUM_THREADS` and `trainer.deterministic=true` keep it as it is.
    """

    def __init__(self) -> None:
        self.cores = min(usable_cores(), torch.get_num_threads())
        self.wanted = self.cores  # at the last look
        self.before: tuple[float, float, float] | None = None

    def on_train_batch_end(self, *args: Any) -> None:
        """Look at the machine, where the last look is some seconds ago."""
        now = time.monotonic()
        if self.before is not None and now - self.before[0] < SECONDS:
            return
        seconds, busy, own = now, _busy_seconds(), time.process_time()
        if self.before is not None:
            passed, all_busy, own_busy = (
                b - a for a, b in zip(self.before, (seconds, busy, own), strict=True)
            )
            self._adapt((all_busy - own_busy) / passed)
        self.before = seconds, busy, own

    def _adapt(self, others: float) -> None:
        now = torch.get_num_threads()
        last, wanted = self.wanted, threads_for(others, now=now, cores=self.cores)
        self.wanted = wanted
        if wanted != now and wanted == last:  # twice in a row: not for a moment's work
            torch.set_num_threads(wanted)
            log.info(
                "%d thread(s) instead of %d: other processes use %.1f of %d cores "
                "(OMP_NUM_THREADS=%d keeps %d)",
                wanted, now, max(others, 0.0), self.cores, now, now,
            )  # fmt: skip


def _busy_seconds() -> float:
    """Processor time of all processes on the cores that this one may use, since the start."""
    mine = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    ticks = 0
    for line in STATISTICS.read_text().splitlines():
        name, *values = line.split()
        if name in mine:  # user, nice, system, idle, waiting, interrupts, the host's other guests
            used = [int(value) for value in values[:8]]
            ticks += sum(used) - used[3] - used[4]
    return ticks / os.sysconf("SC_CLK_TCK")
