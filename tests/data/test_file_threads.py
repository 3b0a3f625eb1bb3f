"""Threads of files leave matrix products whole, as does the comparison of thumbnails."""

from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from seg.data.file_threads import AHEAD, file_threads, mapped
from seg.data.near_duplicates.hash import fingerprint, near_pairs, stack


def blas_threads() -> set[int]:
    return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}


def test_each_thread_computes_by_itself_and_the_limit_ends_with_the_pool() -> None:
    with threadpool_limits(2, user_api="blas"):
        with file_threads() as pool:
            assert set(pool.map(lambda _: blas_threads() == {1}, range(8))) == {True}
        assert blas_threads() == {2}


def test_thumbnails_are_compared_by_one_thread() -> None:
    seen = []

    def progress(items: Iterator, total: int, label: str) -> Iterator:
        seen.append(blas_threads())
        return items

    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    with threadpool_limits(2, user_api="blas"):
        assert near_pairs(stack([fingerprint(noise)] * 2), progress=progress)
        assert blas_threads() == {2}
    assert seen == [{1}]


def test_the_results_are_in_the_order_of_the_items() -> None:
    assert list(mapped(lambda n: n * n, range(1000), threads=4)) == [n * n for n in range(1000)]


def test_items_are_taken_as_they_are_needed() -> None:
    taken = []

    def items() -> Iterator[int]:
        for n in range(10_000):
            taken.append(n)
            yield n

    results = mapped(lambda n: n, items(), threads=2)
    assert next(results) == 0
    assert len(taken) <= 2 * AHEAD + 2
    results.close()


def test_an_error_of_a_call_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(mapped(lambda n: 1 // n, [1, 0, 1], threads=2))
