"""Threads that work through files, each by itself."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from threadpoolctl import threadpool_limits

THREADS = 4
AHEAD = 32  # calls of each thread that wait

Item = TypeVar("Item")
Result = TypeVar("Result")

# For matrix products of a few hundred rows: dividing each one among the cores gains nothing, and
# the threads of the BLAS library use a core each while they wait for one another.
undivided_products = threadpool_limits.wrap(limits=1, user_api="blas")


@contextmanager
def file_threads(count: int = THREADS) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads whose matrix products are not divided among further threads."""
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(count) as pool:
        yield pool


def mapped(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int = THREADS
) -> Iterator[Result]:
    """The results of a function in such threads, in the order of the items.

    `Executor.map` makes an object for every item before the first call: hundreds of MB where there
    are a hundred thousand files. Here few are waiting at any time.
    """
    waiting: deque[Future[Result]] = deque()
    with file_threads(threads) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > AHEAD * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
