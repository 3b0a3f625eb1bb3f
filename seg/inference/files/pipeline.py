"""Read, predict and write at the same time: read-ahead and write-behind in threads."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from numpy.typing import NDArray

from seg.data.cores import usable_cores
from seg.data.errors import DataError
from seg.inference.files.lookahead import BUDGET, THREADS, Lookahead, Pending, bytes_of_all
from seg.inference.files.reading import Picture, Read
from seg.inference.segmentation import Segmentation
from seg.inference.threads import AT_ONCE, share_cores

Prediction = NDArray | Segmentation  # the probabilities, or a large picture's segmentation
Record = dict[str, Any]  # what the journal holds of a file

# Batches on their way through the network. A GPU takes one at a time, while threads resize the
# images of the next and the probabilities of the last; a CPU has an image for each of its cores.
BATCHES = max(2, min(AT_ONCE, usable_cores()))


@dataclass(frozen=True)
class Failed:
    """Why a picture could not be predicted, in one line that names it."""

    reason: str


@dataclass(frozen=True)
class Batch:
    """Pictures that were predicted together, and when that began and ended."""

    pictures: list[tuple[Pending[Picture, Any], Read | Failed, Prediction | Failed]]
    started: float
    ended: float


class Pipeline:
    """Reads, predicts and writes pictures, several at the same time; yields results in order.

    All of it happens in threads. `predict` is called for several batches at a time, and itself
    lets one at a time onto a GPU, or shares out the cores (`inference.threads`). A picture that
    cannot be read or predicted becomes `Failed` and does not stop the others, nor does a DataError
    of `write`. Any other error of `write` is the output's (a full disk) and ends everything.

    Args:
        size: bytes of a picture in memory, known before it is read.
        write: also gets the seconds that predicting the picture took, waiting left out.
        batch_size: pictures that are predicted together, if they take at most a quarter of
            `budget`; a larger one goes alone.
        budget: bytes of pictures that are read ahead, and as many that wait to be written.
    """

    def __init__(
        self,
        *,
        size: Callable[[Picture], int],
        read: Callable[[Picture], Read],
        predict: Callable[[Sequence[Read]], Sequence[Prediction]],
        write: Callable[[Picture, Read, Prediction, float], Record | None],
        batch_size: int,
        budget: int = BUDGET,
    ) -> None:
        self.size, self.read, self.predict, self.write = size, read, predict, write
        self.batch_size, self.budget = batch_size, budget

    def run(self, pictures: Iterable[Picture]) -> Iterator[tuple[Picture, Record | Failed | None]]:
        """Yields each picture with what `write` returned, or why it failed."""
        first = list(islice(pictures := iter(pictures), 2))
        among_others = share_cores if len(first) > 1 else None
        pool = ThreadPoolExecutor(THREADS, "seg.files")
        predicting = ThreadPoolExecutor(BATCHES, "seg.predict", initializer=among_others)
        try:
            count = 2 * self.batch_size + THREADS
            reading = Lookahead(
                pool,
                self._read,
                chain(first, pictures),
                count=count,
                size=self.size,
                budget=self.budget,
            )
            share = self.budget // 4
            ahead = Lookahead(
                predicting,
                self._predicted,
                iter(lambda: reading.take(self.batch_size, share), []),
                count=BATCHES,
                size=bytes_of_all,
                budget=share,
            )
            writing: deque[Pending[Picture, Record | Failed | None]] = deque()
            last = 0.0
            while taken := ahead.take():
                batch = taken[0].future.result()
                last, before = max(last, batch.ended), max(last, batch.started)
                seconds = (last - min(last, before)) / len(batch.pictures)
                for one, read, result in batch.pictures:
                    future = pool.submit(self._write, one.item, read, result, seconds)
                    writing.append(Pending(one.item, future, one.size))
                while writing and (
                    writing[0].future.done()
                    or bytes_of_all(writing) > self.budget
                    or len(writing) > 4 * self.batch_size
                ):
                    oldest = writing.popleft()
                    yield oldest.item, oldest.future.result()
            for one in writing:
                yield one.item, one.future.result()
        finally:
            predicting.shutdown(wait=True, cancel_futures=True)
            pool.shutdown(wait=True, cancel_futures=True)

    def _predicted(self, batch: Sequence[Pending[Picture, Read | Failed]]) -> "Batch":
        """Predict what could be read."""
        reads = [one.future.result() for one in batch]
        pictures = [
            (one.item, read)
            for one, read in zip(batch, reads, strict=True)
            if not isinstance(read, Failed)
        ]
        started = time.perf_counter()
        predictions = iter(self._predict(pictures))
        results = [
            (one, read, read if isinstance(read, Failed) else next(predictions))
            for one, read in zip(batch, reads, strict=True)
        ]
        return Batch(results, started, time.perf_counter())

    def _read(self, picture: Picture) -> Read | Failed:
        try:
            return self.read(picture)
        except Exception as error:
            return Failed(_reason(picture, error))

    def _predict(self, pictures: Sequence[tuple[Picture, Read]]) -> list[Prediction | Failed]:
        """All together; one by one where that fails, so that only the picture at fault does."""
        if not pictures:
            return []
        try:
            return list(self.predict([read for _, read in pictures]))
        except Exception as error:
            if len(pictures) == 1:
                return [Failed(_reason(pictures[0][0], error))]
            return [result for one in pictures for result in self._predict([one])]

    def _write(
        self, picture: Picture, read: Read, result: Prediction | Failed, seconds: float
    ) -> Record | Failed | None:
        if isinstance(result, Failed):
            return result
        try:
            return self.write(picture, read, result, seconds)
        except DataError as error:
            return Failed(str(error))


def _reason(picture: Picture, error: Exception) -> str:
    if isinstance(error, DataError):
        return str(error)
    text = " ".join(str(error).split())[:200]
    kind = "" if isinstance(error, ValueError | OSError) and text else f"{type(error).__name__}: "
    return f"{picture}: {kind}{text}"
