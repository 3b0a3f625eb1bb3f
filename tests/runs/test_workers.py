"""Processes that a run needs."""

import multiprocessing
import os
import signal
import time

import pytest
import torch
from torch.utils.data import DataLoader

from seg.runs import workers


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ("DataLoader worker (pid 12) is killed by signal: Killed. ", "lower dataset.num_workers"),
        ("DataLoader worker (pid(s) 1, 2) exited unexpectedly", "lower dataset.num_workers"),
        ("[pair.cc:553] Connection closed by peer [127.0.0.1]:1170", "another device"),
    ],
)
def test_a_lost_process_is_told_with_its_mend(said: str, mend: str) -> None:
    found = workers.explained(RuntimeError(said))
    assert mend in str(found)
    assert said.strip() in str(found)


@pytest.mark.parametrize(
    "error", [RuntimeError("mat1 and mat2 shapes"), ValueError("DataLoader worker (pid 1)")]
)
def test_other_errors_stay_as_they_are(error: Exception) -> None:
    assert workers.explained(error) is None


def _deaf(worker: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def test_loader_processes_that_ignore_sigterm_are_ended_without_an_error() -> None:
    batches = iter(DataLoader(torch.arange(8), num_workers=2, worker_init_fn=_deaf))
    next(batches)
    children = [child.pid for child in multiprocessing.active_children()]
    assert len(children) == 2
    workers.end_workers()
    assert multiprocessing.active_children() == []
    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    time.sleep(0.1)  # torch's handler for dead workers would raise here
    workers.end_workers()
