"""One command line of `seg.evaluate` as many: each run on each data set."""

import logging
import os
import re
import shlex
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from seg.cli.compose import ConfigError, plain
from seg.cli.datasets import Datasets, as_override, overrides, read_datasets
from seg.cli.flags import folders_of
from seg.cli.review import review
from seg.runs.find import find
from seg.runs.folder import RunFolder

log = logging.getLogger(__name__)

UNFINISHED = ("running", "failed", "interrupted", "pruned")
MANY = ("runs", "datasets", "again")


@dataclass(frozen=True)
class Cell:
    """One run on one data set.

    Args:
        run: the run folder.
        dataset: its name; "" for what the command line itself says.
        lines: the overrides of the evaluation.
    """

    run: Path
    dataset: str
    lines: tuple[str, ...]

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"{self.run}{f' on {self.dataset}' if self.dataset else ''}"


class CommandLine:
    """The command line that Hydra runs now, to be composed again with other values.

    Args:
        cfg: the configuration of the command.

    Attributes:
        shown: its runs and data sets, as they are typed for `seg.compare`.
    """

    def __init__(self, cfg: DictConfig) -> None:
        settings = HydraConfig.get()
        folders = folders_of(settings)
        self.arguments = {
            "config_name": settings.job.config_name,
            "config_path": folders["main"],
            "config_dir": folders.get("command-line"),
            "multirun": False,
            "cfg": None,
        }
        one = [Path(cfg.run or "").expanduser().absolute()]
        self.runs = one if cfg.runs is None else find(plain(cfg)["runs"])
        self.datasets = None if cfg.datasets is None else read_datasets(plain(cfg)["datasets"])
        shown = [line for line in settings.overrides.task if line.startswith(("run", "datasets="))]
        self.shown = " ".join(shlex.quote(re.sub("^run=", "runs=", line)) for line in shown)
        skipped = {f"{key}=" for key in ("run", *MANY)}
        self.rest = [
            line
            for line in settings.overrides.task
            if not any(line.lstrip("+").startswith((key, f"{key[:-1]}.")) for key in skipped)
        ]

    def cells(self) -> list[Cell]:
        """Every run on every data set.

        Raises:
            ConfigError: all that is wrong with the data sets.
            ValueError: no run has finished.
        """
        datasets: Datasets = {"": {}} if self.datasets is None else self.datasets
        folders = [folder for run in self.runs if self._is_wanted(folder := RunFolder(run))]
        if not folders:
            raise ValueError("runs: none of them has finished; run=RUN_DIR takes one as it is")
        wrong: list[str] = []
        for name, keys in datasets.items():  # whatever the run is
            other = [f for f in folders if not is_own(f, name, keys)]
            try:
                self.compose(self._cell((other or folders)[0], name, keys))
            except ConfigError as error:
                wrong += [f"datasets.{name}: {line}" if name else line for line in error.problems]
        if wrong:
            raise ConfigError(wrong)
        cells = (self._cell(f, name, keys) for f in folders for name, keys in datasets.items())
        return list(dict.fromkeys(cells))  # `test` and its own name are the same for a run

    def _is_wanted(self, folder: RunFolder) -> bool:
        """Of several runs those that did not finish are left out."""
        if len(self.runs) == 1 or folder.status not in UNFINISHED:
            return True
        log.info("left out: %s: %s", folder.path, folder.status)
        return False

    def _cell(self, folder: RunFolder, name: str, keys: Mapping[str, Any]) -> Cell:
        if is_own(folder, name, keys):  # not the images that it was trained on
            name, keys = "test", {k: v for k, v in keys.items() if k == "root"}
        more = overrides(name, keys) if name else []
        return Cell(folder.path, name, (f"run={as_override(str(folder.path))}", *self.rest, *more))

    def compose(self, cell: Cell) -> DictConfig:
        """The configuration of one evaluation, as if it was given alone.

        Raises:
            ConfigError: all that is wrong with it.
        """
        GlobalHydra.instance().clear()  # this command's own, which composes nothing any more
        arguments = Namespace(**self.arguments, overrides=list(cell.lines))
        return review(arguments, command="evaluate").configurations[0]


def is_own(folder: RunFolder, name: str, keys: Mapping[str, Any]) -> bool:
    """Whether a data set of `datasets` is the one that a run was trained on.

    Args:
        name: of the data set.
        keys: of the data set; a root that is not the run's own makes it another one.
    """
    if name != folder.dataset_name:
        return False
    own, root = folder.get("dataset.root"), keys.get("root")
    if root is None or own is None or not Path(str(own)).exists():
        return True
    return os.path.realpath(Path(str(root)).expanduser()) == os.path.realpath(str(own))
