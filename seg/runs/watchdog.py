"""A small process that says in run.json that a run was killed, when the run cannot."""

import contextlib
import datetime
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seg.runs import lock

STATUS_FILE = "run.json"
RESERVE = 8192  # bytes, more than any run.json takes
POLL = 0.5  # seconds, where the system cannot wait for a process that is no child


def write_status(content: dict[str, Any], folder: Path, *, final: bool) -> None:
    """Write run.json, whole or not at all; the `final` one, of a run's end, also on a full disk.

    Raises:
        OSError: it cannot be written.
    """
    text = json.dumps(content, indent=2) + "\n"
    path = folder / STATUS_FILE
    reserve, temporary = folder / f".{path.name}.reserve", folder / f".{path.name}.{os.getpid()}"
    if final:
        # Its blocks are there already: writing over them and renaming takes no further space.
        with contextlib.suppress(OSError), reserve.open("r+", encoding="utf-8") as handle:
            handle.write(text)
            handle.truncate()
            handle.flush()
            os.fsync(handle.fileno())
            os.replace(reserve, path)
            return
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if not final and not reserve.exists():
        reserve.write_text(" " * RESERVE, encoding="utf-8")


def record_death(folder: Path, *, status: str, error: str, pid: int | None = None) -> bool:
    """Say in run.json how a run ended that died without saying it, or could not start.

    A folder that a living process has, or whose run.json says how it ended, is left alone.

    Args:
        pid: the process that died; a run.json of another one is left alone. None: any.
    Returns:
        Whether run.json was written.
    Raises:
        OSError: it cannot be written.
    """
    own_lock = lock.acquire(folder)
    if own_lock is None:
        return False
    with own_lock:
        try:
            facts = json.loads((folder / STATUS_FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            facts = {"status": "running", "pid": pid}
        if facts["status"] != "running" or pid not in (None, facts["pid"]):
            return False
        if "started" in facts:
            started = datetime.datetime.fromisoformat(facts["started"]).timestamp()
            facts["seconds"] = round(facts.get("seconds", 0) + time.time() - started, 1)
            facts.pop("cpu_seconds", None)  # nobody knows those of this launch
        write_status(facts | {"status": status, "error": error}, folder, final=True)
    return True


def start(folder: Path) -> Callable[[], None]:
    """Watch this process from another one, which writes run.json if this one is killed.

    The other one has a session of its own, since a terminal, a shell or a scheduler kills groups
    of processes. It imports no packages: 13 MB. The function that is returned ends it.
    """
    root = str(Path(__file__).resolve().parents[2])
    code = (
        "import sys; sys.path.append(sys.argv[1]); from seg.runs import watchdog; watchdog.main()"
    )
    arguments = [sys.executable, "-I", "-S", "-c", code, root, str(os.getpid()), str(folder)]
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    watcher = subprocess.Popen(arguments, cwd="/", start_new_session=True, **quiet)

    def end() -> None:
        watcher.kill()
        watcher.wait()

    return end


def main() -> None:
    """The other process; sys.argv holds the process to watch, its parent, and the run folder."""
    pid, folder = int(sys.argv[2]), Path(sys.argv[3])
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # sent to all of a job, they are for the run
    _wait_for_end(pid)
    with contextlib.suppress(OSError):  # nobody is left to read an error
        record_death(folder, status="interrupted", error="killed", pid=pid)


def _wait_for_end(parent: int) -> None:
    try:
        descriptor = os.pidfd_open(parent)
    except (AttributeError, OSError):
        while os.getppid() == parent:
            time.sleep(POLL)
        return
    if os.getppid() == parent:  # else it was gone before, and the number may be another's
        select.select([descriptor], [], [])
