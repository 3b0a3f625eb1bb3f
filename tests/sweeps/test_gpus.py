"""One job a GPU. No GPU is needed: what is taken is a name."""

import multiprocessing
import os
from pathlib import Path

import pytest

from seg.sweeps import gpus


def _take(folder: Path, names: list[str], ready: object, done: object, found: object) -> None:
    held = gpus.take_gpu(folder, names, poll=0.05)
    found.put(os.environ["CUDA_VISIBLE_DEVICES"])
    ready.release()
    done.wait(30)
    del held


def test_jobs_side_by_side_get_a_gpu_each_and_the_next_waits(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    ready, done, found = fork.Semaphore(0), fork.Event(), fork.Queue()
    jobs = [fork.Process(target=_take, args=(tmp_path, ["0", "3"], ready, done, found))
            for _ in range(3)]  # fmt: skip
    for job in jobs:
        job.start()
    assert ready.acquire(timeout=30)
    assert ready.acquire(timeout=30)
    assert not ready.acquire(timeout=0.5)  # the third waits
    assert {found.get(timeout=5), found.get(timeout=5)} == {"0", "3"}
    done.set()
    assert found.get(timeout=30) in ("0", "3")
    for job in jobs:
        job.join(30)


def test_an_engine_that_gives_each_job_its_own_gpu_leaves_nothing_to_choose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    assert gpus.visible_gpus() == ["5"]
    assert gpus.take_gpu(tmp_path, gpus.visible_gpus()) is None
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus.visible_gpus() == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aa,GPU-bb")
    assert gpus.visible_gpus() == ["GPU-aa", "GPU-bb"]
