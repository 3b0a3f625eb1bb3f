"""How much memory is at hand, to this process, in the place where it runs."""

import os
from pathlib import Path

import torch

MIB = 1 << 20
ASSUMED = 2048 * MIB  # where the system does not tell
# More at once is not faster: the parts of an image should stay in the processor's reach.
MOST = 128 * MIB
MOST_OF_A_PASS = 768 * MIB  # on a CPU, where all else takes its share


def budget(available: int | None = None, *, share: float = 0.125) -> int:
    """Bytes that one image's probabilities may take at a time; `MOST`, or a share of what is there.

    The rest is for the image itself, the network, and what waits to be written.
    """
    return max(MIB, min(MOST, int(share * (at_hand() if available is None else available))))


def network_budget(device: torch.device | str = "cpu") -> int:
    """Bytes that one pass of a network may take: half of a GPU's free memory, or a quarter of what
    is at hand, at most `MOST_OF_A_PASS`.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // 2
    return max(MIB, min(MOST_OF_A_PASS, at_hand() // 4))


def at_hand(root: Path = Path("/")) -> int:
    """Bytes that can be had without swapping or being killed for it.

    The least of what the machine has left and what is left to the control groups of the process
    (containers, SLURM jobs). root: where proc/ and sys/ are.
    """
    return min([*_machine(root), *_groups(root)], default=ASSUMED)


def _machine(root: Path) -> list[int]:
    for line in _text(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return [1024 * int(line.split()[1])]
    try:  # macOS has no file of it
        return [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2]
    except (ValueError, OSError, AttributeError):
        return []


def _groups(root: Path) -> list[int]:
    """What is left to the group of the process, and to those that it is in."""
    found = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, name = line.split(":", 2)
        if controllers == "":
            base, limit, used = root / "sys/fs/cgroup", "memory.max", "memory.current"
            idle = "inactive_file"
        elif "memory" in controllers.split(","):
            base = root / "sys/fs/cgroup/memory"
            limit, used, idle = (
                "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
            )  # fmt: skip
        else:
            continue
        # within a container its own group is often shown as the top
        group = base / name.strip("/")
        for folder in [group, *(p for p in group.parents if p.is_relative_to(base))]:
            most, now = _text(folder / limit).strip(), _text(folder / used).strip()
            if most.isdigit() and now.isdigit():
                found.append(max(0, int(most) - int(now) + _stated(folder / "memory.stat", idle)))
    return found


def _stated(path: Path, name: str) -> int:
    """A figure of memory.stat: cached files count as used, and are given up when needed."""
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
