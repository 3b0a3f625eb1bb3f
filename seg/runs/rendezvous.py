"""The first process of a run tells the others its folder, and they tell of one another's death.

Children that Lightning starts on the same machine read it from the environment. Processes on other
nodes, or started by torchrun or srun, connect to the port after MASTER_PORT; the connection stays
open while the run lasts, so that its end is the news of a death. There is no file that a run before
could have left.
"""

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seg.runs.distributed import ProcessRank
from seg.runs.resume import differences

log = logging.getLogger(__name__)

HANDED_ON = ("SEG_RUN_FOLDER", "SEG_CHECKPOINT")
WAIT = 600  # seconds for the first process to come: nodes of a queue do not start together
GRACE = 20  # seconds for torch.distributed to say it better

_over = threading.Event()


def give(
    folder: Path, ckpt_path: Path | None, *, place: ProcessRank, config: Mapping[str, Any]
) -> None:
    """Of the first process: let the others have folder and checkpoint.

    Raises ValueError if the port is taken.
    """
    _into_environment(folder, ckpt_path)
    if place.port is None:
        return
    _over.clear()
    port = place.port + 1
    try:
        server = socket.create_server(("", port), backlog=1024)
    except OSError as error:
        raise ValueError(
            f"MASTER_PORT={place.port}: port {port}, the one after it, is taken "
            f"({error.strerror}); choose another MASTER_PORT, the same on all nodes"
        ) from error
    checkpoint = str(ckpt_path) if ckpt_path else None
    content = {"folder": str(folder), "checkpoint": checkpoint, "config": config}
    message = json.dumps(content).encode() + b"\n"
    threading.Thread(target=_serve, args=(server, message), daemon=True).start()


def receive(*, place: ProcessRank, config: Mapping[str, Any]) -> tuple[Path, Path | None]:
    """Of the others: the first one's folder and checkpoint.

    Raises ValueError if it cannot be reached, or was started with another configuration.
    """
    if HANDED_ON[0] not in os.environ:
        _over.clear()
        content = _ask(place)
        different = differences(content["config"], json.loads(json.dumps(config)))
        if different:
            raise ValueError(
                f"rank {place.rank} was started with another configuration than rank 0 "
                f"({'; '.join(different[:8])}); give the same command on every node"
            )
        checkpoint = content["checkpoint"]
        _into_environment(Path(content["folder"]), Path(checkpoint) if checkpoint else None)
        if not Path(content["folder"]).is_dir():
            raise FileNotFoundError(
                f"{content['folder']}: rank 0 made this folder, and it is not there on "
                f"{socket.gethostname()}; output_dir must lie on storage that all nodes share"
            )
    given = os.environ.get(HANDED_ON[1])
    return Path(os.environ[HANDED_ON[0]]), Path(given) if given else None


def forget() -> None:
    """The training is over, or has failed: what was handed on is nobody's any more, and who ends
    now may.
    """
    _over.set()
    for key in HANDED_ON:
        os.environ.pop(key, None)


def _into_environment(folder: Path, ckpt_path: Path | None) -> None:
    os.environ[HANDED_ON[0]] = str(folder)
    os.environ.pop(HANDED_ON[1], None)
    if ckpt_path is not None:
        os.environ[HANDED_ON[1]] = str(ckpt_path)


def _serve(server: socket.socket, message: bytes) -> None:
    while True:
        connection, _ = server.accept()
        threading.Thread(target=_answer, args=(connection, message), daemon=True).start()


def _answer(connection: socket.socket, message: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    with connection, connection.makefile("rb") as lines:
        hello = lines.readline(100)  # who does not greet is a stranger, and may leave
        if not hello.startswith(b"seg rank "):
            return
        connection.sendall(message)
        _end_when_closed(connection, hello.decode().removeprefix("seg ").strip())


def _ask(place: ProcessRank) -> dict[str, Any]:
    if place.address is None or place.port is None:
        raise ValueError(
            f"LOCAL_RANK={place.rank} is set, but this process was not started by another one; "
            "unset LOCAL_RANK, and trainer.devices starts the processes"
        )
    deadline = time.monotonic() + WAIT
    while True:
        try:
            connection = socket.create_connection((place.address, place.port + 1), timeout=30)
            break
        except OSError as error:
            if time.monotonic() > deadline:
                raise ValueError(
                    f"MASTER_ADDR={place.address}: no answer at port {place.port + 1} for {WAIT} s "
                    f"({error}); is the command running on node 0, and the port open?"
                ) from error
            time.sleep(0.5)
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.sendall(f"seg rank {place.rank}\n".encode())
    line = connection.makefile("rb").readline()
    if not line:
        raise ValueError("rank 0 ended before the training began; see its own message")
    threading.Thread(target=_end_when_closed, args=(connection, "rank 0"), daemon=True).start()
    return json.loads(line)


def _end_when_closed(connection: socket.socket, whose: str) -> None:
    """torch.distributed would wait for the lost one for half an hour where it has not met it yet,
    and no signal or exception reaches a thread that waits there.
    """
    try:
        while connection.recv(100):
            pass
    except OSError:
        pass
    if not _over.wait(GRACE):
        log.error("the process of %s is gone; this one ends too", whose)
        os._exit(1)
