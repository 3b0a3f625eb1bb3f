"""How a door is opened: read the command line, review it, run, and report in one message."""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig

from seg.cli.compose import CONF_DIR, ConfigError
from seg.cli.console import report, speak
from seg.cli.overrides import parse, quoted
from seg.cli.review import review
from seg.runs import failures

# Hydra shall write and log nothing: the run folder is ours.
_QUIET = ["hydra.output_subdir=null", "hydra/job_logging=none", "hydra/hydra_logging=none"]


def launch(
    task: Callable[[DictConfig], Any], *, config_name: str, sweeps: bool = False
) -> NoReturn:
    """Open a door: read the command line, review it, run the task once or as a sweep, and exit.

    sweeps: whether the door takes any. Exit status: 0 done, 1 refused or failed, 130 after Ctrl-C,
    143 after SIGTERM.
    """
    speak()
    for number in {signal.SIGTERM, getattr(signal, "SIGUSR1", signal.SIGTERM)}:  # SLURM warns by it
        signal.signal(number, _terminated)
    threading.excepthook = _in_thread
    if os.environ.get("LOCAL_RANK", "0") != "0" and "SEG_RUN_FOLDER" in os.environ:
        threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        sys.exit(_open(task, config_name, sweeps))
    except (KeyboardInterrupt, Exception) as error:
        if isinstance(error, KeyboardInterrupt):  # a second one would end it with another status
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.exit(report(error))


def _open(task: Callable[[DictConfig], Any], config_name: str, sweeps: bool) -> int:
    arguments = _read_arguments(config_name)
    lines = [quoted(line) for line in arguments.overrides]
    flags = [a for a in sys.argv[1:] if a not in arguments.overrides]
    if arguments.config_path:  # Hydra would look beside this file, users mean where they stand
        absolute = str(Path(arguments.config_path).absolute())
        path = arguments.config_path
        given = {path: absolute, f"--config-path={path}": f"--config-path={absolute}"}
        flags = [given.get(flag, flag) for flag in flags]

    def start(function: Callable[[DictConfig], Any], overrides: list[str]) -> None:
        own = [line for line in ["hydra.run.dir=.", *_QUIET] if line not in overrides]
        sys.argv = [sys.argv[0], *flags, *overrides, *own]
        hydra.main(version_base="1.3", config_path=str(CONF_DIR), config_name=config_name)(
            function
        )()

    if arguments.hydra_help or arguments.help or arguments.info:
        start(task, lines)
        return 0
    if arguments.multirun and not sweeps:
        raise ConfigError([f"--multirun: seg.{config_name} does one thing at a time"])
    reviewed = review(arguments, door=config_name)
    several = [o.input_line for o in parse(lines)[0] if o.is_sweep_override()]
    if arguments.cfg and several:
        raise ConfigError(
            [f"{line}: --cfg shows one configuration; give one value" for line in several]
        )
    if reviewed.sweep is not None and not arguments.cfg:
        from seg.sweeps import command  # noqa: PLC0415  (which reads what sweeps alone need)

        job = command.as_job(task)
        undone = command.sweep(partial(start, job), reviewed, lines=lines, flags=flags)
        return 1 if undone else 0
    errors: list[Exception] = []
    start(_kept(task, errors), lines)
    if errors:
        raise errors[0]
    return 0


def _read_arguments(config_name: str) -> argparse.Namespace:
    try:
        arguments = get_args_parser().parse_intermixed_args()  # overrides on both sides of a flag
    except SystemExit as error:  # argparse has said what is wrong, and exits with 2
        raise SystemExit(1 if error.code else 0) from None
    arguments.config_name = arguments.config_name or config_name
    return arguments


def _kept(
    task: Callable[[DictConfig], Any], errors: list[Exception]
) -> Callable[[DictConfig], None]:
    """Keep errors from Hydra, which would print its own account of them."""

    def run(cfg: DictConfig) -> None:
        try:
            task(cfg)
        except Exception as error:
            errors.append(error)

    return run


def _end_with_parent(parent: int) -> None:
    """A further rank whose first rank was killed would wait for it for ever."""
    while os.getppid() == parent:
        time.sleep(5)
    os._exit(1)


def _in_thread(told: threading.ExceptHookArgs) -> None:
    """A writer's thread on a full disk fails as its main thread does, which says so in a line."""
    if not failures.is_full_disk(told.exc_value):
        threading.__excepthook__(told)


def _terminated(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)
