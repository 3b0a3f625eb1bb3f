"""What a file may have instantiated: networks of known packages, and what its user vouches for."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import nn

from seg.trust import import_target

# What a bare checkpoint may name; more only where the user says so.
TRUSTED = ("seg", "torch.nn", "monai", "segmentation_models_pytorch", "timm")
FACTORIES = ("segmentation_models_pytorch.create_model", "timm.create_model")


def refuse_untrusted(
    node: Any, *, where: str, trust: Sequence[str] | None, own: Sequence[str] = ()
) -> None:
    """Raises ValueError for any `_target_` in a node that must not be instantiated.

    where: for the message. trust: prefixes of the names that may be; None for all those that
    `seg.trust` lets pass. own: those among them whose every function may be called; of the others
    only networks are made.
    """
    if not isinstance(node, Mapping) or "_target_" not in node:
        raise ValueError(f"{where}: has no _target_")
    for path, value in _values(node, where):
        # Hydra would resolve it, and what it resolves to may be another _target_
        if isinstance(value, str) and "${" in value:
            raise ValueError(f"{path}={value}: refused, an interpolation")
        if not path.endswith("._target_"):
            continue
        if trust is not None and not _below(str(value), trust):
            raise ValueError(
                f"{path}={value}: refused, a checkpoint may only name {', '.join(TRUSTED)}; if you "
                f"know where it comes from, add trust={str(value).partition('.')[0]}"
            )
        try:
            found = import_target(str(value))
        except (PermissionError, ImportError) as error:
            raise ValueError(f"{path}={value}: refused, {error}") from error
        home = f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', '')}"
        if trust is None or _below(str(value), own) and _below(home, own):
            continue
        is_network = inspect.isclass(found) and issubclass(found, nn.Module)
        if not _below(home, trust) or not (is_network or value in FACTORIES):
            raise ValueError(f"{path}={value}: refused, it is no network")


def targets(node: Any) -> set[str]:
    """All the `_target_` of a node."""
    return {str(v) for path, v in _values(node, "") if path.endswith("._target_")}


def _below(name: str, prefixes: Sequence[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def _values(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield path, key
            yield from _values(value, f"{path}.{key}")
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from _values(value, f"{path}.{index}")
    else:
        yield path, node
