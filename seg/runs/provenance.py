"""Where a run comes from: the command, the machine, the code and the versions of packages."""

import datetime
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning
import torch

import seg


def facts() -> dict[str, Any]:
    """What run.json holds about this process."""
    return {
        "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": shlex.join(["python", *sys.orig_argv[1:]]),
        "pid": os.getpid(),
        "host": platform.node(),
        "git_commit": _git_commit(),
        "versions": {
            "seg": seg.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "pytorch_lightning": pytorch_lightning.__version__,
            "albumentations": importlib.metadata.version("albumentations"),
        },
    }


def _git_commit() -> str | None:
    """The commit of this code, with `+` if files differ from it; None outside a checkout."""
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
    kept = {"cwd": Path(__file__).parent, "capture_output": True, "text": True}
    try:
        return subprocess.run(command, check=True, timeout=10, **kept).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
