"""The model and the data set of a run that a command reads."""

import inspect
from dataclasses import replace

from omegaconf import DictConfig, OmegaConf

from seg.cli.files import build_source
from seg.cli.make import make
from seg.data.sources import Source
from seg.data.symmetries import symmetries_of
from seg.inference.load import Loader
from seg.inference.model import LoadedModel
from seg.inference.predictor import device_of
from seg.runs.folder import RunFolder
from seg.training.hardware import Hardware
from seg.trust import import_target, refuse_untrusted, targets


def run_source(run: RunFolder, root: str | None) -> Source:
    """The data set that a run was made with, from `root` if it lies elsewhere now."""
    if not run.config_path.is_file():
        raise FileNotFoundError(f"{run.path}: no run folder, it has no {run.config_path.name}")
    node = run.get("dataset")
    if not isinstance(node, dict):
        raise ValueError(f"{run.config_path}: no data set can be read from it")
    refuse_untrusted(node, where=f"{run.config_path}: dataset", trust=None)
    node = node | ({"root": root} if root is not None else {})
    return build_source(OmegaConf.create({"dataset": node}))


def build_loader(cfg: DictConfig, hardware: Hardware | None = None) -> Loader:
    """Loads models, with what the key `trust` allows; on the CPU without `hardware`."""
    return Loader(
        build=make,
        trust=[cfg.trust] if isinstance(cfg.trust, str) else list(cfg.trust),
        device="cpu" if hardware is None else device_of(hardware.accelerator),
        precision="32-true" if hardware is None else hardware.precision,
    )


def with_symmetries(model: LoadedModel) -> LoadedModel:
    """A model that knows which flips its training had, also from a file of an earlier version.

    These carry the configuration of the augmentation. It is built only if all of it is transforms
    of albumentations, since a checkpoint may be a stranger's; otherwise nothing is known.
    """
    node = model.config.get("augmentation")
    if model.symmetries is not None or node is None:
        return model
    try:
        refuse_untrusted(node, where=f"{model.path}: augmentation", trust=None)
    except ValueError:
        return model
    import albumentations  # noqa: PLC0415 - it takes a second, which other predictions save

    known = albumentations.BasicTransform, albumentations.BaseCompose
    for target in map(import_target, targets(node)):
        own = target.__module__.startswith("albumentations.")
        if not (own and inspect.isclass(target) and issubclass(target, known)):
            return model
    shape = model.preprocessing
    augmentation = make(node)
    trained = symmetries_of(
        augmentation,
        size=shape.size,
        channels=shape.channels,
        # as those versions did, so that all transforms drew the same numbers
        restart=lambda transform, seed: transform.set_random_seed(seed),
    )
    return replace(model, symmetries={"trained": trained, "mirrored": []})
