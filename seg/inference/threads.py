"""How the cores of a CPU are divided among the images that a network gets.

Threads that share the work of one operation wait for one another at its end, and all of them for
the one whose core something else has taken: reading and writing files, another program. A thread
with an image of its own waits for nobody, so that is how several images are predicted
(`python benchmarks/predict.py`). A single one gets all threads.
"""

import functools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from seg.data.cores import usable_cores

T, R = TypeVar("T"), TypeVar("R")

# Whoever has all threads, or a GPU, has it alone: batches of several callers would divide its
# memory among them. What a caller does before and after (resizing) overlaps with other's turns.
NETWORK = threading.Lock()
AT_ONCE = 8  # images that are computed at the same time, at most: each takes memory

_THREAD = threading.local()
_START = threading.Lock()


def share_cores() -> None:
    """Say that the calling thread predicts beside others, which predict other images."""
    _THREAD.shares = True


def divided(count: int) -> bool:
    """Whether the calling thread should give `count` images to `each`."""
    return count > 1 or getattr(_THREAD, "shares", False)


def each(function: Callable[[T], R], images: Sequence[T]) -> list[R]:
    """`function` of each image, several at a time, each with its share of torch's threads.

    All callers share the same few threads. What comes out for an image does not depend on the
    others, nor on their number.
    """
    import torch  # noqa: PLC0415 - exported files are loaded without it

    with _START:  # the first call changes the number of threads for a moment
        pool = _pool(torch.get_num_threads())
    return list(pool.map(function, images))


def threads() -> int:
    """Threads for the computations of the calling thread: its share within `each`, else as many as
    torch takes: OMP_NUM_THREADS, or the cores that this process may use.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    every = int(wanted) if wanted.isdigit() and int(wanted) > 0 else usable_cores()
    return getattr(_THREAD, "threads", every)


@functools.cache
def _pool(number: int) -> ThreadPoolExecutor:
    """Threads that have `number` of torch's threads among them."""
    import torch  # noqa: PLC0415

    cores = min(number, usable_cores())
    workers = min(cores, AT_ONCE)
    ready = threading.Barrier(workers)

    def begin() -> None:
        _THREAD.threads = cores // workers
        torch.get_num_threads()  # at its first call a thread takes over the number of the process
        torch.set_num_threads(_THREAD.threads)
        ready.wait()

    pool = ThreadPoolExecutor(workers, "seg.network", initializer=begin)
    list(pool.map(lambda _: None, range(workers)))  # none is done before all have begun
    torch.set_num_threads(number)  # of the process, and of threads that are yet to come
    return pool


if hasattr(os, "register_at_fork"):  # a forked process has none of the threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
