"""The first process tells the others the run folder, and a death ends them all."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from seg.runs import rendezvous
from seg.runs.distributed import ProcessRank

CONFIG = {"seed": 1, "dataset": {"root": "a", "classes": {"polyp": 1}}, "resume": None}


@pytest.fixture(autouse=True)
def _clean():
    yield
    rendezvous.close()


def free_port() -> int:
    """A port that is free, as the one after it is."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("", 0))
            port = one.getsockname()[1]
            try:
                two.bind(("", port + 1))
            except OSError:
                continue
            return port


def first(port: int | None) -> ProcessRank:
    return ProcessRank(0, "127.0.0.1", port)


def second(port: int | None) -> ProcessRank:
    return ProcessRank(1, "127.0.0.1", port)


@pytest.mark.parametrize("checkpoint", [None, Path("/x/last.ckpt")])
def test_children_read_the_environment_and_it_is_cleared(
    tmp_path: Path, checkpoint: Path | None
) -> None:
    rendezvous.announce(tmp_path, checkpoint, rank=ProcessRank(0), config=CONFIG)
    assert rendezvous.receive(rank=ProcessRank(1), config={}) == (tmp_path, checkpoint)
    rendezvous.close()
    assert not set(rendezvous.VARIABLES) & os.environ.keys()


@pytest.mark.parametrize("checkpoint", [None, Path("/x/last.ckpt")])
def test_other_nodes_receive_the_folder_and_pass_it_on_to_their_children(
    tmp_path: Path, checkpoint: Path | None
) -> None:
    port = free_port()
    rendezvous.announce(tmp_path, checkpoint, rank=first(port), config=CONFIG)
    for key in rendezvous.VARIABLES:
        os.environ.pop(key, None)
    elsewhere = {**CONFIG, "dataset": {**CONFIG["dataset"], "root": "b"}}  # may differ
    assert rendezvous.receive(rank=second(port), config=elsewhere) == (tmp_path, checkpoint)
    assert os.environ[rendezvous.FOLDER] == str(tmp_path)


def test_a_node_with_another_configuration_is_refused(tmp_path: Path) -> None:
    port = free_port()
    rendezvous.announce(tmp_path, None, rank=first(port), config=CONFIG)
    os.environ.pop(rendezvous.FOLDER)
    with pytest.raises(ValueError, match=r"rank 1 .*seed: 1 -> 2"):
        rendezvous.receive(rank=second(port), config={**CONFIG, "seed": 2})


def test_a_folder_that_only_the_first_node_has_is_refused(tmp_path: Path) -> None:
    port = free_port()
    rendezvous.announce(tmp_path / "gone", None, rank=first(port), config=CONFIG)
    os.environ.pop(rendezvous.FOLDER)
    with pytest.raises(FileNotFoundError, match="gone: .*output_dir"):
        rendezvous.receive(rank=second(port), config=CONFIG)


def test_a_first_process_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "WAIT", 0.3)
    with pytest.raises(ValueError, match=r"MASTER_ADDR=127\.0\.0\.1: "):
        rendezvous.receive(rank=second(free_port()), config=CONFIG)


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    port = free_port()
    with (
        socket.create_server(("", port + 1)),
        pytest.raises(ValueError, match=rf"MASTER_PORT={port}: port {port + 1}"),
    ):
        rendezvous.announce(tmp_path, None, rank=first(port), config=CONFIG)


def test_a_stray_local_rank_is_named() -> None:
    with pytest.raises(ValueError, match="LOCAL_RANK=1"):
        rendezvous.receive(rank=ProcessRank(1), config=CONFIG)


RANK = """
import sys, time
from pathlib import Path
from seg.runs import rendezvous
from seg.runs.distributed import ProcessRank
rendezvous.GRACE = 0.2
number, port, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
rank = ProcessRank(number, "127.0.0.1", port)
if number:
    rendezvous.receive(rank=rank, config={})
else:
    rendezvous.announce(folder, None, rank=rank, config={})
print("there", flush=True)
if "over" in sys.argv:
    rendezvous.close()
sys.stdin.read()
"""


def started(number: int, port: int, folder: Path, *more: str) -> subprocess.Popen:
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", RANK, str(number), str(port), str(folder), *more],
        env={**os.environ, "PYTHONPATH": str(root)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == "there\n"
    return process


@pytest.mark.slow  # starts four Pythons with torch
@pytest.mark.parametrize("dead", [0, 1])
def test_a_death_before_they_have_met_ends_the_other_and_says_whose(
    dead: int, tmp_path: Path
) -> None:
    port = free_port()
    processes = [started(0, port, tmp_path), started(1, port, tmp_path)]
    processes[dead].kill()
    assert processes[1 - dead].wait(timeout=20) == 1
    assert f"rank {dead} is gone" in processes[1 - dead].stderr.read()


@pytest.mark.slow
def test_a_process_that_ends_after_the_training_ends_no_other(tmp_path: Path) -> None:
    port = free_port()
    one, two = started(0, port, tmp_path), started(1, port, tmp_path, "over")
    one.kill()
    with pytest.raises(subprocess.TimeoutExpired):
        two.wait(timeout=2)
    two.kill()
