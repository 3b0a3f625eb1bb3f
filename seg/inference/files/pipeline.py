"""Files read ahead of the network and written behind it, in threads, a few in memory at a time."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from seg.data.errors import DataError

T = TypeVar("T")  # what is to be read
R = TypeVar("R")  # what was read of it
A = TypeVar("A")  # what the network says of that
W = TypeVar("W")  # what became of it

ROOM = 512 << 20  # bytes of pictures that are read, predicted or written at a time
THREADS = max(2, min(8, os.cpu_count() or 1))


@dataclass(frozen=True)
class Failed:
    """Why an item could not be predicted, in one line that names it."""

    reason: str


class Pipeline(Generic[T, R, A, W]):
    """Items in, what became of them out, in their order; one that fails is a `Failed` and stops
    nobody.

    size: bytes of an item in memory, before it is read. read, write: run in threads. ask: of what
    several items gave, and how many are at hand; in this thread, so that one network does one
    thing. What is larger than `large` bytes goes alone.

    What `read` and `ask` raise is an item's own fault; what `write` raises is the output's (a full
    disk), and ends it all; but for a DataError.
    """

    def __init__(
        self,
        *,
        size: Callable[[T], int],
        read: Callable[[T], R],
        ask: Callable[[Sequence[R]], Sequence[A]],
        write: Callable[[T, R, A, float], W],
        batch_size: int,
        room: int = ROOM,
    ) -> None:
        self.size, self.read, self.ask, self.write = size, read, ask, write
        self.batch_size, self.room = batch_size, room

    def run(self, items: Iterator[T]) -> Iterator[tuple[T, W | Failed]]:
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="seg.predict")
        try:
            behind: deque[tuple[T, Future | Failed, int]] = deque()
            for batch in self._batches(pool, items):
                behind += self._asked(pool, batch)
                while behind and (
                    _is_over(behind[0][1])
                    or sum(size for _, _, size in behind) > self.room
                    or len(behind) > 4 * self.batch_size
                ):
                    yield _outcome(behind.popleft())
            while behind:
                yield _outcome(behind.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _batches(
        self, pool: ThreadPoolExecutor, items: Iterator[T]
    ) -> Iterator[list[tuple[T, Future, int]]]:
        """Items that are being read, as many at a time as shall be asked for together."""
        ahead: deque[tuple[T, Future, int]] = deque()
        held, over = 0, False
        while True:
            while not over and len(ahead) < 2 * self.batch_size + THREADS:
                if ahead and held > self.room:
                    break
                item = next(items, None)
                if item is None:
                    over = True
                    break
                size = self._size(item)
                held += size
                ahead.append((item, pool.submit(self.read, item), size))
            if not ahead:
                return
            batch = [ahead.popleft()]
            room = self.room // 4  # the network's own share, and its answer's
            while (
                ahead
                and len(batch) < self.batch_size
                and sum(size for _, _, size in batch) + ahead[0][2] <= room
            ):
                batch.append(ahead.popleft())
            yield batch
            held -= sum(size for _, _, size in batch)

    def _size(self, item: T) -> int:
        try:
            return self.size(item)
        except Exception:  # reading it will say what is wrong
            return 0

    def _asked(
        self, pool: ThreadPoolExecutor, batch: Sequence[tuple[T, Future, int]]
    ) -> list[tuple[T, Future | Failed, int]]:
        reads: list[R | Failed] = []
        for item, future, _ in batch:
            try:
                reads.append(future.result())
            except Exception as error:
                reads.append(Failed(said(item, error)))
        items = [item for item, _, _ in batch]
        sound = [n for n, read in enumerate(reads) if not isinstance(read, Failed)]
        started = time.perf_counter()
        answers = self._answers([(items[n], reads[n]) for n in sound])
        seconds = (time.perf_counter() - started) / max(1, len(sound))
        tasks: list[Future | Failed] = [r if isinstance(r, Failed) else Failed("") for r in reads]
        for n, answer in zip(sound, answers, strict=True):
            tasks[n] = (
                answer
                if isinstance(answer, Failed)
                else pool.submit(self.write, items[n], reads[n], answer, seconds)
            )
        return [(*one[:1], task, one[2]) for one, task in zip(batch, tasks, strict=True)]

    def _answers(self, asked: Sequence[tuple[T, R]]) -> list[A | Failed]:
        if not asked:
            return []
        try:
            return list(self.ask([read for _, read in asked]))
        except Exception as error:
            if len(asked) == 1:
                return [Failed(said(asked[0][0], error))]
            return [answer for one in asked for answer in self._answers([one])]


def said(item: object, error: Exception) -> str:
    """One line on what is wrong with an item."""
    if isinstance(error, DataError):
        return str(error)
    text = " ".join(str(error).split())[:200]
    kind = "" if isinstance(error, ValueError | OSError) and text else f"{type(error).__name__}: "
    return f"{item}: {kind}{text}"


def _is_over(task: Future | Failed) -> bool:
    return isinstance(task, Failed) or task.done()


def _outcome(one: tuple[T, "Future | Failed", int]) -> tuple[T, "W | Failed"]:
    item, task, _ = one
    if isinstance(task, Failed):
        return item, task
    try:
        return item, task.result()
    except DataError as error:
        return item, Failed(said(item, error))
