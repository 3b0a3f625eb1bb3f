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


# Where a run lay and how it was started says nothing about what was trained.
LEFT_OUT = ("cache_dir", "ignore_value", "init_from", "num_workers", "output_dir", "resume", "root")


def hyperparameters(node: Any, prefix: str = "") -> dict[str, bool | int | float | str]:
    """A configuration as columns of HParams: dotted keys, and `_target_` as the class's own name.

    A list of targets becomes their names: `loss.losses: BCELoss, DiceLoss`.
    """
    if isinstance(node, Mapping):
        flat: dict[str, bool | int | float | str] = {}
        for key, value in node.items():
            if key == "_target_":
                flat[prefix] = value.rpartition(".")[2]
            elif key not in LEFT_OUT and not str(key).startswith("_"):
                flat |= hyperparameters(value, f"{prefix}.{key}" if prefix else str(key))
        return flat
    if isinstance(node, list) and node and all(isinstance(n, Mapping) for n in node):
        return {prefix: ", ".join(str(n.get("_target_", n)).rpartition(".")[2] for n in node)}
    return {prefix: node if isinstance(node, bool | int | float | str) else str(node)}


def add_hparams(
    writer: SummaryWriter, config: Mapping[str, Any], figures: Mapping[str, float]
) -> None:
    """The configuration beside the final figures, in the run's own event file.

    `SummaryWriter.add_hparams` would open a second one in a folder below, which shows as a run of
    its own.
    """
    for summary in hparams(hyperparameters(config), dict(figures)):
        writer.file_writer.add_summary(summary)
    for name, value in figures.items():
        writer.add_scalar(name, value, 0)
    writer.flush()
