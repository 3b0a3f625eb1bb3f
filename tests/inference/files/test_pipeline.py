"""Reading ahead and writing behind: order, errors, and how much is in memory."""

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from seg.data.errors import DataError
from seg.inference.files.lookahead import map_ahead
from seg.inference.files.pipeline import Failed, Pipeline


def pipeline(**more: Any) -> Pipeline:
    parts = {
        "size": lambda item: 1,
        "read": lambda item: item,
        "predict": lambda reads: [10 * read for read in reads],
        "write": lambda item, read, answer, seconds: answer + 1,
        "batch_size": 4,
    }
    return Pipeline(**(parts | more))


@pytest.mark.parametrize("batch_size", [1, 3, 50])
def test_everything_comes_out_in_its_order(batch_size: int) -> None:
    def read(item: int) -> int:
        time.sleep(0.01 if item % 3 == 0 else 0)  # the later may be read before the earlier
        return item

    result = list(pipeline(read=read, batch_size=batch_size).run(iter(range(20))))
    assert result == [(i, 10 * i + 1) for i in range(20)]


def test_pictures_are_predicted_in_batches() -> None:
    sizes = []

    def predict(reads: Sequence[int]) -> list[int]:
        sizes.append(len(reads))
        return list(reads)

    list(pipeline(predict=predict).run(iter(range(10))))
    assert sizes == [4, 4, 2]


def test_a_batch_is_resized_while_the_one_before_is_with_the_network() -> None:
    both = threading.Barrier(2, timeout=20)

    def predict(reads: Sequence[int]) -> list[int]:
        both.wait()  # for another thread that predicts: breaks where there is none
        return list(reads)

    assert list(pipeline(predict=predict).run(iter(range(16)))) == [(i, i + 1) for i in range(16)]


def test_waiting_for_the_batch_before_is_not_counted_as_predicting() -> None:
    turn = threading.Lock()

    def predict(reads: Sequence[int]) -> list[int]:
        with turn:
            time.sleep(0.05)
        return list(reads)

    started = time.perf_counter()
    parts = pipeline(predict=predict, write=lambda item, read, answer, seconds: seconds)
    seconds = [result for _, result in parts.run(iter(range(16)))]
    assert sum(seconds) + 0.001 >= 16 * 0.05 / 4
    assert sum(seconds) <= time.perf_counter() - started


def test_a_picture_that_fails_is_reported_in_its_place_and_stops_no_other() -> None:
    def read(item: int) -> int:
        if item == 2:
            raise DataError("two.png", "torn", "restore it")
        return item

    def predict(reads: Sequence[int]) -> list[int]:
        if 5 in reads:
            raise RuntimeError("no memory for this")
        return list(reads)

    def write(item: int, read: int, answer: int, seconds: float) -> int:
        if item == 7:
            raise DataError("seven.png", "no numbers", "look")
        return answer

    result = dict(pipeline(read=read, predict=predict, write=write).run(iter(range(9))))
    assert list(result) == list(range(9))
    assert result[2] == Failed("two.png: torn; restore it")
    assert result[5] == Failed("5: RuntimeError: no memory for this")
    assert result[7] == Failed("seven.png: no numbers; look")
    assert [result[i] for i in (0, 1, 3, 4, 6, 8)] == [0, 1, 3, 4, 6, 8]


def test_a_full_disk_ends_the_run() -> None:
    def write(item: int, read: int, answer: int, seconds: float) -> int:
        raise OSError(28, "No space left on device", "out/a.png")

    with pytest.raises(OSError, match="No space left"):
        list(pipeline(write=write).run(iter(range(50))))


def test_no_more_is_in_memory_than_the_budget_allows() -> None:
    present, most, lock = set(), [0], threading.Lock()

    def read(item: int) -> int:
        with lock:
            present.add(item)
            most[0] = max(most[0], len(present))
        return item

    def write(item: int, read: int, answer: int, seconds: float) -> int:
        time.sleep(0.002)
        with lock:
            present.discard(item)
        return item

    parts = pipeline(size=lambda item: 100, read=read, write=write, batch_size=16, budget=400)
    assert len(list(parts.run(iter(range(60))))) == 60
    assert most[0] <= 12  # five ahead, five behind, two on their way through the network


def test_working_ahead_keeps_the_order_and_its_distance() -> None:
    started, lock = [], threading.Lock()

    def slow(i: int) -> int:
        with lock:
            started.append(i)
        time.sleep(0.002 * (i % 3))
        return i

    for taken, i in enumerate(map_ahead(slow, range(20), count=4)):
        assert i == taken
        assert max(started) <= taken + 4
    assert sorted(started) == list(range(20))


def test_an_error_ahead_is_raised_where_it_belongs() -> None:
    def fails(i: int) -> int:
        if i == 3:
            raise ValueError("the third")
        return i

    result = map_ahead(fails, range(9), count=3)
    assert [next(result) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(result)
