"""run.json is true, whatever ends the run."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pytorch_lightning.utilities import rank_zero_only

from seg.runs import lock, resume, watchdog
from seg.runs.atomic import fresh_folder, remove_leftovers
from seg.runs.folder import RunFolder
from seg.runs.run import Run
from seg.runs.watchdog import record_death

ENDS = """
import sys
from pathlib import Path
from seg.runs import lock, watchdog
folder = Path(sys.argv[1])
own = lock.acquire(folder)
facts = {"status": "running", "pid": __import__("os").getpid(), "started": sys.argv[2]}
watchdog.write_status(facts, folder, final=False)
watchdog.start(folder)
print("there", flush=True)
sys.stdin.read()
"""


def status(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text())


def watched(folder: Path) -> subprocess.Popen:
    """A process of its own session that has locked the folder, and is watched."""
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", ENDS, str(folder), "2026-01-01T00:00:00+00:00"],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout.readline() == "there\n"
    return process


def watchers(folder: Path) -> list[int]:
    """The watchdogs of a folder."""
    pids = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if str(folder).encode() in words and b"-I" in words:
            pids.append(int(path.parent.name))
    return pids


def wait_until(reached, seconds: float = 10.0) -> float:
    start = time.monotonic()
    while not reached():
        assert time.monotonic() - start < seconds
        time.sleep(0.02)
    return time.monotonic() - start


@pytest.mark.parametrize(
    ("error", "expected"),
    [(None, "finished"), (ValueError, "failed"), (KeyboardInterrupt, "interrupted"),
     (SystemExit, "interrupted"), (type("Pruned", (Exception,), {"status": "pruned"}), "pruned")],
)  # fmt: skip
def test_run_json_holds_the_end_and_its_reason(tmp_path: Path, error: type, expected: str) -> None:
    def body() -> None:
        with Run(tmp_path, config={}, facts={"seed": 1}, watched=False):
            assert status(tmp_path)["status"] == "running"
            if error is not None:
                raise error("why")

    if error is None:
        body()
    else:
        with pytest.raises(error):
            body()
    facts = status(tmp_path)
    assert facts["status"] == expected
    assert facts["seed"] == 1
    assert facts["seconds"] >= 0
    assert facts.get("error") == ("why" if expected in ("failed", "pruned") else None)
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("first", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_no_failure_whatever_a_library_makes_of_it(
    tmp_path: Path, first: type[BaseException]
) -> None:
    def body() -> None:
        with Run(tmp_path, config={}, facts={}, watched=False):
            try:
                raise first(143)
            finally:  # as torch's writer of checkpoints does
                raise RuntimeError("unexpected pos 640 vs 546")

    with pytest.raises(first) as caught:
        body()
    saved = f"{tmp_path} has no checkpoint yet"
    assert caught.value.args == ((143,) if first is SystemExit else (saved,))
    assert status(tmp_path)["status"] == "interrupted"
    assert "error" not in status(tmp_path)


@pytest.mark.parametrize(("epochs", "said"), [(1, "1 epoch is saved"), (2, "2 epochs are saved")])
def test_ctrl_c_says_what_is_saved(tmp_path: Path, epochs: int, said: str) -> None:
    def body() -> None:
        with Run(tmp_path, config={}, facts={}, watched=False) as run:
            run.checkpoint("last").parent.mkdir()
            run.checkpoint("last").write_bytes(b"")
            rows = "".join(f"{i + 1},0.5\n" for i in range(epochs))
            run.metrics_path.write_text(f"epoch,val/dice\n{rows}")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=said):
        body()


def test_the_costs_of_a_run_are_those_of_all_its_launches(tmp_path: Path) -> None:
    def launch(error: BaseException | None = None, facts: dict | None = None) -> dict:
        if facts is not None:
            (tmp_path / "run.json").write_text(json.dumps(facts))
        try:
            with Run(tmp_path, config={}, facts={}, watched=False):
                running = status(tmp_path)
                if error is not None:
                    raise error
        except KeyboardInterrupt:
            pass
        return running

    assert "seconds" not in launch()
    before = status(tmp_path) | {"status": "interrupted", "seconds": 100.0, "cpu_seconds": 70.0}
    assert launch(KeyboardInterrupt(), before)["seconds"] == 100
    launch()
    assert 100 <= status(tmp_path)["seconds"] < 102
    assert 70 <= status(tmp_path)["cpu_seconds"] < 72
    # a launch that was killed, or never came to an end that somebody wrote down
    launch(None, {key: value for key, value in before.items() if key != "cpu_seconds"})
    assert status(tmp_path)["seconds"] >= 100
    assert "cpu_seconds" not in status(tmp_path)
    launch(None, before | {"status": "running"})
    assert {"seconds", "cpu_seconds"} & status(tmp_path).keys() == set()
    # one that could not start
    launch(None, {"status": "failed", "error": "no such key"})
    assert status(tmp_path)["seconds"] < 2


def test_a_killed_launch_adds_to_the_seconds_before_it(tmp_path: Path) -> None:
    facts = {"status": "running", "pid": 1, "started": "2026-01-01T00:00:00+00:00"}
    watchdog.write_status(facts, tmp_path, final=False)
    assert record_death(tmp_path, status="interrupted", error="killed", pid=1)
    alone = status(tmp_path)["seconds"]
    watchdog.write_status(facts | {"seconds": 1e6, "cpu_seconds": 9.0}, tmp_path, final=False)
    assert record_death(tmp_path, status="interrupted", error="killed", pid=1)
    assert status(tmp_path)["seconds"] == pytest.approx(alone + 1e6, abs=5)
    assert "cpu_seconds" not in status(tmp_path)


def test_an_interrupt_before_the_training_starts_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("seg.runs.watchdog.start", interrupted)
    with pytest.raises(KeyboardInterrupt), Run(tmp_path, config={}, facts={}):
        pass
    assert status(tmp_path)["status"] == "interrupted"


def test_the_end_of_a_run_gives_its_lock_back_and_ends_its_watch(tmp_path: Path) -> None:
    with Run(tmp_path, config={}, facts={}, lock=lock.acquire(tmp_path)):
        assert resume.is_alive(RunFolder(tmp_path))
        wait_until(lambda: len(watchers(tmp_path)) == 1)
    assert not resume.is_alive(RunFolder(tmp_path))
    assert watchers(tmp_path) == []
    assert status(tmp_path)["status"] == "finished"


@pytest.mark.parametrize("whom", ["process", "group"])
def test_the_watchdog_records_a_kill(tmp_path: Path, whom: str) -> None:
    process = watched(tmp_path)
    wait_until(lambda: len(watchers(tmp_path)) == 1)
    assert status(tmp_path)["status"] == "running"
    if whom == "process":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert wait_until(lambda: status(tmp_path)["status"] == "interrupted") < 2
    assert status(tmp_path)["error"] == "killed"
    assert status(tmp_path)["seconds"] > 0
    assert wait_until(lambda: not watchers(tmp_path)) < 2
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "run.json"]


def test_a_watchdog_ignores_a_sigterm_to_all(tmp_path: Path) -> None:
    process = watched(tmp_path)
    wait_until(lambda: len(watchers(tmp_path)) == 1)
    time.sleep(0.5)  # it has started Python, and set its signals
    os.kill(watchers(tmp_path)[0], signal.SIGTERM)
    process.kill()
    process.wait()
    assert wait_until(lambda: status(tmp_path)["status"] == "interrupted") < 2


def test_a_watchdog_leaves_a_folder_alone_that_another_process_has(tmp_path: Path) -> None:
    process = watched(tmp_path)
    wait_until(lambda: len(watchers(tmp_path)) == 1)
    content = (tmp_path / "run.json").read_text().replace(f": {process.pid}", f": {os.getpid()}")
    (tmp_path / "run.json").write_text(content)
    process.kill()
    process.wait()
    wait_until(lambda: not watchers(tmp_path))
    assert (tmp_path / "run.json").read_text() == content
    process = watched(tmp_path)
    (tmp_path / ".lock").unlink()  # who takes it now has it, and the same number by chance
    with lock.acquire(tmp_path):
        process.kill()
        process.wait()
        wait_until(lambda: not watchers(tmp_path))
        assert status(tmp_path)["status"] == "running"


def test_a_death_is_recorded_once_also_of_a_process_that_never_started(tmp_path: Path) -> None:
    assert record_death(tmp_path, status="failed", error="it never came back")
    assert status(tmp_path)["error"] == "it never came back"
    assert not record_death(tmp_path, status="finished", error="")  # it says so already
    assert status(tmp_path)["status"] == "failed"
    started = {"status": "running", "pid": 1, "started": "2026-01-01T00:00:00+00:00"}
    watchdog.write_status(started, tmp_path, final=False)
    assert not record_death(tmp_path, status="failed", error="", pid=2)
    assert record_death(tmp_path, status="failed", error="lost", pid=1)
    assert status(tmp_path)["seconds"] > 0
    watchdog.write_status(started, tmp_path, final=False)
    with lock.acquire(tmp_path):
        assert not record_death(tmp_path, status="failed", error="it lives")


def test_an_error_in_writing_the_end_does_not_hide_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    original = watchdog.write_status

    def full(content: dict, folder: Path, *, final: bool) -> None:
        if final:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(content, folder, final=final)

    monkeypatch.setattr(watchdog, "write_status", full)
    with (
        pytest.raises(ValueError, match="the first"),
        Run(tmp_path, config={}, facts={}, watched=False),
    ):
        raise ValueError("the first")
    assert str(tmp_path / "run.json") in caplog.text
    with (
        pytest.raises(OSError, match="resume=auto"),
        Run(tmp_path, config={}, facts={}, watched=False),
    ):
        pass


ROWS = [
    ["images/a.png", "masks/a.png", "patient 1", "train", "a" * 64, "b" * 64],
    ["images/b.png", "masks/b.png", "patient 2", "test", "c" * 64, "d" * 64],
]


@pytest.mark.parametrize(("row", "column"), [(0, 5), (1, 3), (1, 0)])
def test_a_split_that_was_written_is_kept_while_the_data_are_the_same(
    tmp_path: Path, row: int, column: int
) -> None:
    def write(rows: list[list[str]]) -> None:
        Run(tmp_path, config={}, facts={}).write_split(rows)

    write(ROWS)
    before = (tmp_path / "split.csv").read_bytes()
    write(ROWS)
    rows = [list(line) for line in ROWS]
    rows[row][column] = "other"
    with pytest.raises(ValueError, match=rf"split\.csv: .*{rows[row][0]}"):
        write(rows)
    with pytest.raises(ValueError, match=ROWS[1][0]):
        write(ROWS[:1])
    assert (tmp_path / "split.csv").read_bytes() == before
    assert [row["group"] for row in RunFolder(tmp_path).split.rows] == ["patient 1", "patient 2"]


def test_a_further_rank_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)

    def body() -> None:
        with Run(tmp_path, config={"seed": 1}, facts={"seed": 1}) as run:
            run.write_config()
            run.write_split(ROWS)
            run.record(best_epoch=1)
            raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        body()
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_process_are_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    left = [".last.ckpt.4711", ".best.ckpt.1", "last.ckpt"]
    for name in left:
        (tmp_path / "checkpoints" / name).write_text("")
    for name in (".metrics.csv.12", ".hidden", ".my.notes"):
        (tmp_path / name).write_text("")
    for folder in (tmp_path, tmp_path / "checkpoints"):
        remove_leftovers(folder)
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [".hidden", ".my.notes", "checkpoints"]


def test_two_launches_in_one_second_get_two_folders(tmp_path: Path) -> None:
    assert len({fresh_folder(tmp_path) for _ in range(5)}) == 5
