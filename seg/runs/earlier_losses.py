"""Losses as earlier versions wrote them into a configuration, as this one does."""

from collections.abc import Mapping
from typing import Any

CROSS_ENTROPY = "seg.losses.ce.CELoss"


def named(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration, nested, in which the losses of a sum have names, also in its stages."""
    config = dict(config)
    if isinstance(loss := config.get("loss"), Mapping):
        config["loss"] = _named(loss)
    if isinstance(stages := config.get("stages"), Mapping):
        config["stages"] = {
            name: named(stage) if isinstance(stage, Mapping) else stage
            for name, stage in stages.items()
        }
    return config


def _named(loss: Mapping[str, Any]) -> dict[str, Any]:
    loss = dict(loss)
    if loss.get("_target_") == CROSS_ENTROPY and "weight" in loss:
        loss["class_weights"] = loss.pop("weight") or loss.get("class_weights")
    losses, weights, terms = (loss.get(key) for key in ("losses", "weights", "terms"))
    if weights and not losses and isinstance(terms, Mapping):
        pairs = zip(terms.items(), loss.pop("weights"), strict=False)
        loss["terms"] = {name: dict(term) | {"scale": scale} for (name, term), scale in pairs}
    if not isinstance(losses, list) or not all(isinstance(one, Mapping) for one in losses):
        return loss
    weights = loss.pop("weights", None) or [1.0] * len(losses)
    loss["terms"] = {}
    for term, scale in zip(map(_named, loss.pop("losses")), weights, strict=False):
        name = first = str(term.get("_target_")).split(".")[-2:][0]  # its module
        count = 1
        while name in loss["terms"]:
            count += 1
            name = f"{first}_{count}"
        loss["terms"][name] = term | {"scale": scale}
    return loss
