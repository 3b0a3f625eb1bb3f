"""The package in Python: seg.compose(["dataset=lgg"]), seg.train.train(cfg), seg.load(RUN)."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # these take seconds to import
    from omegaconf import DictConfig

    from seg.inference.array_model import Model
    from seg.runs.folder import RunFolder


def compose(
    overrides: Sequence[str] = (),
    *,
    command: str = "train",
    config_dir: str | os.PathLike[str] | None = None,
) -> DictConfig:
    """A configuration, checked, as a command gets it from its command line.

    Args:
        overrides: as on the command line: `["dataset=folder", "dataset.root=DIR"]`.
        command: `train`, `evaluate`, `predict`, `export`, `prepare`, `compare` or `demo`.
        config_dir: a folder of your own choices, as of `--config-dir`.

    Returns:
        The configuration, to be changed or given to the command's function.

    Raises:
        ConfigError: it is refused; the message lists all that is wrong with it.
    """
    from seg.cli.console import set_up_logging  # noqa: PLC0415
    from seg.cli.review import review  # noqa: PLC0415
    from seg.cli.rules import RULES  # noqa: PLC0415

    if command not in RULES:
        raise ValueError(f"command={command}: must be one of {', '.join(RULES)}")
    if isinstance(overrides, str):
        raise TypeError(f"overrides must be a list of texts: [{overrides!r}]")
    arguments = argparse.Namespace(
        overrides=list(overrides), config_name=command, config_path=None, multirun=False, cfg=None,
        config_dir=None if config_dir is None else os.fspath(config_dir),
    )  # fmt: skip
    if not (logging.getLogger().handlers or logging.getLogger("seg").handlers):
        set_up_logging()  # a training says what it does, as on the command line
    return review(arguments, command=command).configurations[0]


def load(
    source: str | os.PathLike[str] | RunFolder | Sequence[str | os.PathLike[str]],
    *,
    checkpoint: str = "best",
    device: str = "auto",
    tta: bool | str = False,
    tile: int | str | None = "auto",
    scale: float | None = None,
    trust: str | Sequence[str] = (),
) -> Model:
    """A trained model that predicts arrays.

    Args:
        source: a run folder, a checkpoint, an exported `.onnx`, a `model.pth` in its run folder; a
            list of them or a folder of runs gives the mean of their probabilities.
        checkpoint: of a run folder: `best` or `last`.
        device: `auto`, `cpu`, `gpu`, `cuda` or `mps`.
        tta, tile, scale: as keys of `seg.predict`.
        trust: packages whose networks a bare checkpoint may name, as of `seg.predict`.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: it cannot be used; the message names the file and what is wrong with it.
    """
    from seg.cli.make import make  # noqa: PLC0415
    from seg.inference.array_model import Model  # noqa: PLC0415
    from seg.inference.ensemble import join  # noqa: PLC0415
    from seg.inference.load import Loader  # noqa: PLC0415
    from seg.inference.predictor import NetworkPredictor, device_of  # noqa: PLC0415
    from seg.predict import wrap  # noqa: PLC0415
    from seg.training.hardware import choose_hardware  # noqa: PLC0415

    hardware = choose_hardware(device, "32-true")
    loader = Loader(
        build=make,
        trust=[trust] if isinstance(trust, str) else list(trust),
        device=device_of(hardware.accelerator),
        precision=hardware.precision,
    )
    listed = source if isinstance(source, list | tuple) else [source]
    paths = [os.fspath(getattr(one, "path", one)) for one in listed]
    members = loader.load([str(Path(path)) for path in paths], checkpoint)
    wrapped = join([wrap(member, tta=tta, tile=tile, scale=scale) for member in members])
    only = members[0].predictor if len(members) == 1 else None
    return Model(wrapped, only if isinstance(only, NetworkPredictor) else None)
