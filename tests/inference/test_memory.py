"""What a process may take, from the files in which Linux says so."""

import os
from pathlib import Path

import pytest

from seg.inference.memory import ASSUMED, MIB, MOST, available, budget

MACHINE = "MemTotal:  16000 kB\nMemFree:  1 kB\nMemAvailable:  8000 kB\nBuffers: 3 kB\n"


def write(root: Path, files: dict[str, object]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(str(text))
    return root


def test_a_machine_of_its_own_gives_what_is_available_not_what_is_free(tmp_path: Path) -> None:
    assert available(write(tmp_path, {"proc/meminfo": MACHINE})) == 8000 * 1024


def test_the_narrowest_group_around_a_process_counts(tmp_path: Path) -> None:
    base = "sys/fs/cgroup"
    root = write(
        tmp_path,
        {
            "proc/meminfo": MACHINE,
            "proc/self/cgroup": "0::/job/step\n",
            f"{base}/job/step/memory.max": "max\n",
            f"{base}/job/step/memory.current": 100,
            f"{base}/job/memory.max": "5000\n",
            f"{base}/job/memory.current": "4000\n",
            f"{base}/job/memory.stat": "anon 7\ninactive_file 300\nactive_file 9\n",
            f"{base}/memory.max": 10**12,
            f"{base}/memory.current": 0,
        },
    )
    assert available(root) == 5000 - 4000 + 300


def test_a_container_that_shows_its_group_as_the_top_is_seen(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/meminfo": MACHINE,
            "proc/self/cgroup": "0::/docker/abc\n",
            "sys/fs/cgroup/memory.max": 2000,
            "sys/fs/cgroup/memory.current": 500,
        },
    )
    assert available(root) == 1500


def test_groups_of_the_older_kind_are_read(tmp_path: Path) -> None:
    base = "sys/fs/cgroup/memory/job"
    root = write(
        tmp_path,
        {
            "proc/meminfo": MACHINE,
            "proc/self/cgroup": "5:cpu,cpuacct:/other\n4:memory:/job\n",
            f"{base}/memory.limit_in_bytes": 6000,
            f"{base}/memory.usage_in_bytes": 5900,
            f"{base}/memory.stat": "inactive_file 1\ntotal_inactive_file 400\n",
        },
    )
    assert available(root) == 500


def test_a_group_that_is_full_leaves_nothing_and_still_a_little_is_tried(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": 10,
            "sys/fs/cgroup/memory.current": 20,
        },
    )
    assert available(root) == 0
    assert budget(0) == MIB


def test_where_the_system_says_nothing_a_value_is_assumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(os, "sysconf", unknown)
    assert available(tmp_path) == ASSUMED


def test_a_budget_is_a_share_and_never_more_than_is_of_use() -> None:
    assert budget(400 * MIB) == 50 * MIB
    assert budget(1 << 60) == MOST


def test_this_machine_has_some() -> None:
    assert MIB < available() < 1 << 50
