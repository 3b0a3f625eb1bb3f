"""A traced program to one ONNX file that is checked and carries its metadata."""

import json
from pathlib import Path
from typing import Any

import torch

from seg.exporting.metadata import KEY
from seg.exporting.pt2 import NOISE, Program, quiet

OPSET = 20
MAX_BYTES = 2 * 10**9  # of one ONNX file, which is one Protocol Buffers message


def require() -> None:
    """Raise ImportError that names the extra if a package is missing."""
    try:
        import onnx  # noqa: F401, PLC0415 - an extra
        import onnxruntime  # noqa: F401, PLC0415
        import onnxscript  # noqa: F401, PLC0415
    except ImportError as error:
        raise ImportError(
            f"format=onnx needs {error.name}: pip install 'seg-med[export]'; format=pt2 and "
            "format=pth need nothing more"
        ) from error


def write(program: Program, metadata: dict[str, Any], path: Path) -> None:
    """Write an ONNX file with the inputs and outputs of `graph.Graph`.

    Raises:
        ValueError: ONNX has no operations for the network, or its weights are too large.
    """
    size = sum(t.numel() * t.element_size() for t in program.traced.state_dict.values())
    if size > MAX_BYTES:
        raise ValueError(
            f"{path.name}: {size / 1e9:.1f} GB of weights do not fit into one ONNX file (2 GB); "
            "format=pt2 or format=safetensors takes them"
        )
    try:
        with quiet(*NOISE):
            model = torch.onnx.export(
                program.traced,
                (),
                dynamo=True,
                external_data=False,
                opset_version=OPSET,
                input_names=["image"],
                output_names=["mask", "probabilities"],
                verbose=False,
            )
            model.save(path, external_data=False)
    except Exception as error:  # torch raises many kinds
        reason = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        raise ValueError(
            f"{path.name}: ONNX cannot express the network ({reason[0][:200]}); try format=pt2"
        ) from error
    add_metadata(path, metadata)


def add_metadata(path: Path, metadata: dict[str, Any]) -> None:
    """Write the metadata into an ONNX file, name the sizes of its input, and check it."""
    import onnx  # noqa: PLC0415 - an extra

    model = onnx.load(path)
    _name_sizes(model.graph)
    del model.metadata_props[:]
    plain = {
        "classes": ", ".join(metadata["classes"]),
        "threshold": str(metadata["threshold"]),
        "input": metadata["input"],
        "outputs": "; ".join(metadata["outputs"]),
    }
    onnx.helper.set_model_props(model, {KEY: json.dumps(metadata), **plain})
    model.producer_name, model.producer_version = "seg", metadata["versions"]["seg"]
    onnx.save(model, path)
    onnx.checker.check_model(path, full_check=True)


def _name_sizes(graph: Any) -> None:
    """Call sizes batch, height and width instead of the tracer's names, since users see them."""
    dims = graph.input[0].type.tensor_type.shape.dim[:3]
    pairs = zip(dims, ("batch", "height", "width"), strict=True)
    names = {dim.dim_param: name for dim, name in pairs if dim.dim_param}
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in names:
                dim.dim_param = names[dim.dim_param]
