"""What can be wrong with the choices of `logger` and `callbacks`."""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from seg.cli.signatures import is_target

EXTRAS = {"WandbLogger": "wandb", "MLFlowLogger": "mlflow"}
GROUPS = ("logger", "callbacks")  # several choices of each
NEED_LOGGER = ("LearningRateMonitor", "DeviceStatsMonitor")


def problems(cfg: Mapping[str, Any]) -> Iterator[str]:
    """A line for each choice of `logger` and `callbacks` that cannot be built or has no effect."""
    for group in GROUPS:
        nodes = cfg.get(group) or {}
        wrong = [name for name, node in nodes.items() if not is_target(node)]
        if wrong:
            yield (
                f"{group}.{wrong[0]}: must have a _target_; a file of your own begins with "
                f"`# @package {group}.NAME`"
            )
            return
    loggers, callbacks = cfg.get("logger") or {}, cfg.get("callbacks") or {}
    for name, node in loggers.items():
        package = EXTRAS.get(str(node["_target_"]).rpartition(".")[2])
        if package and not _is_installed(package):
            yield f"logger={name}: is not installed; pip install 'seg-med[{package}]'"
    for name, node in callbacks.items():
        kind = str(node["_target_"]).rpartition(".")[2]
        if kind in NEED_LOGGER and "logger" in cfg and not loggers:
            yield f"callbacks={name}: it writes to a logger; set logger=tensorboard or another"
        if kind in ("Stopping", "EarlyStopping"):
            if cfg.get("early_stopping") is not None:
                yield f"callbacks={name}: early_stopping does the same; use one of both"
            if cfg.get("stages"):
                yield f"callbacks={name}: it ends the whole run, stages included; remove it"


def _is_installed(package: str) -> bool:
    spec = find_spec(package)
    return spec is not None and spec.origin is not None  # a folder wandb/ is no package
