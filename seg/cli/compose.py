"""Configurations, composed of the files in conf/ and of overrides."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from seg.data.sources.nnunet import channels_of

_SEG = Path(__file__).parents[1]
_PACKAGED = _SEG / "conf"
CONF_DIR = _PACKAGED if _PACKAGED.is_dir() else _SEG.parent / "conf"

MAX_LINES = 18
LAYOUTS = ("folder", "table", "instances", "coco", "labelme", "nnunet")  # of any data set


class ConfigError(ValueError):
    """A configuration that is refused; the message lists all that is wrong with it."""

    def __init__(self, problems: Sequence[str]) -> None:
        shown = [f"  {p}" for p in problems[:MAX_LINES]]
        if len(problems) > MAX_LINES:
            shown.append(f"  ... and {len(problems) - MAX_LINES} more")
        super().__init__("\n".join(["the configuration is refused:", *shown]))
        self.problems = list(problems)


def out_channels(classes: Any, *, overlap: bool) -> int:
    """Channels of logits for `dataset.classes`: classes and background, which share a softmax; one
    for a single class, and for each class of `dataset.overlap`.
    """
    count = 1 if classes is None else len(classes)
    return count if count == 1 or overlap else count + 1


def class_names(folders: Any, suffixes: Any) -> dict[str, None] | None:
    """`dataset.classes` where `dataset.mask_dir` or `mask_suffix` has one for each class."""
    by_class = next((one for one in (folders, suffixes) if isinstance(one, Mapping)), None)
    return None if by_class is None else dict.fromkeys(by_class)


def dataset_name(choice: str, *, _parent_: DictConfig) -> str:
    """`dataset.name`: the choice; where that says only the layout, the name of the root."""
    root = None if OmegaConf.is_missing(_parent_, "root") else _parent_.get("root")
    if choice not in LAYOUTS or root is None:
        return choice
    return Path(os.path.abspath(Path(str(root)).expanduser())).name or choice


# A configuration is resolved, checked and built only where this module is imported.
OmegaConf.register_new_resolver(
    "out_channels",
    lambda classes, *, _root_: out_channels(classes, overlap=_root_.dataset.get("overlap", False)),
    replace=True,
)
OmegaConf.register_new_resolver("dataset_name", dataset_name, replace=True)
OmegaConf.register_new_resolver("nnunet_channels", channels_of, replace=True)
OmegaConf.register_new_resolver("class_names", class_names, replace=True)
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network when it is imported


def plain(cfg: Any) -> Any:
    """Resolved plain containers of a configuration node."""
    return OmegaConf.to_container(cfg, resolve=True, throw_on_missing=False)


def compose(
    overrides: Sequence[str] = (), *, config_name: str = "train", config_dir: Path = CONF_DIR
) -> DictConfig:
    """A configuration as a command would get it. `overrides` as on the command line."""
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(config_dir)):
        return compose_here(config_name, list(overrides))


def compose_here(config_name: str, overrides: list[str]) -> DictConfig:
    """`compose` where Hydra is initialised.

    Raises:
        ConfigError: a callback, launcher or sweeper that is neither Hydra's own nor ours.
    """
    cfg = hydra.compose(config_name, overrides, return_hydra_config=True)
    for part in ("callbacks", "launcher", "sweeper"):
        for target in _targets(OmegaConf.to_container(cfg.hydra[part])):
            if not target.startswith(("hydra.", "hydra_plugins.")):
                raise ConfigError([f"hydra.{part}: refused, {target} is not of Hydra"])
    HydraConfig.instance().set_config(cfg)  # `name` reads the choices from there
    drop_hydra(cfg)
    return cfg


def drop_hydra(cfg: DictConfig) -> None:
    """Take out the node `hydra`; names that are made of its choices stay as they are now."""
    OmegaConf.set_struct(cfg, False)
    nodes = [node for node in (cfg, cfg.get("dataset")) if node and "name" in node]
    names = [node.name for node in nodes]
    del cfg["hydra"]
    for node, name in zip(nodes, names, strict=True):
        node.name = name


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (str(value) for key, value in node.items() if key == "_target_")
        for value in node.values():
            yield from _targets(value)


def job_folder() -> Path | None:
    """The folder of this job of a sweep; None in a single run."""
    if not in_sweep():
        return None
    return Path(HydraConfig.get().sweep.dir) / HydraConfig.get().sweep.subdir


def command_line() -> dict[str, Any]:
    """What run.json says of the command line: choices of groups, and overrides; empty without."""
    if not HydraConfig.initialized():
        return {}
    settings = HydraConfig.get()
    choices = plain(settings.runtime.choices)
    choices = {k: v for k, v in choices.items() if "/" not in k and v is not None}
    return {"choices": choices, "overrides": list(settings.overrides.task)}


def in_sweep() -> bool:
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
