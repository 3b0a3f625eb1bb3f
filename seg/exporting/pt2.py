"""A traced program of torch's own, of any size: what ONNX is made from, or a .pt2 file."""

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

EXAMPLE = (97, 83)  # a size that no other is a multiple of


@dataclass(frozen=True)
class Program:
    """any_batch: whether it takes several images at once, or one."""

    traced: ExportedProgram
    any_batch: bool


def trace(graph: Graph, *, channels: int) -> Program:
    """The graph for images of any size, and of any number if the network lets it.

    Raises ValueError for a network that cannot be traced.
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
    log.warning("the network takes its batch's size for granted: the file takes one image at once")
    return program


def write(program: Program, about: dict[str, Any], path: Path) -> None:
    """A .pt2 file, with `about` as a file in it."""
    with quiet():
        torch.export.save(program.traced, path, extra_files={KEY: json.dumps(about)})


@contextmanager
def quiet() -> Iterator[None]:
    """torch's exporter speaks of its own versions and of packages that nobody needs."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    registration = logging.getLogger("torch.onnx._internal.exporter._registration")
    before = registration.level
    registration.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        registration.setLevel(before)


def _traced(graph: Graph, channels: int, *, any_batch: bool) -> ExportedProgram:
    example = torch.zeros((2 if any_batch else 1, *EXAMPLE, channels), dtype=torch.uint8)
    sizes = {1: Dim("height"), 2: Dim("width")} | ({0: Dim("batch")} if any_batch else {})
    with torch.no_grad(), quiet():
        return torch.export.export(graph, (example,), dynamic_shapes={"image": sizes}, strict=False)
