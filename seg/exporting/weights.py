"""Weights with all that is needed to build their network again: .pth and .safetensors."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seg.exporting.metadata import KEY

PARTS = ("model.", "normalize.")


def require() -> None:
    """Raises ImportError naming the extra where safetensors is missing."""
    try:
        import safetensors.torch  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            "format=safetensors needs safetensors: pip install 'seg-med[export]'; format=pth needs "
            "nothing more"
        ) from error


def of(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The network's and its normalisation's tensors of a checkpoint, by its own names."""
    return {
        key: value.detach().cpu().contiguous()
        for key, value in content["state_dict"].items()
        if key.startswith(PARTS)
    }


def write_pth(weights: Mapping[str, Tensor], about: dict[str, Any], path: Path) -> None:
    """{"state_dict", "seg"}, which torch.load(weights_only=True) reads."""
    torch.save({"state_dict": dict(weights), KEY: about}, path)


def write_safetensors(weights: Mapping[str, Tensor], about: dict[str, Any], path: Path) -> None:
    """The tensors, and `about` in the file's metadata."""
    from safetensors.torch import save  # noqa: PLC0415 - an extra

    # two names of one tensor are refused by safetensors
    apart = {key: value.clone() for key, value in weights.items()}
    path.write_bytes(save(apart, metadata={"format": "pt", KEY: json.dumps(about)}))
