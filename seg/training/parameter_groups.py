"""An optimizer whose rate or weight decay is not the same for all weights."""

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.optim import Optimizer


def encoder_parts(model: nn.Module) -> list[nn.Module]:
    """The network's attribute `encoder`, and a `stem` before it; empty where there is none."""
    encoder, stem = getattr(model, "encoder", None), getattr(model, "stem", None)
    if not isinstance(encoder, nn.Module):
        return []
    return [part for part in (stem, encoder) if isinstance(part, nn.Module)]


def require_encoder(model: nn.Module, key: str) -> None:
    """Raises ValueError, naming the key that needs it, if a network has no encoder."""
    if not encoder_parts(model):
        raise ValueError(
            f"{key}: {type(model).__name__} has no part of its own named encoder; remove the key, "
            "or take a network that has one, such as model=lite_unet"
        )


def build_optimizer(
    factory: Callable[..., Optimizer],
    model: nn.Module,
    *,
    encoder_lr_scale: float = 1.0,
    decay_norms_and_biases: bool = True,
) -> Optimizer:
    """An optimizer of a network's weights.

    Its first group has the rate that the factory gives.

    Args:
        factory: `optimizer(parameters)`.
        encoder_lr_scale: factor of the encoder's rate (Howard and Ruder 2018, arXiv:1801.06146).
        decay_norms_and_biases: whether weight decay is of tensors with one dimension too (He et al.
            2019, arXiv:1812.01187, leave them out, and timm does).
    """
    if encoder_lr_scale == 1 and decay_norms_and_biases:
        return factory(model.parameters())
    encoder = {id(p) for part in encoder_parts(model) for p in part.parameters()}
    kinds: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        is_scaled = encoder_lr_scale != 1 and id(parameter) in encoder
        decays = decay_norms_and_biases or parameter.ndim > 1
        kinds.setdefault((is_scaled, not decays), []).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": kinds[kind], "lr_scale": encoder_lr_scale if kind[0] else 1.0}
        for kind in sorted(kinds)
    ]
    optimizer = factory(groups)
    for kind, group in zip(sorted(kinds), optimizer.param_groups, strict=True):
        group["lr"] *= group["lr_scale"]
        if kind[1] and "weight_decay" in group:
            group["weight_decay"] = 0.0
    return optimizer


def scaled(rate: float, optimizer: Optimizer) -> float | list[float]:
    """A rate that a schedule sets by itself, for each group of the optimizer."""
    scales = [group.get("lr_scale", 1.0) for group in optimizer.param_groups]
    return rate if set(scales) == {1.0} else [rate * scale for scale in scales]
