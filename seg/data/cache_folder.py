"""The folder of the caches: which are complete, which builds were killed, how large they are."""

import os
import re
import shutil
import socket
import time
from pathlib import Path

# A complete cache, or one that a process on some machine is building.
_NAME = re.compile(r"\.?(?:\d+x\d+|original)-[0-9a-f]{20}(?:-(?P<host>.+)-(?P<pid>\d+)-[^-]*)?")
STALE = 24 * 3600  # seconds without a write after which another machine's build counts as killed


def build_prefix(name: str) -> str:
    """Prefix of the folder in which this process builds the cache `name`."""
    return f".{name}-{socket.gethostname()}-{os.getpid()}-"


def dead_builds(folder: Path) -> list[Path]:
    """Unfinished caches whose process is gone or, on another machine, has not written for a day."""
    dead = []
    for path in folder.glob(".*"):
        match = _NAME.fullmatch(path.name)
        if match is None or match["host"] is None:
            continue
        try:
            last_write = max(p.stat().st_mtime for p in (path, *path.iterdir()))
        except OSError:
            continue  # finished meanwhile
        killed = match["host"] == socket.gethostname() and not _is_alive(int(match["pid"]))
        if killed or time.time() - last_write > STALE:
            dead.append(path)
    return dead


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def cache_sizes(folder: Path) -> list[tuple[Path, int]]:
    """The caches in a folder, unfinished ones included, with their size in bytes."""
    if not folder.is_dir():
        return []
    caches = [p for p in sorted(folder.iterdir()) if _NAME.fullmatch(p.name) and p.is_dir()]
    return [(p, sum(f.stat().st_size for f in p.glob("*") if f.exists())) for p in caches]


def clear(folder: Path) -> int:
    """Delete all caches in a folder but those being built; returns the bytes that are freed."""
    dead = dead_builds(folder)
    caches = [c for c in cache_sizes(folder) if not c[0].name.startswith(".") or c[0] in dead]
    for path, _ in caches:
        shutil.rmtree(path, ignore_errors=True)
    return sum(size for _, size in caches)
