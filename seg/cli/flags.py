"""The flags of the command that runs now, for the commands that it prints."""

from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

from seg.cli.compose import CONF_DIR


def config_dir(settings: Any = None) -> Path | None:
    """The folder of `--config-dir`; None without one.

    Args:
        settings: Hydra's own node of a configuration; None: that of this command.
    """
    if settings is None and not HydraConfig.initialized():
        return None
    folder = folders_of(settings or HydraConfig.get()).get("command-line")
    return None if folder is None else Path(folder)


def flags(settings: Any = None) -> list[str]:
    """What a command needs to find the same choices; empty where conf/ has them all."""
    folder = config_dir(settings)
    return [] if folder is None else ["--config-dir", str(folder)]


def search_flags(settings: Any) -> list[str]:
    """As `flags`, also for a configuration that is not conf/train.yaml."""
    main, name = folders_of(settings)["main"], settings.job.config_name
    path = [] if Path(main) == CONF_DIR else ["--config-path", main]
    return [*path, *([] if name == "train" else ["--config-name", name]), *flags(settings)]


def folders_of(settings: Any) -> dict[str, str]:
    """Where configurations come from: `main`, and `command-line` with `--config-dir`."""
    return {source.provider: source.path for source in settings.runtime.config_sources}
