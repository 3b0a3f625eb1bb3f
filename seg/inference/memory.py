"""Memory that this process may use, on this machine or in its container or SLURM job."""

import os
from pathlib import Path

import torch

MIB = 1 << 20
ASSUMED = 2048 * MIB  # where the system does not say
# More is not faster: the strips of an image should stay in the processor's cache.
MOST = 128 * MIB
MOST_OF_A_PASS = 768 * MIB  # on a CPU, where everything else needs memory as well


def budget(memory: int | None = None) -> int:
    """Bytes for one image's probabilities: an eighth of `memory`, or of what is available.

    The rest is for the image itself, the network, and what waits to be written.
    """
    return max(MIB, min(MOST, (available() if memory is None else memory) // 8))


def network_budget(device: torch.device | str = "cpu") -> int:
    """Bytes for one pass of a network: half of a GPU's free memory, or a quarter of the available
    memory, at most `MOST_OF_A_PASS`.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // 2
    return max(MIB, min(MOST_OF_A_PASS, available() // 4))


def available(root: Path = Path("/")) -> int:
    """Bytes that can be had without swapping or being killed.

    The least of what is left to the machine and to the control groups of this process (containers,
    SLURM jobs), as proc/ and sys/ in `root` say.
    """
    return min([*_machine(root), *_control_groups(root)], default=ASSUMED)


def _machine(root: Path) -> list[int]:
    for line in _text(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return [1024 * int(line.split()[1])]
    try:  # macOS has no proc/
        return [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2]
    except (ValueError, OSError, AttributeError):
        return []


def _control_groups(root: Path) -> list[int]:
    """What is left to the process's group and to each group that contains it."""
    left = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, name = line.split(":", 2)
        if controllers == "":  # version 2
            base, limit, used = root / "sys/fs/cgroup", "memory.max", "memory.current"
            idle = "inactive_file"
        elif "memory" in controllers.split(","):  # version 1
            base = root / "sys/fs/cgroup/memory"
            limit, used = "memory.limit_in_bytes", "memory.usage_in_bytes"
            idle = "total_inactive_file"
        else:
            continue
        # within a container its own group is often shown as the top
        group = base / name.strip("/")
        for folder in [group, *(p for p in group.parents if p.is_relative_to(base))]:
            most, now = _text(folder / limit).strip(), _text(folder / used).strip()
            if most.isdigit() and now.isdigit():
                # cached files count as used, and are given up when memory is needed
                cached = _statistic(folder / "memory.stat", idle)
                left.append(max(0, int(most) - int(now) + cached))
    return left


def _statistic(path: Path, name: str) -> int:
    """A value of memory.stat; 0 if it is not there."""
    for line in _text(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
