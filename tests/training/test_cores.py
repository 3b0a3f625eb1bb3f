"""The threads of a training beside other processes."""

import multiprocessing
import os
import time
from pathlib import Path

import pytest
import torch

from seg.data import cores as of_machine
from seg.data.cores import usable_cores
from seg.training import cores
from seg.training.cores import SharedCores, sharing, threads_for


@pytest.fixture(autouse=True)
def _threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("others", "now", "wanted"),
    [
        (0.0, 4, 4), (0.6, 4, 4), (0.8, 4, 3), (2.0, 4, 2), (9.0, 4, 1),
        (0.0, 1, 4), (0.9, 3, 3), (0.3, 3, 3), (0.1, 3, 4),
    ],
)  # fmt: skip
def test_threads_are_what_others_leave_of_four_cores(others: float, now: int, wanted: int) -> None:
    assert threads_for(others, now=now, cores=4) == wanted


def test_two_trainings_share_the_cores_and_stay_so() -> None:
    threads = [4, 4]
    for _ in range(5):
        used = [4 * t / sum(threads) if sum(threads) > 4 else t for t in threads]
        threads = [threads_for(used[1 - i], now=threads[i], cores=4) for i in range(2)]
    assert threads == [2, 2]


@pytest.mark.parametrize(
    ("text", "count"),
    [("max 100000", None), ("150000 100000", 1), ("200000 100000", 2), ("50000 100000", 1)],
)
def test_a_container_that_is_limited_has_fewer_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, count: int | None
) -> None:
    monkeypatch.setattr(of_machine, "QUOTA", tmp_path / "cpu.max")
    (tmp_path / "cpu.max").write_text(f"{text}\n")
    mine = len(os.sched_getaffinity(0))
    assert usable_cores() == (mine if count is None else min(mine, count))


def test_threads_that_somebody_has_fixed_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "usable_cores", lambda: 2)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert len(sharing("cpu", fixed=False)) == 1
    assert not sharing("cpu", fixed=True)
    assert not sharing("cuda", fixed=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert not sharing("cpu", fixed=False)


def _work(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_a_busy_core_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = sorted(os.sched_getaffinity(0))
    if len(mine) < 2:
        pytest.skip("it needs two cores")
    monkeypatch.setattr(cores, "SECONDS", 0.5)
    torch.set_num_threads(len(mine))
    callback = SharedCores()
    others = [
        multiprocessing.get_context("spawn").Process(target=_work, args=(60,), daemon=True)
        for _ in mine
    ]
    try:
        for other in others:
            other.start()
        deadline = time.monotonic() + 50
        while torch.get_num_threads() == len(mine) and time.monotonic() < deadline:
            callback.on_train_batch_end()
            time.sleep(0.05)
    finally:
        for other in others:
            other.kill()
            other.join()
    assert torch.get_num_threads() < len(mine)
