"""A small process that tells in run.json of the death of a run that could not tell itself."""

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

RESERVE = 8192  # bytes, more than any run.json takes
POLL = 0.5  # seconds, where the system cannot wait for a process that is no child


def reserve(folder: Path) -> Path:
    """The file that holds the disk space for run.json's last word."""
    return folder / ".run.json.reserve"


def write_status(content: dict[str, Any], folder: Path, *, final: bool) -> None:
    """Write run.json, whole or not at all; the final one also on a full disk.

    Raises OSError.
    """
    text = json.dumps(content, indent=2) + "\n"
    spare, target = reserve(folder), folder / "run.json"
    if final:
        # Its blocks are there already: writing over them and renaming takes no further space.
        with contextlib.suppress(OSError), spare.open("r+", encoding="utf-8") as handle:
            handle.write(text)
            handle.truncate()
            handle.flush()
            os.fsync(handle.fileno())
            os.replace(spare, target)
            return
    temporary = folder / f".run.json.{os.getpid()}"
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    if not final and not spare.exists():
        spare.write_text(" " * RESERVE, encoding="utf-8")


def close(folder: Path, *, status: str, error: str, pid: int | None = None) -> bool:
    """Say in run.json what became of a process that died without a word, or could not start;
    whether there was anything to say.

    Leaves alone a run.json that tells of an end already, or of another process than `pid` if one
    is given, and a folder that a living process holds. Adds the seconds since the start.

    Raises OSError if it cannot be written.
    """
    mine = lock.acquire(folder)
    if mine is None:
        return False
    with mine:
        path = folder / "run.json"
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            facts = {"status": "running", "pid": pid}
        if facts["status"] != "running" or pid not in (None, facts["pid"]):
            return False
        if "started" in facts:
            started = datetime.datetime.fromisoformat(facts["started"]).timestamp()
            facts["seconds"] = round(time.time() - started, 1)
        write_status(facts | {"status": status, "error": error}, folder, final=True)
    return True


def start(folder: Path) -> Callable[[], None]:
    """Watch this process from another one, which closes `folder` if this one dies; returns what
    ends the watch.

    The other one has a session of its own, since a terminal, a shell or a scheduler kills groups
    of processes. It loads none of the packages: 13 MB.
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
    """The other process: argv holds the process to watch, which has started this one, and the
    folder.
    """
    pid, folder = int(sys.argv[2]), Path(sys.argv[3])
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # told to all of a job, they are for the run
    wait_for_end(pid)
    with contextlib.suppress(OSError):  # nobody is left to tell
        close(folder, status="interrupted", error="killed", pid=pid)


def wait_for_end(parent: int) -> None:
    """Return when the process that started this one is gone."""
    try:
        descriptor = os.pidfd_open(parent)
    except (AttributeError, OSError):
        while os.getppid() == parent:
            time.sleep(POLL)
        return
    if os.getppid() == parent:  # else it was gone before, and the number may be another's
        select.select([descriptor], [], [])
