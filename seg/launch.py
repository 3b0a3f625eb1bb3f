"""How a door is opened: read the command line, review it, run, and report in one message."""

import argparse
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from seg.config import CONF_DIR, MAX_LINES, ConfigError
from seg.review import parse, quoted, review

log = logging.getLogger("seg")

# Hydra shall write and log nothing: the run folder is ours.
_QUIET = ["hydra.output_subdir=null", "hydra/job_logging=none", "hydra/hydra_logging=none"]


def launch(
    task: Callable[[DictConfig], Any],
    *,
    config_name: str,
    sweep_folder: Callable[[Path], Path] | None = None,
    after_sweep: Callable[[Path], int] = lambda folder: 0,
) -> None:
    """Open a door: read the command line, review it, run the task once or as a sweep, and exit.

    sweep_folder: makes the folder of a sweep below the given one; None for a door that takes no
    sweeps. after_sweep: sums it up, and returns how many jobs failed. Exit status: 0 done, 1
    refused or failed, 130 after Ctrl-C, 143 after SIGTERM.
    """
    _say_little()
    signal.signal(signal.SIGTERM, _terminated)
    if os.environ.get("LOCAL_RANK", "0") != "0" and "SEG_RUN_FOLDER" in os.environ:
        threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    folder = None
    try:
        arguments = _read_arguments(config_name)
        lines = [quoted(line) for line in arguments.overrides]
        flags = [a for a in sys.argv[1:] if a not in arguments.overrides]
        if arguments.config_path:  # Hydra would look beside this file, users mean where they stand
            absolute = str(Path(arguments.config_path).absolute())
            path = arguments.config_path
            given = {path: absolute, f"--config-path={path}": f"--config-path={absolute}"}
            flags = [given.get(flag, flag) for flag in flags]
        if not (arguments.hydra_help or arguments.help or arguments.info):
            if arguments.multirun and sweep_folder is None:
                raise ConfigError([f"--multirun: seg.{config_name} does one thing at a time"])
            composed = review(arguments, door=config_name)
            if arguments.multirun and sweep_folder is not None:
                _refuse_in_sweeps(composed)
                root = Path(composed[0].output_dir).expanduser().absolute()
                folder = sweep_folder(root / "multirun")
                lines += _sweep_overrides(lines, folder)
        lines += [line for line in ["hydra.run.dir=.", *_QUIET] if line not in lines]
        sys.argv = [sys.argv[0], *flags, *lines]
        errors: list[Exception] = []
        main = hydra.main(version_base="1.3", config_path=str(CONF_DIR), config_name=config_name)
        main(_kept(task, errors))()
        failed = after_sweep(folder) if folder is not None else 0
        if errors and folder is None:
            raise errors[0]
    except (KeyboardInterrupt, Exception) as error:
        if folder is not None:
            after_sweep(folder)
        sys.exit(report(error))
    sys.exit(1 if failed else 0)


def _read_arguments(config_name: str) -> argparse.Namespace:
    try:
        arguments = get_args_parser().parse_args()
    except SystemExit as error:  # argparse has said what is wrong, and exits with 2
        raise SystemExit(1 if error.code else 0) from None
    arguments.config_name = arguments.config_name or config_name
    return arguments


def _refuse_in_sweeps(composed: Sequence[DictConfig]) -> None:
    problems = []
    if any(cfg.trainer.devices != 1 or cfg.trainer.num_nodes != 1 for cfg in composed):
        problems.append(
            "trainer.devices: a sweep trains its jobs one after the other in this process, on one "
            "device each; start runs over several devices one by one"
        )
    if any(cfg.resume is not None for cfg in composed):
        problems.append("resume: a sweep cannot be resumed yet; start its missing jobs by hand")
    if problems:
        raise ConfigError(problems)


def _sweep_overrides(lines: Sequence[str], folder: Path) -> list[str]:
    overrides, _ = parse(lines)
    swept = {o.key_or_group for o in overrides if o.is_sweep_override()}
    constant = [o.key_or_group for o in overrides if o.key_or_group not in swept]
    return [
        f"hydra.sweep.dir='{folder}'",
        "hydra.sweep.subdir='${job_name:${hydra.job.num},${hydra.job.override_dirname}}'",
        f"hydra.job.config.override_dirname.exclude_keys=[{','.join(constant)}]",
    ]


def _kept(
    task: Callable[[DictConfig], Any], errors: list[Exception]
) -> Callable[[DictConfig], None]:
    """Keep errors from Hydra, which would print its own account of them and end the sweep."""

    def run(cfg: DictConfig) -> None:
        try:
            task(cfg)
        except Exception as error:
            errors.append(error)
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                report(error)

    return run


def report(error: BaseException) -> int:
    """Print one short message; returns the exit status."""
    if isinstance(error, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return 130
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        raise error
    if isinstance(error, OSError) and error.filename is not None:
        error = OSError(f"{error.filename}: {error.strerror}")
    lines = str(error).strip().splitlines() or [type(error).__name__]
    shown = lines[: MAX_LINES + 1]
    if not isinstance(error, ValueError | OSError | ImportError):
        shown[0] = f"{type(error).__name__}: {shown[0]}"
        shown.append("(HYDRA_FULL_ERROR=1 shows where)")
    print("error:", "\n".join(shown), file=sys.stderr)
    return 1


def _end_with_parent(parent: int) -> None:
    """A further rank whose first rank was killed would wait for it for ever."""
    while os.getppid() == parent:
        time.sleep(5)
    os._exit(1)


def _terminated(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)


def _say_little() -> None:
    """Our own lines on stderr, and of the libraries' only what a user can act on."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    handler = logging._StderrHandler()  # looks sys.stderr up anew, which a progress bar redirects
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [handler]
    further_rank = os.environ.get("LOCAL_RANK", "0") != "0"
    log.setLevel(logging.ERROR if further_rank else logging.INFO)
    log.propagate = False
    for name in ("pytorch_lightning", "lightning_fabric", "torch.distributed", "matplotlib"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for module in (
        "pytorch_lightning",
        "lightning_fabric",
        "torch",
        "torchmetrics",
        "albumentations",
        "hydra",
    ):
        warnings.filterwarnings("ignore", module=rf"{module}\..*")
