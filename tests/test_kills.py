"""Real processes, really killed: what is left, and that the same command finishes."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

pytestmark = pytest.mark.slow  # each starts several Pythons with torch

ROOT = Path(__file__).resolve().parents[1]
LONG = "trainer.max_epochs=3000"


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **more}


def start(
    tiny: list[str], output: Path, *more: str, group: str = "", **variables: str
) -> subprocess.Popen:
    """The command in a session of its own; its messages go to a file beside `output`.

    group: choices that must stand before the keys of `tiny`.
    """
    data = [f"dataset.root={output.parent / 'data'}", f"dataset.cache_dir={output.parent / 'c'}"]
    name = "-".join([output.name, *variables.values()]).replace("/", "_")
    words = [group] if group else ["trainer=cpu"]
    with (output.parent / f"{name}.err").open("w") as messages:
        return subprocess.Popen(
            [sys.executable, "-m", "seg.train", *words, *tiny, *data, "trainer.precision=32",
             "trainer.accelerator=cpu", f"output_dir={output}", *more],
            env=environment(**variables), stdout=messages, stderr=messages, start_new_session=True,
        )  # fmt: skip


def log_of(output: Path) -> str:
    return "".join(p.read_text() for p in sorted(output.parent.glob(f"{output.name}*.err")))


def wait_for(reached: Callable[[], object], seconds: float = 150) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def wait_for_epochs(output: Path) -> Path:
    """The run folder, once a checkpoint is there."""
    wait_for(lambda: list(output.glob("*-*/*/checkpoints/last.ckpt")))
    return next(output.glob("*-*/*/run.json")).parent


def processes(word: str) -> list[int]:
    """Processes with `word` in their command line."""
    pids = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in path.read_bytes():
                pids.append(int(path.parent.name))
        except OSError:
            continue
    return pids


def children(process: subprocess.Popen, output: Path) -> list[int]:
    """The processes of a training besides the first and its watcher."""
    return [pid for pid in processes(f"output_dir={output}") if pid != process.pid]


def facts(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text())


def require_sound(folder: Path) -> None:
    for path in folder.glob("checkpoints/*.ckpt"):
        torch.load(path, weights_only=True)


def require_quiet_end(process: subprocess.Popen, output: Path, *, status: int) -> None:
    """The exit status within a minute, no traceback, and nobody left."""
    assert process.wait(timeout=60) == status, log_of(output)
    wait_for(lambda: not processes(str(output)), seconds=10)
    assert "Traceback" not in log_of(output)


def test_killed_at_random_and_at_the_write_every_resume_finishes(
    tiny: list[str], tmp_path: Path
) -> None:
    result = tmp_path / "result.json"
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "kills.py"), "--random=3", "--aimed=2",
         f"--output={tmp_path / 'out'}", f"--json={result}", *tiny, "trainer=cpu",
         "trainer.max_epochs=6"],
        env=environment(), capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(result.read_text())
    assert (content["random"], content["aimed"]) == (3, 2)
    assert content["during a write"] >= 1
    assert content["epochs lost at most"] <= 1
    assert content["equal to the uninterrupted run"]
    assert content["runs finished"] >= 1


def test_a_loader_process_that_is_killed_ends_the_run_with_one_message(
    tiny: list[str], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    process = start(tiny, output, "dataset.num_workers=2", LONG)
    folder = wait_for_epochs(output)
    wait_for(lambda: children(process, output))
    os.kill(children(process, output)[0], signal.SIGKILL)
    require_quiet_end(process, output, status=1)
    assert log_of(output).count("error:") == 1
    assert all(word in log_of(output) for word in ("dataset.num_workers", "/dev/shm"))
    assert facts(folder)["status"] == "failed"
    require_sound(folder)


@pytest.mark.parametrize("looked_at", [True, False])
def test_a_small_shared_memory_never_hangs(
    looked_at: bool, tiny: list[str], tmp_path: Path
) -> None:
    """Looked at: fewer processes. Filled up by others after that: the run ends."""
    inside = [
        "unshare",
        "-rm",
        "sh",
        "-c",
        'mount -t tmpfs -o size=200k tmpfs /dev/shm && "$@"',
        "-",
    ]
    if subprocess.run([*inside, "true"], capture_output=True).returncode:
        pytest.skip("a file system can be mounted neither by root nor by unshare here")
    code = (
        "from seg import launch, train\n"
        "from seg.data import shared_memory\n"
        "if not LOOKED_AT: shared_memory.free_bytes = lambda: None\n"
        "launch.launch(train.train, config_name='train')\n"
    ).replace("LOOKED_AT", str(looked_at))
    options = [*tiny, "dataset.image_size=128", "dataset.num_workers=4", "trainer=cpu"]
    options += [f"output_dir={tmp_path / 'out'}", f"dataset.cache_dir={tmp_path / 'c'}"]
    options += [f"dataset.root={tmp_path / 'data'}"]
    done = subprocess.run(
        [*inside, sys.executable, "-c", code, *options],
        env=environment(), capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == (0 if looked_at else 1), done.stderr
    assert done.stderr.count("dataset.num_workers") == 1
    assert "Traceback" not in done.stderr
    [folder] = tmp_path.glob("out/*/*")
    assert facts(folder)["status"] == ("finished" if looked_at else "failed")


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_is_killed_takes_the_other_with_it(
    rank: int, tiny: list[str], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    process = start(tiny, output, LONG, group="trainer=ddp")
    folder = wait_for_epochs(output)
    killed = process.pid if rank == 0 else children(process, output)[0]
    os.kill(killed, signal.SIGKILL)
    assert process.wait(timeout=60) != 0
    wait_for(lambda: not processes(str(output)), seconds=60)
    # gloo's error and Lightning's SIGTERM to the first race when the other is gone
    assert facts(folder)["status"] in (("interrupted",) if rank == 0 else ("interrupted", "failed"))
    require_sound(folder)


def test_ctrl_c_twice_ends_with_130_and_leaves_nobody(tiny: list[str], tmp_path: Path) -> None:
    output = tmp_path / "out"
    process = start(tiny, output, "dataset.num_workers=2", LONG)
    folder = wait_for_epochs(output)
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.3)
    require_quiet_end(process, output, status=130)
    assert facts(folder)["status"] == "interrupted"
    require_sound(folder)


def test_two_launches_that_would_resume_one_run_never_meet_in_it(
    tiny: list[str], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    process = start(tiny, output, LONG)
    first = wait_for_epochs(output)
    process.kill()
    process.wait()
    both = [start(tiny, output, LONG, "resume=auto") for _ in range(2)]
    pids = {p.pid for p in both}

    def running() -> list[Path]:
        folders = [p.parent for p in output.glob("*-*/*/run.json")]
        return [f for f in folders if facts(f)["status"] == "running" and facts(f)["pid"] in pids]

    wait_for(lambda: len(running()) == 2)
    assert first in running()
    for process in both:
        process.kill()
        process.wait()
    wait_for(lambda: [facts(f).get("error") for f in output.glob("*-*/*/")] == ["killed"] * 2, 10)


def test_two_nodes_share_one_run_with_the_figures_of_one_process(
    tiny: list[str], tmp_path: Path
) -> None:
    """Each node is started by hand, as on a cluster without a scheduler."""
    fixed = ["optimizer.lr=0", "trainer.max_epochs=1", "model.norm=group", "dataset.batch_size=2",
             "dataset.split.by=file", "dataset.split.val=3", "dataset.split.test=5"]  # fmt: skip
    one = start(tiny, tmp_path / "one", *fixed)
    assert one.wait(timeout=150) == 0, log_of(tmp_path / "one")
    with socket.socket() as free:
        free.bind(("", 0))
        port = str(free.getsockname()[1])
    nodes = [
        start(
            tiny, tmp_path / "two", *fixed, "trainer.devices=1", "trainer.num_nodes=2",
            group="trainer=ddp", NODE_RANK=node, MASTER_ADDR="127.0.0.1", MASTER_PORT=port,
        )
        for node in ("0", "1")
    ]  # fmt: skip
    assert [node.wait(timeout=150) for node in nodes] == [0, 0], log_of(tmp_path / "two")
    folders = [next((tmp_path / name).glob("*-*/*")) for name in ("one", "two")]
    assert len(list((tmp_path / "two").glob("*-*/*"))) == 1
    tests = [json.loads((folder / "test.json").read_text()) for folder in folders]
    assert tests[0] == tests[1]
    rows = [pd.read_csv(folder / "metrics.csv") for folder in folders]
    assert rows[0]["val/dice"].tolist() == rows[1]["val/dice"].tolist()


def test_memory_is_flat_over_epochs(tiny: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from seg import train\n"
        "from seg.cli import compose\n"
        "from seg.training.epoch_log import EpochLog\n"
        "original = EpochLog._write\n"
        "def write(self):\n"
        "    original(self)\n"
        "    status = open('/proc/self/status').read()\n"
        "    print('MB', int(status.split('VmRSS:')[1].split()[0]) / 1024)\n"
        "EpochLog._write = write\n"
        "train.train(compose.compose(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *tiny, "trainer=cpu", "trainer.max_epochs=160",
         f"output_dir={tmp_path}"],
        env=environment(), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    sizes = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("MB")]
    assert len(sizes) == 160, done.stderr
    assert sizes[-1] - sizes[79] < 15  # the first pictures and panels take some


def test_a_home_that_cannot_be_written_to_does_not_matter(tiny: list[str], tmp_path: Path) -> None:
    """Root writes everywhere: a file in its place stands for a folder that is read-only."""
    (tmp_path / "home").write_text("")
    process = start(tiny, tmp_path / "out", HOME=str(tmp_path / "home"), LANG="C", LC_ALL="C")
    assert process.wait(timeout=150) == 0, log_of(tmp_path / "out")
    assert "Traceback" not in log_of(tmp_path / "out")


def test_nobody_but_root_is_refused_an_output_folder_that_is_not_theirs(
    tiny: list[str], tmp_path: Path
) -> None:
    if os.geteuid():
        pytest.skip("becoming another user takes root")
    if not os.access("/usr/bin/setpriv", os.X_OK):
        pytest.skip("there is no setpriv")
    for path in [tmp_path, *tmp_path.parents]:  # pytest's are for their owner alone
        if path == Path(tempfile.gettempdir()):
            break
        path.chmod(0o755)
    (tmp_path / "out").mkdir(mode=0o755)
    done = subprocess.run(
        ["/usr/bin/setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-m", "seg.train",
         *tiny, f"output_dir={tmp_path / 'out'}"],
        env=environment(HOME="/nonexistent"), capture_output=True, text=True, timeout=150,
        cwd=tmp_path,
    )  # fmt: skip
    if "seg" not in done.stderr and "error:" not in done.stderr:
        pytest.skip(f"another user cannot run this Python: {done.stderr.strip()[-200:]}")
    assert done.returncode == 1
    assert "output_dir" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []
