"""Weights alone, as .pth or .safetensors: written beside the checkpoints, or started from."""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from seg.runs.atomic import replacing
from seg.runs.folder import RunFolder
from seg.training.checkpoint import PREFIX, model_weights, read, write_atomically

log = logging.getLogger(__name__)

SAFETENSORS = ".safetensors"
METADATA = ("classes", "preprocessing", "threshold")
MAX_NAMES = 3  # in a line of the log


def safetensors() -> Any:
    """The package. Raises ImportError naming the extra to install."""
    try:
        import safetensors.torch as module  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            f"safetensors files need safetensors ({error}): pip install 'seg-med[export]', or set "
            "checkpoints.weights=pth"
        ) from None
    return module


def require_form(form: str) -> None:
    """Raises ImportError, before the training, if weights cannot be written in this form."""
    if form == "safetensors":
        safetensors()


def write_weights(content: Mapping[str, Any], path: Path) -> None:
    """Write the network of a run's checkpoint, whole or not at all.

    Args:
        content: of the checkpoint.
        path: *.pth, a plain state_dict, or *.safetensors, whose metadata hold classes,
            preprocessing and threshold too, as JSON.
    """
    weights = model_weights(content)
    if path.suffix != SAFETENSORS:
        write_atomically(weights, path)
        return
    # what is channels last in memory is not what safetensors calls contiguous
    plain = {key: value.detach().cpu().contiguous() for key, value in weights.items()}
    about = {key: json.dumps(content["seg"][key]) for key in METADATA}
    data = safetensors().save(plain, metadata={"format": "pt", **about})
    with replacing(path, sync=True) as handle:
        handle.write(data)


def read_weights(source: Path) -> dict[str, Tensor]:
    """The network's state_dict.

    Args:
        source: a .ckpt, .pth or .safetensors file, or a run folder, of which the best are read.
    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read.
    """
    path = RunFolder(source).checkpoint("best") if source.is_dir() else source
    if path.suffix.lower() != SAFETENSORS:
        return model_weights(read(path))
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    module = safetensors()
    try:
        weights = module.load_file(os.fspath(path))
    except Exception as error:  # an exception type of its own, and of the operating system
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ValueError(f"{path}: cannot be read as safetensors ({reason})") from error
    # an exported file holds the normalisation as well, and then `model.` before the network's names
    exported = all(key.startswith((PREFIX, "normalize.")) for key in weights)
    return model_weights({"state_dict": weights} if exported else weights)


def start_from(model: nn.Module, source: Path, *, partial: bool = False) -> None:
    """Put the weights of `source` into `model`, and log which.

    Args:
        model: gets them.
        source: as in `read_weights`.
        partial: whether those suffice whose names and shapes agree.
    Raises:
        ValueError: some differ; with `partial`, none agrees.
    """
    weights, own = read_weights(source), model.state_dict()
    fitting = {
        k: v
        for k, v in weights.items()
        if k in own and isinstance(v, Tensor) and v.shape == own[k].shape
    }
    if not fitting:
        raise ValueError(
            f"init_from={source}: none of its {len(weights)} weights fits this model: "
            f"{_names(weights)} there, {_names(own)} here"
        )
    count, differences = f"{len(fitting)} of {len(own)}", _left_out(weights, own, fitting)
    if differences and not partial:
        lines = [
            f"init_from={source}: {count} weights fit this model",
            *differences,
            "set the model's keys as they were there, or init_from_partial=true to start from "
            "those that fit",
        ]
        raise ValueError("\n  ".join(lines))
    model.load_state_dict(fitting, strict=False)
    log.info("%s weights from %s", count, source)
    for line in differences:
        log.info("%s", line)


def _left_out(
    weights: Mapping[str, Any], own: Mapping[str, Tensor], fitting: Mapping[str, Tensor]
) -> list[str]:
    lines = []
    other = [k for k in own if k in weights and k not in fitting]
    for part in dict.fromkeys(key.rpartition(".")[0] for key in other):
        key = next(k for k in other if k.rpartition(".")[0] == part)
        there, here = (list(getattr(t, "shape", ())) for t in (weights[key], own[key]))
        lines.append(f"{part or key} differs: {key} is {there} there, {here} here")
    if len(lines) > MAX_NAMES:
        more = f"and {len(lines) - MAX_NAMES} more parts that differ in shape"
        lines = [*lines[:MAX_NAMES], more]
    missing = [k for k in own if k not in weights]
    if missing:
        lines.append(f"{len(missing)} are not in it: {_names(missing)}")
    unused = [k for k in weights if k not in own]
    if unused:
        lines.append(f"{len(unused)} of its weights are not of this model: {_names(unused)}")
    return lines


def _names(keys: Any) -> str:
    names = list(keys)
    return ", ".join(names[:MAX_NAMES]) + (" ..." if len(names) > MAX_NAMES else "")
