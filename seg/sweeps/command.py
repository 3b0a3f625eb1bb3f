"""A sweep from its command line to its leaderboard."""

import importlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from omegaconf import DictConfig
from rich.console import Console

from seg.cli import compose, console
from seg.cli.review import Reviewed
from seg.report import leaderboard
from seg.runs import lock
from seg.runs.run import fresh_folder
from seg.sweeps import folder as sweep_folder
from seg.sweeps import gpus
from seg.sweeps.isolation import isolated
from seg.sweeps.jobs import state

log = logging.getLogger(__name__)

LOG = 132  # columns of a table where there is no terminal

_errors: list[Exception] = []


@contextmanager
def errors_kept() -> Iterator[None]:
    """Keep a sweeper's error from Hydra, which would print its own account of it, for `sweep`."""
    try:
        yield
    except Exception as error:
        _errors.append(error)


def sweep(
    start: Callable[[list[str]], None],
    reviewed: Reviewed,
    *,
    lines: Sequence[str],
    flags: Sequence[str],
) -> int:
    """Run a sweep, or what is missing of it; returns how many of its jobs are not done.

    start: runs Hydra with these overrides. lines, flags: of the command line.
    """
    refuse(reviewed.configurations)
    first = reviewed.configurations[0]
    for problem in reviewed.wrong:
        log.warning("%s; the jobs with it will fail", problem)
    lines = [line for line in lines if not line.lstrip("+").startswith("resume=")]
    root = Path(first.output_dir).expanduser().absolute() / "multirun"
    who = sweep_folder.identity(lines, flags)
    place, held = sweep_folder.open_folder(
        first.resume, who, root, acquire=lock.acquire, fresh=fresh_folder
    )
    if sweep_folder.is_complete(place):
        log.info("%s is finished; nothing to do", place)
        return 0
    log.info("sweep folder: %s", place)
    _errors.clear()
    try:
        sweep_folder.begin(place, who, lines)
        sweeper = [f"hydra.sweeper._target_={compose.GRID}"] if reviewed.sweep.is_grid else []
        start([*lines, *sweeper, f"hydra.sweep.dir='{place}'", "hydra.mode=MULTIRUN"])
    finally:
        undone = finish(place)
        del held
    if _errors:
        raise _errors[0]
    return undone


def finish(place: Path) -> int:
    """Write and show the leaderboard, also of an interrupted sweep; returns the jobs not done."""
    try:
        rows = leaderboard.write(place)
    except OSError as error:  # must not hide what ended the sweep
        log.error("no leaderboard: %s", error)
        return 1
    console = Console() if sys.stdout.isatty() else Console(width=LOG)
    leaderboard.show(rows, place, console)
    return len(leaderboard.failed(rows))


def refuse(composed: Sequence[DictConfig]) -> None:
    """Raises ConfigError for what a sweep cannot do."""
    if any(cfg.trainer.devices != 1 or cfg.trainer.num_nodes != 1 for cfg in composed):
        raise compose.ConfigError([
            "trainer.devices: the jobs of a sweep train on one device each, since further ranks "
            "would start the whole sweep again; run several jobs side by side with "
            "hydra/launcher=joblib, or start runs over several devices one by one"
        ])  # fmt: skip


def as_job(task: Callable[[DictConfig], object]) -> Callable[[DictConfig], float]:
    """`task` as Hydra's launchers take it, in this process or in a worker on another machine."""
    module, name = importable(task)
    here, paths = os.getcwd(), list(sys.path)

    def job(cfg: DictConfig) -> float:
        enter(here, paths)
        place = compose.job_folder()
        log.info("job %s", place.name)

        def work() -> None:
            held = gpus.take(place.parent, gpus.visible()) if wants_gpu(cfg) else None
            getattr(home_of(module), name)(cfg)
            del held

        isolated(work, place)
        facts = state(place)
        best = f", val/dice {facts['val/dice']:.4f}" if "val/dice" in facts else ""
        log.info("job %s %s%s, %s s", place.name, facts["status"], best, facts.get("seconds", "-"))
        return facts.get("val/dice", float("nan"))

    return job


def wants_gpu(cfg: DictConfig) -> bool:
    return cfg.trainer.accelerator in ("auto", "gpu", "cuda")


def importable(task: Callable) -> tuple[str, str]:
    """The module and the name by which any process finds a function, also one of `python -m`."""
    module = sys.modules[task.__module__]
    spec = getattr(module, "__spec__", None)
    return (spec.name if spec is not None else task.__module__), task.__name__


def home_of(module: str) -> ModuleType:
    """The module, not imported once more where it is the one that was started."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    return main if spec is not None and spec.name == module else importlib.import_module(module)


def enter(folder: str, paths: Sequence[str]) -> None:
    """In a worker: where the command was started, with what it could import."""
    if not logging.getLogger("seg").handlers:
        console.speak()
    if os.getcwd() != folder and os.path.isdir(folder):
        os.chdir(folder)
    sys.path.extend(p for p in paths if p not in sys.path)
