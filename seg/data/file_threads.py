"""Threads that work through files, each by itself."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

THREADS = 4

# For matrix products of a few hundred rows: dividing each one among the cores gains nothing, and
# the threads of the BLAS library use a core each while they wait for one another.
undivided_products = threadpool_limits.wrap(limits=1, user_api="blas")


@contextmanager
def file_threads() -> Iterator[ThreadPoolExecutor]:
    """A pool of threads whose matrix products are not divided among further threads."""
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(THREADS) as pool:
        yield pool
