"""The folder where caches lie: what is whole, what is dead, how much it takes."""

import os
import re
import shutil
import socket
import time
from pathlib import Path

# A whole cache, or one that a process of some machine is building.
_NAME = re.compile(r"\.?\d+x\d+-[0-9a-f]{20}(?:-(?P<host>.+)-(?P<pid>\d+)-[^-]*)?")
STALE = 24 * 3600  # seconds without a write after which another machine's unfinished cache is dead


def building(name: str) -> str:
    """Prefix of the folder in which this process builds the cache `name`."""
    return f".{name}-{socket.gethostname()}-{os.getpid()}-"


def unfinished(folder: Path) -> list[Path]:
    """What builds that were killed have left: their process is gone, or has long been silent."""
    dead = []
    for path in folder.glob(".*"):
        named = _NAME.fullmatch(path.name)
        if named is None or named["host"] is None:
            continue
        try:
            last = max(p.stat().st_mtime for p in (path, *path.iterdir()))
            silent = time.time() - last > STALE
        except OSError:
            continue  # finished meanwhile
        if silent or (named["host"] == socket.gethostname() and not _alive(int(named["pid"]))):
            dead.append(path)
    return dead


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def stored(folder: Path) -> list[tuple[Path, int]]:
    """The caches in a folder, unfinished ones included, with the bytes that each takes."""
    if not folder.is_dir():
        return []
    kept = [p for p in sorted(folder.iterdir()) if _NAME.fullmatch(p.name) and p.is_dir()]
    return [(p, sum(f.stat().st_size for f in p.glob("*") if f.exists())) for p in kept]


def clear(folder: Path) -> int:
    """Delete all caches in a folder, and nothing else there; returns the bytes freed. What a living
    process is building stays.
    """
    dead = unfinished(folder)
    caches = [c for c in stored(folder) if not c[0].name.startswith(".") or c[0] in dead]
    for path, _ in caches:
        shutil.rmtree(path, ignore_errors=True)
    return sum(size for _, size in caches)
