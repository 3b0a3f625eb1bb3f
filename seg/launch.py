"""How every command runs: read the command line, review it, run, and exit with a status."""

import argparse
import gc
import importlib
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig

import seg
from seg.cli.aliases import flag_problem
from seg.cli.compose import CONF_DIR, ConfigError
from seg.cli.console import quiet_libraries, report, set_up_logging
from seg.cli.help import text as help_text
from seg.cli.overrides import parse, quoted
from seg.cli.review import review
from seg.runs import failures
from seg.runs.interrupts import SIGNALS

SAME_COMMAND = "the same command goes on"
Task = Callable[[DictConfig], Any] | str

# What is imported stays, so that looking through it for garbage again and again is time lost.
_IMPORTING = 1_000_000  # new objects until the next look, while something is imported
_USUAL = gc.get_threshold()[0]

# Hydra writes no folder and no log of its own: the run folder has both.
_QUIET = ["hydra.run.dir=.", "hydra.output_subdir=null"]
_QUIET += ["hydra/job_logging=none", "hydra/hydra_logging=none"]


def launch(task: Task, *, config_name: str, sweeps: bool = False) -> NoReturn:
    """Run a command and exit: 0 done, 1 refused or failed, 130 after Ctrl-C, 143 after SIGTERM.

    Args:
        task: what the command does with its configuration: a function, or `module.function`, which
            is imported when the command line has been found right. That takes seconds.
        config_name: of the command's file in conf/.
        sweeps: whether it takes several values of a key.
    """
    gc.set_threshold(_IMPORTING)
    set_up_logging()
    for number in SIGNALS:
        signal.signal(number, _exit_by_signal)
    threading.excepthook = failures.report_thread
    if os.environ.get("LOCAL_RANK", "0") != "0" and "SEG_RUN_FOLDER" in os.environ:
        threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        sys.exit(_run(task, config_name, sweeps))
    except (KeyboardInterrupt, Exception) as error:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it would change the exit status
        sys.exit(report(error, go_on=_how_to_go_on(config_name, error)))


def _run(task: Task, config_name: str, sweeps: bool) -> int:
    if "--version" in sys.argv[1:]:  # Hydra would tell its own
        print(f"seg {seg.__version__}")
        return 0
    arguments = _read_arguments(config_name)
    lines = [quoted(line, config_name) for line in arguments.overrides]
    flags = [argument for argument in sys.argv[1:] if argument not in arguments.overrides]
    if arguments.config_path:  # Hydra would look beside this file, users mean where they stand
        path, absolute = arguments.config_path, str(Path(arguments.config_path).absolute())
        full = {path: absolute, f"--config-path={path}": f"--config-path={absolute}"}
        flags = [full.get(flag, flag) for flag in flags]

    def start_hydra(function: Task, overrides: list[str]) -> None:
        quiet = [line for line in _QUIET if line not in overrides]
        sys.argv = [sys.argv[0], *flags, *overrides, *quiet]
        main = hydra.main(version_base="1.3", config_path=str(CONF_DIR), config_name=config_name)
        main(function)()

    if (arguments.help or arguments.cfg) and hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` ends it without a word
    if arguments.help:
        print(help_text(arguments, config_name))
        return 0
    if arguments.hydra_help or arguments.info:
        start_hydra(_no_task, lines)
        return 0
    if arguments.multirun and not sweeps:
        raise ConfigError([f"--multirun: seg.{config_name} does one thing at a time"])
    reviewed = review(arguments, command=config_name, files=True)
    if arguments.cfg:
        several = [o.input_line for o in parse(lines)[0] if o.is_sweep_override()]
        problems = [f"{line}: --cfg shows one configuration; give one value" for line in several]
        if problems:
            raise ConfigError(problems)
        start_hydra(_no_task, lines)
        return 0
    task = _imported(task)
    if reviewed.sweeper is not None:
        from seg.sweeps import command  # noqa: PLC0415  (a single run does not need its imports)

        start = partial(start_hydra, command.as_job(task))
        try:
            return 1 if command.sweep(start, reviewed, lines=lines, flags=flags) else 0
        except KeyboardInterrupt:
            raise KeyboardInterrupt(SAME_COMMAND) from None
    if flags or any("hydra" in line.partition("=")[0] for line in lines):
        _run_in_hydra(partial(start_hydra, overrides=lines), task)
    else:
        task(reviewed.configurations[0])  # composing it once more would take time
    return 0


def _imported(task: Task) -> Callable[[DictConfig], Any]:
    if isinstance(task, str):
        module, _, name = task.rpartition(".")
        task = getattr(importlib.import_module(module), name)
        quiet_libraries()
    gc.freeze()
    gc.set_threshold(_USUAL)
    return task


def _run_in_hydra(start: Callable[[Task], None], task: Task) -> None:
    """Run a task as Hydra's own command line does, with what its keys and flags ask for."""
    errors: list[Exception] = []

    def run(cfg: DictConfig) -> None:
        try:
            task(cfg)
        except Exception as error:  # Hydra would print its own account of it
            errors.append(error)

    start(run)
    if errors:
        raise errors[0]


def _how_to_go_on(command: str, error: BaseException) -> str:
    """After Ctrl-C, what is typed to go on; nothing where the command starts anew."""
    said = error.args if isinstance(error, KeyboardInterrupt) else ()  # what a run has saved
    if command == "predict":
        return SAME_COMMAND
    if command != "train" or not said or SAME_COMMAND in said:
        return ""
    given = [word for word in sys.orig_argv[1:] if word.startswith("resume=")]
    resume = given[-1:] if given and given[-1] != "resume=null" else ["resume=auto"]
    words = [word for word in sys.orig_argv[1:] if word not in given]
    return f"go on with: {shlex.join(['python', *words, *resume])}"


def _no_task(cfg: DictConfig) -> None:
    """For Hydra, where it only shows something."""


def _read_arguments(config_name: str) -> argparse.Namespace:
    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:  # argparse would print its usage, and exit with 2
        flags = [w for w in message.partition("arguments: ")[2].split() if w.startswith("-")]
        raise ConfigError([flag_problem(config_name, flag) for flag in flags] or [message])

    parser.error = refuse
    arguments = parser.parse_intermixed_args()  # overrides on both sides of a flag
    arguments.config_name = arguments.config_name or config_name
    return arguments


def _end_with_parent(parent: int) -> None:
    """End a further rank whose first rank was killed; it would wait for it for ever."""
    while os.getppid() == parent:
        time.sleep(5)
    os._exit(1)


def _exit_by_signal(signum: int, frame: object) -> None:
    raise SystemExit(128 + signum)
