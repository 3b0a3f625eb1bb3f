"""A network to a file of one format, tried against the checkpoint before anybody gets it."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from seg.exporting import metadata, onnx, parity, pt2, quantise, weights
from seg.exporting.graph import Graph
from seg.inference import exported
from seg.inference.load import Loader
from seg.inference.model import LoadedModel

FORMATS = ("onnx", "pt2", "safetensors", "pth")


def require(form: str) -> None:
    """Raises ImportError naming the extra of a format, before anything long is begun."""
    if form == "onnx":
        onnx.require()
    if form == "safetensors":
        weights.require()


def graph(
    network: LoadedModel, carried: Mapping[str, Any], form: str, path: Path
) -> tuple[dict[str, Any], parity.Answers]:
    """Writes `path` as onnx or pt2. Returns what it says of itself, and how it is asked."""
    traced = pt2.trace(Graph(network), channels=network.preprocessing.channels)
    says = metadata.of_graph(network, carried, any_batch=traced.any_batch)
    (onnx.write if form == "onnx" else pt2.write)(traced, says, path)
    return says, answers(path)


def answers(path: Path) -> parity.Answers:
    """How a file of our own is asked."""
    run = exported.run_onnx(path)[0] if path.suffix == ".onnx" else exported.run_program(path)

    def one(image: NDArray) -> tuple[NDArray, NDArray]:
        mask, probs = run(image[None])
        return mask[0], probs[0]

    return one


def to_8_bits(
    source: Path, path: Path, way: str, says: dict[str, Any], images: Sequence[NDArray]
) -> None:
    """Writes `path`, the ONNX file `source` quantised. way: one of `quantise.WAYS`. images: for
    the static one.
    """
    if way == "static":
        quantise.static(source, path, images)
    else:
        quantise.dynamic(source, path)
    onnx.sign(path, says | {"int8": way})


def weights_alone(
    network: LoadedModel,
    content: Mapping[str, Any],
    form: str,
    path: Path,
    loader: Loader,
) -> int:
    """Writes `path` as pth or safetensors and reads it again. Returns the number of tensors.

    Raises ValueError if what is read is not what was written.
    """
    state = weights.of(content)
    says = metadata.of_weights(network, content["seg"])
    (weights.write_pth if form == "pth" else weights.write_safetensors)(state, says, path)
    own, again = network.predictor, loader.load_file(path).predictor
    for mine, theirs in ((own.model, again.model), (own.normalize, again.normalize)):
        read = theirs.state_dict()
        for key, value in mine.state_dict().items():
            if not torch.equal(value, read[key]):
                raise ValueError(f"{path.name}: {key} is not what was written; is the disk sound?")
    return len(state)


@contextmanager
def placed(output: Path) -> Iterator[Path]:
    """A folder beside `output` for the file and its report, which take their places in the end:
    the report last, so that it is of the file beside it. After an error nothing has changed.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = output.with_name(f".{output.name}.{os.getpid()}")
    folder.mkdir()
    report = f"{output.name}.parity.json"
    try:
        yield folder
        output.with_name(report).unlink(missing_ok=True)
        os.replace(folder / output.name, output)
        os.replace(folder / report, output.with_name(report))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
