"""Work done in threads before its results are needed, in order, within a limit of memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from seg.data.cores import usable_cores
from seg.inference.threads import share_cores

T, R = TypeVar("T"), TypeVar("R")

BUDGET = 512 << 20  # bytes of items that are worked on at a time
THREADS = max(2, min(8, usable_cores()))


@dataclass(frozen=True)
class Pending(Generic[T, R]):
    """An item that is being worked on, and the bytes that it takes meanwhile."""

    item: T
    future: Future[R]
    size: int


class Lookahead(Generic[T, R]):
    """Calls a function of items in threads, before the results are needed; keeps their order.

    Args:
        items: each is fetched in the thread of the caller, when its turn comes.
        count: items that are begun and not taken yet, at most.
        size: bytes that an item takes.
        budget: bytes; no item is begun while those that are begun take more.
    """

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        function: Callable[[T], R],
        items: Iterable[T],
        *,
        count: int,
        size: Callable[[T], int] = lambda _: 0,
        budget: int = BUDGET,
    ) -> None:
        self.pool, self.function, self.items = pool, function, iter(items)
        self.count, self.size, self.budget = count, size, budget
        self.begun: deque[Pending[T, R]] = deque()

    def take(self, count: int = 1, budget: int = 0) -> list[Pending[T, R]]:
        """The next item, and more up to `count` as long as all fit in `budget`; [] at the end."""
        self._begin()
        taken: list[Pending[T, R]] = []
        while self.begun and len(taken) < count:
            if taken and bytes_of_all(taken) + self.begun[0].size > budget:
                break
            taken.append(self.begun.popleft())
        return taken

    def _begin(self) -> None:
        while len(self.begun) < self.count:
            if self.begun and bytes_of_all(self.begun) > self.budget:
                return
            item = next(self.items, None)
            if item is None:
                return
            size = self.size(item)
            self.begun.append(Pending(item, self.pool.submit(self.function, item), size))


def map_ahead(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    count: int,
    size: Callable[[T], int] = lambda _: 0,
) -> Iterator[R]:
    """`function` of each item, in order, by threads that are at most `count` items ahead.

    Args:
        function: may predict an image, which shares the cores with those of other threads then.
        items: as for `Lookahead`.
        count: as for `Lookahead`.
        size: bytes of an item; those that are begun take `BUDGET` at most, unless it is one alone.

    Raises:
        Exception: what `function` raised, when the turn of its item comes.
    """
    pool = ThreadPoolExecutor(max(1, min(count, THREADS)), initializer=share_cores)
    try:
        ahead = Lookahead(pool, function, items, count=count, size=size)
        while taken := ahead.take():
            yield taken[0].future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def bytes_of_all(pending: Iterable[Pending]) -> int:
    """What these items take."""
    return sum(one.size for one in pending)
