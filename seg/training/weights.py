"""Weights alone, beside a checkpoint or instead of one: .pth and .safetensors; where to start
from.
"""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from seg.runs.atomic import replacing
from seg.training.checkpoint import PREFIX, model_weights, read, write_atomically

log = logging.getLogger(__name__)

SAFETENSORS = ".safetensors"
CARRIED = ("classes", "preprocessing", "threshold")
SHOWN = 3  # names in a line of the log


def safetensors() -> Any:
    """The module. Raises ImportError naming the extra that brings it."""
    try:
        import safetensors.torch as module  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            f"safetensors files need safetensors ({error}): pip install 'seg-med[export]', or set "
            "checkpoints.weights=pth"
        ) from None
    return module


def require(form: str) -> None:
    """Raises ImportError if weights cannot be written in this form, before a training needs it."""
    if form == "safetensors":
        safetensors()


def write_weights(content: Mapping[str, Any], folder: Path, *, form: str) -> Path:
    """A checkpoint's network as `folder`/model.pth or model.safetensors, whole or not at all.

    content: of a run's checkpoint. form: `pth`, a plain state_dict, or `safetensors`, whose
    metadata hold classes, preprocessing and threshold too, as JSON.
    """
    weights = model_weights(content)
    if form == "pth":
        path = folder / "model.pth"
        write_atomically(weights, path)
        return path
    path = folder / f"model{SAFETENSORS}"
    # what is channels last in memory is not what safetensors calls contiguous
    plain = {key: value.detach().cpu().contiguous() for key, value in weights.items()}
    about = {key: json.dumps(content["seg"][key]) for key in CARRIED}
    data = safetensors().save(plain, metadata={"format": "pt", **about})
    with replacing(path, sync=True) as handle:
        handle.write(data)
    return path


def read_weights(source: Path) -> dict[str, Tensor]:
    """The network's state_dict of a run folder (its best), a .ckpt, .pth or .safetensors file.

    Raises FileNotFoundError, or ValueError naming a file that cannot be read.
    """
    path = source / "checkpoints" / "best.ckpt" if source.is_dir() else source
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


def start_from(model: nn.Module, source: Path) -> None:
    """Put into `model` those weights of `source` whose names and shapes agree, and say which.

    Raises ValueError if none do.
    """
    given, own = read_weights(source), model.state_dict()
    fitting = {
        k: v
        for k, v in given.items()
        if k in own and isinstance(v, Tensor) and v.shape == own[k].shape
    }
    if not fitting:
        raise ValueError(
            f"init_from={source}: none of its {len(given)} weights fits this model: "
            f"{_names(given)} there, {_names(own)} here"
        )
    model.load_state_dict(fitting, strict=False)
    log.info("%d of %d weights from %s", len(fitting), len(own), source)
    for line in _left_out(given, own, fitting):
        log.info("%s", line)


def _left_out(
    given: Mapping[str, Any], own: Mapping[str, Tensor], fitting: Mapping[str, Tensor]
) -> list[str]:
    lines = []
    other = [k for k in own if k in given and k not in fitting]
    for part in dict.fromkeys(key.rpartition(".")[0] for key in other):
        key = next(k for k in other if k.rpartition(".")[0] == part)
        there, here = (list(getattr(t, "shape", ())) for t in (given[key], own[key]))
        lines.append(f"{part or key} starts anew: {key} is {there} there, {here} here")
    if len(lines) > SHOWN:
        lines = [*lines[:SHOWN], f"and {len(lines) - SHOWN} more parts that differ in shape"]
    missing = [k for k in own if k not in given]
    if missing:
        lines.append(f"{len(missing)} start anew, not in it: {_names(missing)}")
    unused = [k for k in given if k not in own]
    if unused:
        lines.append(f"{len(unused)} of its weights are not of this model: {_names(unused)}")
    return lines


def _names(keys: Any) -> str:
    names = list(keys)
    return ", ".join(names[:SHOWN]) + (" ..." if len(names) > SHOWN else "")
