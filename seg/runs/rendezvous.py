"""The first process of a run tells the others its folder, and they notice one another's death.

Children that Lightning starts on the same machine read it from the environment. Processes on other
nodes, or started by torchrun or srun, connect to the port after MASTER_PORT; the connection stays
open while the network is trained, so that its end reports a death.

Not torch.distributed.TCPStore: nothing in it tells that a client died. A heartbeat through it would
also end ranks that are only suspended, or that wait for the interpreter's lock.
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

FOLDER, CHECKPOINT = VARIABLES = ("SEG_RUN_FOLDER", "SEG_CHECKPOINT")
# seconds for the first process to come: nodes of a queue do not start together, and it reads the
# data before it has a run folder
WAIT = 1800
GRACE = 20  # seconds for torch.distributed to report a death with a better message

_over = threading.Event()


def announce(
    folder: Path, checkpoint: Path | None, *, rank: ProcessRank, config: Mapping[str, Any]
) -> None:
    """Let the other ranks have the run folder, and the checkpoint that a resumed run starts from.

    Raises:
        ValueError: the port is taken.
    """
    _set_variables(folder, checkpoint)
    if rank.port is None:
        return
    _over.clear()
    port = rank.port + 1
    try:
        server = socket.create_server(("", port), backlog=1024)
    except OSError as error:
        raise ValueError(
            f"MASTER_PORT={rank.port}: port {port}, the one after it, is taken "
            f"({error.strerror}); choose another MASTER_PORT, the same on all nodes"
        ) from error
    content = {FOLDER: str(folder), CHECKPOINT: str(checkpoint or ""), "config": config}
    message = json.dumps(content).encode() + b"\n"
    threading.Thread(target=_serve, args=(server, message), daemon=True).start()


def receive(*, rank: ProcessRank, config: Mapping[str, Any]) -> tuple[Path, Path | None]:
    """What the first rank has announced.

    Raises:
        ValueError: the first process does not answer, or has another configuration.
        FileNotFoundError: its folder is not there on this node.
    """
    if FOLDER not in os.environ:
        _over.clear()
        content = _ask(rank)
        different = differences(content["config"], json.loads(json.dumps(config)))
        if different:
            raise ValueError(
                f"rank {rank.number} was started with another configuration than rank 0 "
                f"({'; '.join(different[:8])}); give the same command on every node"
            )
        checkpoint = content[CHECKPOINT]
        _set_variables(Path(content[FOLDER]), Path(checkpoint) if checkpoint else None)
        if not Path(content[FOLDER]).is_dir():
            raise FileNotFoundError(
                f"{content[FOLDER]}: rank 0 made this folder, and it is not there on "
                f"{socket.gethostname()}; output_dir must lie on storage that all nodes share"
            )
    path = os.environ.get(CHECKPOINT)
    return Path(os.environ[FOLDER]), Path(path) if path else None


def close() -> None:
    """Stop watching the other ranks and forget the shared run folder.

    Call it when fitting has ended, in whatever way.
    """
    _over.set()
    for key in VARIABLES:
        os.environ.pop(key, None)


def _set_variables(folder: Path, checkpoint: Path | None) -> None:
    os.environ[FOLDER] = str(folder)
    os.environ.pop(CHECKPOINT, None)
    if checkpoint is not None:
        os.environ[CHECKPOINT] = str(checkpoint)


def _serve(server: socket.socket, message: bytes) -> None:
    while True:
        connection, _ = server.accept()
        threading.Thread(target=_answer, args=(connection, message), daemon=True).start()


def _answer(connection: socket.socket, message: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    with connection, connection.makefile("rb") as lines:
        greeting = lines.readline(100)
        if not greeting.startswith(b"seg rank "):  # a stranger, whose leaving ends nothing
            return
        connection.sendall(message)
        _end_when_closed(connection, greeting.decode().removeprefix("seg ").strip())


def _ask(rank: ProcessRank) -> dict[str, Any]:
    if rank.address is None or rank.port is None:
        raise ValueError(
            f"LOCAL_RANK={rank.number} is set, but this process was not started by another one; "
            "unset LOCAL_RANK, and trainer.devices starts the processes"
        )
    deadline = time.monotonic() + WAIT
    while True:
        try:
            connection = socket.create_connection((rank.address, rank.port + 1), timeout=30)
            break
        except OSError as error:
            if time.monotonic() > deadline:
                raise ValueError(
                    f"MASTER_ADDR={rank.address}: no answer at port {rank.port + 1} for {WAIT} s "
                    f"({error}); is the command running on node 0, and the port open?"
                ) from error
            time.sleep(0.5)
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.sendall(f"seg rank {rank.number}\n".encode())
    line = connection.makefile("rb").readline()
    if not line:
        raise ValueError("rank 0 ended before the training began; see its own message")
    threading.Thread(target=_end_when_closed, args=(connection, "rank 0"), daemon=True).start()
    return json.loads(line)


def _end_when_closed(connection: socket.socket, owner: str) -> None:
    """End this process when a connection ends during the training.

    torch.distributed would wait half an hour for a rank that it has not met yet, and no signal or
    exception reaches a thread that waits there.
    """
    try:
        while connection.recv(100):
            pass
    except OSError:
        pass
    if not _over.wait(GRACE):
        log.error("the process of %s is gone; this one ends too", owner)
        os._exit(1)
