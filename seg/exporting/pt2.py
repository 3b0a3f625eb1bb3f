"""A program of torch.export for images of any size: a .pt2 file, or what ONNX is made from."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.export import Dim, ExportedProgram

from seg.exporting.graph import Graph
from seg.exporting.metadata import KEY

log = logging.getLogger(__name__)

EXAMPLE = (97, 83)  # height and width; primes, so that no size is derived from another
# what torch's exporter logs about its own versions and packages that it does not need
NOISE = ("torch.onnx", "torch.onnx._internal.exporter._registration")


@dataclass(frozen=True)
class Program:
    """A traced graph.

    Args:
        traced: the program.
        any_batch: whether it takes any number of images at once, or one.
    """

    traced: ExportedProgram
    any_batch: bool


def trace(graph: Graph, *, channels: int) -> Program:
    """Trace a graph for images of any size, or windows of one, and for any number of them if the
    network allows it.

    Raises:
        ValueError: the network cannot be traced.
    """
    graph = graph.eval().requires_grad_(False)
    try:
        return Program(_traced(graph, channels, any_batch=True), any_batch=True)
    except Exception as error:  # torch raises many kinds
        log.debug("not with any batch: %s", error)
    try:
        program = Program(_traced(graph, channels, any_batch=False), any_batch=False)
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(
            f"the network cannot be traced ({reason[0][:200]}); format=pth and format=safetensors "
            "take any network"
        ) from error
    log.warning("the network fixes the size of its batch: the file takes one image at once")
    return program


def write(program: Program, metadata: dict[str, Any], path: Path) -> None:
    """Write a .pt2 file with the metadata as a file in it."""
    with quiet(*NOISE):
        torch.export.save(program.traced, path, extra_files={KEY: json.dumps(metadata)})


@contextmanager
def quiet(*names: str) -> Iterator[None]:
    """Let these loggers report errors alone, and Python no warnings. names: "" is the root."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _traced(graph: Graph, channels: int, *, any_batch: bool) -> ExportedProgram:
    size = EXAMPLE if graph.resizes else (graph.height, graph.width)
    example = torch.zeros((2 if any_batch else 1, *size, channels), dtype=torch.uint8)
    sizes = {1: Dim("height"), 2: Dim("width")} if graph.resizes else {}
    sizes |= {0: Dim("batch")} if any_batch else {}
    with torch.no_grad(), quiet(*NOISE):
        return torch.export.export(graph, (example,), dynamic_shapes={"image": sizes}, strict=False)
