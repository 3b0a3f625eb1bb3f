"""Write a model to a file of one format."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from seg.exporting import metadata, onnx, parity, pt2, quantise
from seg.exporting.graph import Graph
from seg.inference import exported
from seg.inference.load import Loader
from seg.inference.model import LoadedModel

PARTS = ("model.", "normalize.")  # of a checkpoint's tensors, those that prediction needs


def require(form: str) -> None:
    """Raise ImportError that names the extra of a format, before anything long is begun."""
    if form == "onnx":
        onnx.require()
    if form == "safetensors":
        try:
            import safetensors.torch  # noqa: F401, PLC0415 - an extra
        except ImportError as error:
            raise ImportError(
                "format=safetensors needs safetensors: pip install 'seg-med[export]'; format=pth "
                "needs nothing more"
            ) from error


def write_graph(
    model: LoadedModel, preprocessing: Mapping[str, Any], form: str, path: Path
) -> dict[str, Any]:
    """Write an ONNX or .pt2 file.

    Args:
        model: of a checkpoint.
        preprocessing: as the checkpoint stores it.
        form: `onnx` or `pt2`.
        path: the file.

    Returns:
        The metadata in it.
    """
    program = pt2.trace(Graph(model), channels=model.preprocessing.channels)
    about = metadata.of_graph(model, preprocessing, any_batch=program.any_batch)
    (onnx.write if form == "onnx" else pt2.write)(program, about, path)
    return about


def exported_predict(path: Path) -> parity.Predict:
    """Prediction with an ONNX or .pt2 file of our own."""
    run = exported.run_onnx(path)[0] if path.suffix == ".onnx" else exported.run_program(path)

    def predict(image: NDArray) -> tuple[NDArray, NDArray]:
        mask, probs = run(image[None])
        return mask[0], probs[0]

    return predict


def to_8_bits(
    source: Path, path: Path, method: str, about: dict[str, Any], images: Sequence[NDArray]
) -> None:
    """Write the ONNX file `source` with 8-bit weights.

    Args:
        source: an ONNX file.
        path: the new file.
        method: one of `quantise.METHODS`.
        about: the metadata of `source`.
        images: (H, W, C) uint8, for the static method.
    """
    if method == "static":
        quantise.static(source, path, images)
    else:
        quantise.dynamic(source, path)
    onnx.add_metadata(path, about | {"int8": method})


def write_weights(
    model: LoadedModel, checkpoint: Mapping[str, Any], form: str, path: Path, loader: Loader
) -> int:
    """Write the weights with all that is needed to build their network again, and read them back.

    Args:
        model: of the checkpoint.
        checkpoint: its content.
        form: `pth`, for torch.load(weights_only=True), or `safetensors`.
        path: the file.
        loader: reads it back.

    Returns:
        The number of tensors.

    Raises:
        ValueError: what is read is not what was written.
    """
    tensors = {
        key: value.detach().cpu().contiguous()
        for key, value in checkpoint["state_dict"].items()
        if key.startswith(PARTS)
    }
    about = metadata.of_weights(model, checkpoint["seg"]["preprocessing"])
    (_write_pth if form == "pth" else _write_safetensors)(tensors, about, path)
    own, again = model.predictor, loader.load_file(path).predictor
    for mine, read in ((own.model, again.model), (own.normalize, again.normalize)):
        state = read.state_dict()
        for key, value in mine.state_dict().items():
            if not torch.equal(value, state[key]):
                raise ValueError(f"{path.name}: {key} is not what was written; is the disk sound?")
    return len(tensors)


def _write_pth(tensors: Mapping[str, torch.Tensor], about: dict[str, Any], path: Path) -> None:
    torch.save({"state_dict": dict(tensors), metadata.KEY: about}, path)


def _write_safetensors(
    tensors: Mapping[str, torch.Tensor], about: dict[str, Any], path: Path
) -> None:
    from safetensors.torch import save  # noqa: PLC0415 - an extra

    # safetensors refuses two names of one tensor
    copies = {key: value.clone() for key, value in tensors.items()}
    path.write_bytes(save(copies, metadata={"format": "pt", metadata.KEY: json.dumps(about)}))


@contextmanager
def with_report(output: Path) -> Iterator[tuple[Path, Path]]:
    """Where to write `output` and its report; both are moved beside each other at the end.

    The old report is removed first and the new one comes last, so that a report always belongs to
    the file beside it. After an error nothing has changed.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    report = output.with_name(f"{output.name}.parity.json")
    prefix = f".{output.name}."
    with tempfile.TemporaryDirectory(
        dir=output.parent, prefix=prefix, ignore_cleanup_errors=True
    ) as folder:
        new = Path(folder)
        yield new / output.name, new / report.name
        report.unlink(missing_ok=True)
        os.replace(new / output.name, output)
        os.replace(new / report.name, report)
