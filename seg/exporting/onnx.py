"""A traced program to one ONNX file, checked, that says what it is."""

import json
from pathlib import Path
from typing import Any

import torch

from seg.exporting.metadata import KEY
from seg.exporting.pt2 import Program, quiet

OPSET = 20
MOST = 2 * 10**9  # bytes of one ONNX file, a message of Protocol Buffers


def require() -> None:
    """Raises ImportError naming the extra where a package is missing."""
    try:
        import onnx  # noqa: F401, PLC0415 - an extra
        import onnxruntime  # noqa: F401, PLC0415
        import onnxscript  # noqa: F401, PLC0415
    except ImportError as error:
        raise ImportError(
            f"format=onnx needs {error.name}: pip install 'seg-med[export]'; format=pt2 and "
            "format=pth need nothing more"
        ) from error


def write(program: Program, about: dict[str, Any], path: Path) -> None:
    """Inputs and outputs as `graph.Graph` says. Raises ValueError where ONNX has no words for the
    network, or no room.
    """
    size = sum(t.numel() * t.element_size() for t in program.traced.state_dict.values())
    if size > MOST:
        raise ValueError(
            f"{path.name}: {size / 1e9:.1f} GB of weights do not fit into one ONNX file (2 GB); "
            "format=pt2 or format=safetensors takes them"
        )
    try:
        with quiet():
            made = torch.onnx.export(
                program.traced,
                (),
                dynamo=True,
                external_data=False,
                opset_version=OPSET,
                input_names=["image"],
                output_names=["mask", "probabilities"],
                verbose=False,
            )
            made.save(path, external_data=False)
    except Exception as error:  # torch raises many kinds
        reason = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        raise ValueError(
            f"{path.name}: ONNX cannot express the network ({reason[0][:200]}); try format=pt2"
        ) from error
    sign(path, about)


def sign(path: Path, about: dict[str, Any]) -> None:
    """Puts `about` into the file's metadata, names its sizes, and has it checked."""
    import onnx  # noqa: PLC0415 - an extra

    model = onnx.load(path)
    _name_sizes(model.graph)
    del model.metadata_props[:]
    plain = {
        "classes": ", ".join(about["classes"]),
        "threshold": str(about["threshold"]),
        "input": about["input"],
        "outputs": "; ".join(about["outputs"]),
    }
    onnx.helper.set_model_props(model, {KEY: json.dumps(about), **plain})
    model.producer_name, model.producer_version = "seg", about["versions"]["seg"]
    onnx.save(model, path)
    onnx.checker.check_model(path, full_check=True)


def _name_sizes(graph: Any) -> None:
    """batch, height and width in place of the tracer's names, which are shown to users."""
    dims = graph.input[0].type.tensor_type.shape.dim[:3]
    given = zip(dims, ("batch", "height", "width"), strict=True)
    names = {dim.dim_param: name for dim, name in given if dim.dim_param}
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in names:
                dim.dim_param = names[dim.dim_param]
