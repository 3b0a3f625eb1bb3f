"""The model and the data set of a run that a command reads."""

from functools import partial

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from seg.cli.build import build_source
from seg.data.sources import Source
from seg.inference.load import Loader
from seg.inference.predictor import device_of
from seg.runs.folder import RunFolder
from seg.training.hardware import Hardware
from seg.trust import refuse_untrusted


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
        build=partial(instantiate, _convert_="all"),
        trust=[cfg.trust] if isinstance(cfg.trust, str) else list(cfg.trust),
        device="cpu" if hardware is None else device_of(hardware.accelerator),
        precision="32-true" if hardware is None else hardware.precision,
    )
