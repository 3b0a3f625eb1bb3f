"""Build the loss of a configuration: of ours, of another library, or a sum of both."""

import copy
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from torch import nn

from seg.cli.make import make
from seg.cli.signatures import annotations, wants_tensor
from seg.losses.library import adapted
from seg.trust import import_target


def make_loss(node: DictConfig, *, channels: int, overlap: bool) -> nn.Module:
    """A loss of ours, or one of another library that is called as ours are.

    The `scale` of each of its `terms` is given to their sum, beside them; a list or a number
    becomes a tensor where the class wants one.

    Args:
        channels: of the logits.
        overlap: whether classes share pixels.
    """
    node = copy.deepcopy(node)  # its parent, to which its interpolations lead, stays the same
    OmegaConf.set_struct(node, False)
    _prepare(node)
    return adapted(make(node), channels=channels, overlap=overlap)


def _prepare(node: DictConfig | ListConfig) -> None:
    if isinstance(node, DictConfig) and isinstance(terms := node.get("terms"), DictConfig):
        node.scales = {name: term.pop("scale") for name, term in terms.items() if "scale" in term}
    if isinstance(node, DictConfig) and "_target_" in node:
        hints = annotations(import_target(node["_target_"]))
        for key in [key for key in node if wants_tensor(node[key], hints.get(key))]:
            node[key] = {"_target_": "torch.tensor", "data": _floats(node[key])}
    for value in node.values() if isinstance(node, DictConfig) else node:
        if isinstance(value, DictConfig | ListConfig):
            _prepare(value)


def _floats(value: Any) -> Any:
    return [_floats(v) for v in value] if isinstance(value, ListConfig) else float(value)
