"""The commands as a user runs them, each in a process of its own."""

import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def seg(command: str, *argv: str, cwd: Path) -> str:
    """Run `python -m seg.<command>`, which must succeed; returns what it printed."""
    return _printed(forked(command, *argv, cwd=cwd))


def python(*argv: str, cwd: Path) -> str:
    """Run this interpreter, which must succeed; returns what it printed."""
    return _printed(started(*argv, cwd=cwd))


def _printed(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 0, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def started(*argv: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run this interpreter; returns its exit code and what it printed."""
    return subprocess.run(
        [sys.executable, *argv],
        cwd=cwd, capture_output=True, text=True, timeout=600, env=environment_of(**environment),
    )  # fmt: skip


def environment_of(**more: str) -> dict[str, str]:
    """The environment of a command that is started: this tree, one thread, and `more`."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **more}


def forked(command: str, *argv: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run `python -m seg.<command>` in a fork of this process, which has imported torch already.

    A new interpreter would take some seconds for its imports alone.
    """
    if sys.platform != "linux":
        return started("-m", f"seg.{command}", *argv, cwd=cwd, **environment)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        sys.stdout.flush()
        sys.stderr.flush()
        process = os.fork()
        if process == 0:
            _become(command, argv, cwd, environment, out.fileno(), err.fileno())
        _, status = os.waitpid(process, 0)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(argv, os.waitstatus_to_exitcode(status), *texts)


def _become(
    command: str, argv: tuple[str, ...], cwd: Path, environment: dict[str, str], out: int, err: int
) -> None:
    """Run the command in this process, and end it."""
    status = 1
    try:
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout, sys.stderr = (
            os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2)
        )
        os.chdir(cwd)
        os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | environment
        sys.argv = ["-m", *argv]
        sys.orig_argv = [sys.executable, "-m", f"seg.{command}", *argv]
        sys.modules.pop(f"seg.{command}", None)  # runpy warns of a module that is there
        runpy.run_module(f"seg.{command}", run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
