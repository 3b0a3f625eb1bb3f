"""Jobs side by side: how many, in which order, and what ends with them."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

from seg.cli.compose import ConfigError
from seg.sweeps import side_by_side
from seg.sweeps.isolation import start_isolated
from seg.sweeps.side_by_side import Share, launch, share

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="jobs are forked on Linux alone"),
    pytest.mark.usefixtures("without_pictures"),
]
GIB = 1 << 30


@pytest.mark.parametrize(
    ("stated", "jobs", "cores", "memory", "gpus", "threads", "expected"),
    [
        ("auto", 6, 2, 64, 0, "", Share(2, 1)),
        ("auto", 6, 2, 64, 0, "2", Share(1, 2)),  # the user's own number of threads
        ("auto", 6, 8, 64, 0, "2", Share(4, 2)),
        ("auto", 3, 8, 64, 0, "", Share(3, 2)),  # fewer jobs than cores: more threads for each
        ("auto", 1, 8, 64, 0, "", Share(1, 8)),
        ("auto", 6, 8, 9, 0, "", Share(2, 4)),  # memory for two
        ("auto", 6, 8, 1, 0, "", Share(1, 8)),
        ("auto", 6, 8, 64, 1, "", Share(1, 8)),  # a GPU is for one at a time
        ("auto", 6, 8, 1, 4, "", Share(4, 2)),
        (3, 6, 2, 1, 0, "", Share(3, 1)),
        (1, 6, 2, 64, 0, "", Share(1, 2)),
    ],
)  # fmt: skip
def test_each_job_gets_its_share_of_the_cores(
    stated: Any, jobs: int, cores: int, memory: int, gpus: int, threads: str, expected: Share,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    monkeypatch.setattr(side_by_side, "usable_cores", lambda: cores)
    monkeypatch.setattr(side_by_side, "available", lambda: memory * GIB)
    monkeypatch.setattr(side_by_side, "_count_gpus", lambda: gpus)
    assert share(stated, jobs=jobs, accelerator="auto") == expected


def test_a_gpu_that_the_jobs_do_not_use_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(side_by_side, "usable_cores", lambda: 2)
    monkeypatch.setattr(side_by_side, "available", lambda: 64 * GIB)
    monkeypatch.setattr(side_by_side, "_count_gpus", lambda: 1)
    assert share("auto", jobs=6, accelerator="cpu") == Share(2, 1)


@pytest.mark.parametrize("stated", [0, -1, 1.5, "two", None, True])
def test_other_numbers_of_jobs_are_refused(stated: Any) -> None:
    with pytest.raises(ConfigError, match="hydra.launcher.jobs"):
        share(stated, jobs=2, accelerator="cpu")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[float]]:
    """Launch jobs whose work is `work(number)`, and return their results."""

    def without_hydra(*, task_function: Any, config: DictConfig, **_: Any) -> JobReturn:
        return JobReturn(status=JobStatus.COMPLETED, _return_value=task_function(config))

    monkeypatch.setattr(side_by_side, "run_job", without_hydra)

    def launched(work: Callable[[int], None], count: int, given: Share) -> list[float]:
        def start(config: DictConfig, *, threads: int) -> Any:
            number = config.hydra.job.num
            folder = tmp_path / str(number)
            return start_isolated(lambda: work(number), folder, threads=threads)

        loader = SimpleNamespace(
            load_sweep_config=lambda config, overrides: OmegaConf.create({"hydra": {"job": {}}})
        )
        launcher = SimpleNamespace(
            task_function=SimpleNamespace(start=start),
            hydra_context=SimpleNamespace(config_loader=loader),
            config=None,
        )
        returned = launch(launcher, [[f"seed={i}"] for i in range(count)], 0, given)
        return [job.return_value for job in returned]

    return launched


def finish(folder: Path, score: float) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps({"status": "finished", "val/dice": score}))


@pytest.mark.parametrize("jobs", [2, 3])
def test_no_more_jobs_run_than_asked_for_and_results_keep_their_order(
    run: Callable, tmp_path: Path, jobs: int
) -> None:
    def work(number: int) -> None:
        begun = time.time()
        time.sleep(0.5 if number == 0 else 0.2)
        finish(tmp_path / str(number), number / 10)
        (tmp_path / f"{number}.json").write_text(
            json.dumps([begun, time.time(), torch.get_num_threads(), os.environ["OMP_NUM_THREADS"]])
        )
        os.write(1, f"printed by {number}\n".encode())

    assert run(work, 6, Share(jobs, 1)) == [number / 10 for number in range(6)]
    spans = [json.loads((tmp_path / f"{number}.json").read_text()) for number in range(6)]
    begun = [span[0] for span in spans]
    at_once = [sum(b <= moment < e for b, e, *_ in spans) for moment in begun]
    assert max(at_once) == jobs
    assert {tuple(span[2:]) for span in spans} == {(1, "1")}
    for number in range(6):
        assert (tmp_path / str(number) / "log.txt").read_text() == f"printed by {number}\n"


def test_jobs_that_fail_or_are_killed_leave_the_others_alone(run: Callable, tmp_path: Path) -> None:
    def work(number: int) -> None:
        if number == 0:
            raise ValueError("no data there")
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        finish(tmp_path / str(number), 0.5)

    results = run(work, 4, Share(2, 1))
    assert [result == 0.5 for result in results] == [False, False, True, True]
    facts = [json.loads((tmp_path / str(n) / "run.json").read_text()) for n in range(2)]
    assert [fact["status"] for fact in facts] == ["failed", "failed"]
    assert facts[0]["error"] == "no data there"
    assert "SIGKILL" in facts[1]["error"]


@pytest.mark.parametrize("deaf", [False, True])
def test_ctrl_c_ends_every_job_and_a_second_one_at_once(
    run: Callable, tmp_path: Path, deaf: bool
) -> None:
    def work(number: int) -> None:
        if deaf:  # as a job that saves for long
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        (tmp_path / f"{number}.pid").write_text(str(os.getpid()))
        try:
            time.sleep(60)
        finally:
            (tmp_path / f"{number}.saved").touch()

    def press() -> None:
        while sum(p.stat().st_size > 0 for p in tmp_path.glob("*.pid")) < 2:
            time.sleep(0.05)
        for _ in range(1 + deaf):
            time.sleep(0.5)
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored under nohup
    threading.Thread(target=press, daemon=True).start()
    started = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            run(work, 4, Share(2, 1))
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - started < 30
    pids = [int(path.read_text()) for path in tmp_path.glob("*.pid")]
    assert len(pids) == 2  # the others were not begun
    assert len(list(tmp_path.glob("*.saved"))) == (0 if deaf else 2)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
