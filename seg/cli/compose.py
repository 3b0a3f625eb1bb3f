"""Where conf/ is, what a configuration is composed of, and check(cfg)."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seg.cli import check as checks

_SEG = Path(__file__).parents[1]
_PACKAGED = _SEG / "conf"
CONF_DIR = _PACKAGED if _PACKAGED.is_dir() else _SEG.parent / "conf"

MAX_LINES = 18


class ConfigError(ValueError):
    """A configuration that is refused; the message lists all that is wrong with it."""

    def __init__(self, problems: Sequence[str]) -> None:
        shown = [f"  {p}" for p in problems[:MAX_LINES]]
        if len(problems) > MAX_LINES:
            shown.append(f"  ... and {len(problems) - MAX_LINES} more")
        super().__init__("\n".join(["the configuration is refused:", *shown]))
        self.problems = list(problems)


def out_channels(classes: Any) -> int:
    """Channels of logits for `dataset.classes`: 1 for one class, else classes and background."""
    count = 1 if classes is None else len(classes)
    return 1 if count == 1 else count + 1


# What every configuration needs, and whoever composes, checks or builds one imports this module.
OmegaConf.register_new_resolver("out_channels", out_channels, replace=True)
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network when imported


def plain(cfg: Any) -> Any:
    """Resolved plain containers of a configuration node."""
    return OmegaConf.to_container(cfg, resolve=True, throw_on_missing=False)


def check(cfg: DictConfig, *, door: str = "train") -> None:
    """Raises ConfigError with everything that is wrong in a configuration of `door`."""
    problems = [f"{key}: required; give {key}=..." for key in sorted(OmegaConf.missing_keys(cfg))]
    if not problems:
        try:
            content = plain(cfg)
        except OmegaConfBaseException as error:
            problems = [str(error).splitlines()[0]]
        else:
            known = OmegaConf.load(CONF_DIR / f"{door}.yaml")
            keys = [str(k) for k in known if k not in ("defaults", "hydra")]
            choices = [item for d in known.defaults if d != "_self_" for item in d.items()]
            choices = [item for item in choices if item[0] != "sweep"]  # which leaves nothing here
            # what is null there may be left out; `experiment` leaves nothing under its own name
            groups = [str(g) for g, choice in choices if choice is not None or _chosen(content, g)]
            problems = checks.check(content, keys=keys, groups=groups)
            sections = OmegaConf.to_container(OmegaConf.masked_copy(known, keys))
            problems += checks.unknown_below(content, sections)
    if problems:
        raise ConfigError(problems)


def _chosen(content: dict[str, Any], group: str) -> bool:
    return isinstance(content.get(group), dict) and "_target_" in content[group]


def compose(
    overrides: Sequence[str] = (), *, config_name: str = "train", config_dir: Path = CONF_DIR
) -> DictConfig:
    """A configuration as a door would get it. `overrides` as on the command line."""
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(config_dir)):
        return compose_here(config_name, list(overrides))


def compose_here(config_name: str, overrides: list[str]) -> DictConfig:
    """`compose` where Hydra is initialised. Raises ConfigError for foreign Hydra plugins."""
    cfg = hydra.compose(config_name, overrides, return_hydra_config=True)
    for part in ("callbacks", "launcher", "sweeper"):
        for target in _targets_of(OmegaConf.to_container(cfg.hydra[part])):
            if not target.startswith(("hydra.", "hydra_plugins.")):
                raise ConfigError([f"hydra.{part}: refused, {target} is not of Hydra"])
    HydraConfig.instance().set_config(cfg)  # `name` reads the choices from there
    OmegaConf.set_struct(cfg, False)
    name = cfg.name if "name" in cfg else None
    del cfg["hydra"]
    if name is not None:
        cfg.name = name
    return cfg


GRID = "hydra_plugins.seg_grid.SegGridSweeper"
HYDRAS_OWN = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"


@dataclass(frozen=True)
class Sweep:
    """What the choice of `sweep` says: Hydra's mode, keys to their values, and Hydra's sweeper."""

    mode: str | None = None
    params: dict[str, str] = field(default_factory=dict)
    sweeper: str = GRID

    @property
    def is_grid(self) -> bool:
        """Whether all combinations are tried. Hydra's own sweeper is never used: ours does that."""
        return self.sweeper in (GRID, HYDRAS_OWN)


def compose_sweep(config_name: str, overrides: list[str]) -> Sweep:
    """The sweep that a command line chooses, where Hydra is initialised."""
    cfg = hydra.compose(config_name, overrides, return_hydra_config=True)
    node, mode = cfg.hydra.sweeper, cfg.hydra.mode
    params = {} if node.get("params") is None else plain(node.params)
    return Sweep(
        mode=None if mode is None else mode.name,
        params={key: values_line(value) for key, value in params.items()},
        sweeper=str(node["_target_"]),
    )


def values_line(value: Any) -> str:
    """The values of a sweep's parameter as on the command line: a list is several."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _targets_of(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (str(v) for k, v in node.items() if k == "_target_")
        for value in node.values():
            yield from _targets_of(value)


def job_folder() -> Path | None:
    """The folder of this job of a sweep; None in a single run."""
    if not in_sweep():
        return None
    return Path(HydraConfig.get().sweep.dir) / HydraConfig.get().sweep.subdir


def in_sweep() -> bool:
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
