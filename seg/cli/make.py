"""Build what a node of the configuration describes, with errors that are the class's own."""

from collections.abc import Mapping
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from seg.cli.compose import plain

# Keys beside those of the class: what a training does with the object.
MODEL = {"freeze_encoder_epochs"}
OPTIMIZER = {"encoder_lr_scale", "decay_norms_and_biases"}


def make(node: Any, **more: Any) -> Any:
    """What a node of the configuration describes, with plain lists and dicts.

    Keys of the training beside those of the class, `MODEL` and `OPTIMIZER`, are left out.

    Raises:
        ValueError, OSError, ImportError: as the class raised it, where Hydra raises an error of its
            own; a message that names no key gets that of the node.
    """
    beside = MODEL | OPTIMIZER
    if isinstance(node, Mapping) and beside & set(node):
        content = node if isinstance(node, dict) else plain(node)
        node = {key: value for key, value in content.items() if key not in beside}
    try:
        return instantiate(node, _convert_="all", **more)
    except InstantiationException as error:
        cause, key = error.__cause__, str(error).partition("full_key: ")[2].strip()
        if not isinstance(cause, ValueError | OSError | ImportError):
            raise
        if key and isinstance(cause, ValueError) and f"{key.partition('.')[0]}." not in str(cause):
            raise ValueError(f"{key}: {cause}") from cause
        raise cause from None
