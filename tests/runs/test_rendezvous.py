"""The first process tells the others where the run lies."""

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
    rendezvous.forget()


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
    return ProcessRank(0, 2, "127.0.0.1", port)


def second(port: int | None) -> ProcessRank:
    return ProcessRank(1, 2, "127.0.0.1", port)


@pytest.mark.parametrize("checkpoint", [None, Path("/x/last.ckpt")])
def test_children_read_the_environment_and_it_is_cleared(
    tmp_path: Path, checkpoint: Path | None
) -> None:
    rendezvous.give(tmp_path, checkpoint, place=ProcessRank(0), config=CONFIG)
    assert rendezvous.receive(place=ProcessRank(1), config={}) == (tmp_path, checkpoint)
    rendezvous.forget()
    assert not set(rendezvous.HANDED_ON) & os.environ.keys()


@pytest.mark.parametrize("checkpoint", [None, Path("/x/last.ckpt")])
def test_other_nodes_ask_and_their_own_children_are_told(
    tmp_path: Path, checkpoint: Path | None
) -> None:
    port = free_port()
    rendezvous.give(tmp_path, checkpoint, place=first(port), config=CONFIG)
    for key in rendezvous.HANDED_ON:
        os.environ.pop(key, None)
    elsewhere = {**CONFIG, "dataset": {**CONFIG["dataset"], "root": "b"}}  # of the launch alone
    assert rendezvous.receive(place=second(port), config=elsewhere) == (tmp_path, checkpoint)
    assert os.environ[rendezvous.HANDED_ON[0]] == str(tmp_path)


def test_a_node_with_another_configuration_is_refused(tmp_path: Path) -> None:
    port = free_port()
    rendezvous.give(tmp_path, None, place=first(port), config=CONFIG)
    os.environ.pop(rendezvous.HANDED_ON[0])
    with pytest.raises(ValueError, match=r"rank 1 .*seed: 1 -> 2"):
        rendezvous.receive(place=second(port), config={**CONFIG, "seed": 2})


def test_a_folder_that_only_the_first_node_has_is_refused(tmp_path: Path) -> None:
    port = free_port()
    rendezvous.give(tmp_path / "gone", None, place=first(port), config=CONFIG)
    os.environ.pop(rendezvous.HANDED_ON[0])
    with pytest.raises(FileNotFoundError, match="storage that all nodes share"):
        rendezvous.receive(place=second(port), config=CONFIG)


def test_a_first_process_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "WAIT", 0.3)
    with pytest.raises(ValueError, match=r"MASTER_ADDR=127.0.0.1: no answer at port"):
        rendezvous.receive(place=second(free_port()), config=CONFIG)


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    port = free_port()
    with (
        socket.create_server(("", port + 1)),
        pytest.raises(ValueError, match=rf"port {port + 1}, the one after it, is taken"),
    ):
        rendezvous.give(tmp_path, None, place=first(port), config=CONFIG)


def test_a_stray_local_rank_is_named() -> None:
    with pytest.raises(ValueError, match="unset LOCAL_RANK"):
        rendezvous.receive(place=ProcessRank(1), config=CONFIG)


RANK = """
import sys, time
from pathlib import Path
from seg.runs import rendezvous
from seg.runs.distributed import ProcessRank
rendezvous.GRACE = 0.2
rank, port, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
place = ProcessRank(rank, 2, "127.0.0.1", port)
if rank:
    rendezvous.receive(place=place, config={})
else:
    rendezvous.give(folder, None, place=place, config={})
print("there", flush=True)
if "over" in sys.argv:
    rendezvous.forget()
sys.stdin.read()
"""


def rank(number: int, port: int, folder: Path, *more: str) -> subprocess.Popen:
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
    processes = [rank(0, port, tmp_path), rank(1, port, tmp_path)]
    processes[dead].kill()
    assert processes[1 - dead].wait(timeout=20) == 1
    assert f"rank {dead} is gone" in processes[1 - dead].stderr.read()


@pytest.mark.slow
def test_who_ends_after_the_training_ends_nobody_else(tmp_path: Path) -> None:
    port = free_port()
    one, two = rank(0, port, tmp_path), rank(1, port, tmp_path, "over")
    one.kill()
    with pytest.raises(subprocess.TimeoutExpired):
        two.wait(timeout=2)
    two.kill()
