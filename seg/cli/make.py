"""Build what a node of the configuration describes, with errors that are the class's own."""

import copy
from collections.abc import Mapping
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

# Keys beside those of the class: what a training does with the object.
MODEL = {"freeze_encoder_epochs"}
OPTIMIZER = {"encoder_lr_scale", "decay_norms_and_biases"}
TRAINER = {"compile"}


def make(node: Any, **more: Any) -> Any:
    """What a node of the configuration describes, with plain lists and dicts.

    Keys beside those of the class, `MODEL`, `OPTIMIZER` and `TRAINER`, are left out.

    Raises:
        ValueError, OSError, ImportError: as the class raised it, where Hydra raises an error of its
            own; a message that names no key gets that of the node.
    """
    if isinstance(node, Mapping):
        beside, node = (MODEL | OPTIMIZER | TRAINER) & set(node), copy.deepcopy(node)
        if isinstance(node, DictConfig):
            OmegaConf.set_struct(node, False)  # with several ranks, and in sweeps, it is closed
        for key in beside:
            del node[key]  # the node stays where it is, so that an error is told with its key
    try:
        return instantiate(node, _convert_="all", **more)
    except InstantiationException as error:
        cause, key = error.__cause__, str(error).partition("full_key: ")[2].strip()
        if not isinstance(cause, ValueError | OSError | ImportError):
            raise
        if key and isinstance(cause, ValueError) and f"{key.partition('.')[0]}." not in str(cause):
            raise ValueError(f"{key}: {cause}") from cause
        raise cause from None
