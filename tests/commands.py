"""The commands as a user runs them, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path


def seg(command: str, *argv: str, cwd: Path) -> str:
    """Run `python -m seg.<command>`, which must succeed; returns what it printed."""
    return python("-m", f"seg.{command}", *argv, cwd=cwd)


def python(*argv: str, cwd: Path) -> str:
    """Run this interpreter, which must succeed; returns what it printed."""
    done = subprocess.run(
        [sys.executable, *argv],
        cwd=cwd, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr
