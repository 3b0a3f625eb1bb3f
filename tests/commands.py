"""The commands as a user runs them, each in a process of its own."""

import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
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
    process = begun(command, *argv, cwd=cwd, **environment)
    try:
        texts = process.communicate(timeout=600)
    finally:
        process.kill()
    return subprocess.CompletedProcess(argv, process.returncode, *texts)


def begun(
    command: str, *argv: str, cwd: Path, **environment: str
) -> "subprocess.Popen[str] | Forked":
    """The same without waiting for its end, in a session of its own."""
    if sys.platform == "linux":
        return Forked(command, argv, cwd, environment)
    return subprocess.Popen(
        [sys.executable, "-m", f"seg.{command}", *argv], cwd=cwd, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env=environment_of(**environment),
    )  # fmt: skip


class Forked:
    """What the tests use of `subprocess.Popen`, of a fork of this process."""

    def __init__(
        self, command: str, argv: tuple[str, ...], cwd: Path, environment: dict[str, str]
    ) -> None:
        self.argv, self.returncode = argv, None
        self.files = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115 - for its life
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            _become(command, argv, cwd, environment, *(file.fileno() for file in self.files))

    def poll(self) -> int | None:
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if ended else None
        return self.returncode

    def wait(self, timeout: float = 600) -> int:
        until = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(self.argv, timeout, *self._texts())
            time.sleep(0.01)
        return self.returncode

    def communicate(self, timeout: float = 600) -> list[str]:
        """What it printed, and its messages, at its end."""
        self.wait(timeout)
        return self._texts()

    def _texts(self) -> list[str]:
        # by pread, since the process writes at the place that seek() would move
        sizes = [os.fstat(file.fileno()).st_size for file in self.files]
        return [
            os.pread(file.fileno(), size, 0).decode()
            for file, size in zip(self.files, sizes, strict=True)
        ]

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


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
