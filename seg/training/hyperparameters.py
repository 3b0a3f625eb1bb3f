"""A configuration as hyperparameters: all of it for services, and the columns of HParams."""

from collections.abc import Mapping, Sequence
from typing import Any

Flat = dict[str, bool | int | float | str]

# Where a run lies and how it was started says nothing about what was trained.
EXCLUDED = frozenset(
    """
    by_hand cache_dir callbacks checkpoints figures ignore_value init_from init_from_partial kaggle
    logger mirrors num_workers output_dir panels_every resume root sha256 url
    """.split()  # noqa: SIM905
)
CHOICES = ("dataset", "model", "loss", "optimizer", "scheduler", "augmentation")
KEYS = (
    "optimizer.lr", "optimizer.weight_decay", "model.width", "model.depth", "model.encoder",
    "dataset.image_size", "dataset.patch_size", "dataset.batch_size", "dataset.split.fold",
    "trainer.max_epochs", "ema.decay", "seed",
)  # fmt: skip


def hyperparameters(node: Any, prefix: str = "") -> Flat:
    """All of a configuration: dotted keys, and `_target_` as the class's own name.

    A list of targets becomes their names: `loss.losses: BCELoss, DiceLoss`.
    """
    if isinstance(node, Mapping):
        flat: Flat = {}
        for key, value in node.items():
            if key == "_target_":
                flat[prefix] = value.rpartition(".")[2]
            elif key not in EXCLUDED and not str(key).startswith("_"):
                flat |= hyperparameters(value, f"{prefix}.{key}" if prefix else str(key))
        return flat
    if isinstance(node, list) and node and all(isinstance(n, Mapping) for n in node):
        return {prefix: ", ".join(str(n.get("_target_", n)).rpartition(".")[2] for n in node)}
    return {prefix: node if isinstance(node, bool | int | float | str) else str(node)}


def columns(
    config: Mapping[str, Any], choices: Mapping[str, Any] | None, overrides: Sequence[str] | None
) -> Flat:
    """What sets runs apart: the choices as they are typed, what is usually varied, and what the
    command line gave.

    Args:
        config: of the run.
        choices: by group, `model: unet`; names of classes stand for those that are not known.
        overrides: of the command line, which all runs of a sweep have in common but for the values.
    """
    flat = hyperparameters(config)
    shown = {group: flat[group] for group in CHOICES if group in flat}
    shown |= {group: str(name) for group, name in (choices or {}).items() if group in CHOICES}
    if "dataset.name" in flat:
        shown["dataset"] = flat["dataset.name"]
    given = [line.partition("=")[0].lstrip("+~") for line in overrides or ()]
    varied = [key for key in dict.fromkeys([*KEYS, *given]) if key in flat]
    return shown | {key: flat[key] for key in varied if key not in shown and flat[key] != "None"}
