"""What TensorBoard needs beside scalars and panels: the graph, and HParams with the final
figures.
"""

import logging
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

log = logging.getLogger(__name__)


def add_graph(writer: SummaryWriter, model: nn.Module, image: torch.Tensor) -> None:
    """The model's graph, traced with one normalised image (1, C, H, W)."""
    training = model.training
    model.eval()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing warns of each Python condition on a shape
            writer.add_graph(model, image)
    except RuntimeError as error:  # a model that cannot be traced can still be trained
        log.info("no graph for TensorBoard: %s", str(error).splitlines()[0])
    finally:
        model.train(training)


def flatten(node: Any, prefix: str = "") -> dict[str, bool | int | float | str]:
    """Nested containers to dotted keys; values that HParams cannot hold become text."""
    if isinstance(node, Mapping):
        flat: dict[str, bool | int | float | str] = {}
        for key, value in node.items():
            flat |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
        return flat
    return {prefix: node if isinstance(node, bool | int | float | str) else str(node)}


def add_hparams(
    writer: SummaryWriter, config: Mapping[str, Any], figures: Mapping[str, float]
) -> None:
    """The configuration beside the final figures, in the run's own event file.

    `SummaryWriter.add_hparams` would open a second one in a folder below, which shows as a run of
    its own.
    """
    for summary in hparams(flatten(config), dict(figures)):
        writer.file_writer.add_summary(summary)
    for name, value in figures.items():
        writer.add_scalar(name, value, 0)
    writer.flush()
