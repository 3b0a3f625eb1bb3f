"""Which `_target_` may be built: nothing that runs or fetches code; of a file, only networks."""

import importlib
import inspect
import sys
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

# Packages whose networks a checkpoint may name; more only where the user says so.
TRUSTED = ("seg", "torch.nn", "monai", "segmentation_models_pytorch", "timm")
FACTORIES = ("segmentation_models_pytorch.create_model", "timm.create_model")

# The standard library as a whole, and what else starts programs, opens connections, reads pickles
# or hands out other callables by name.
REFUSED = frozenset(
    """
    cloudpickle dill distutils fabric hydra joblib lightning_fabric.utilities.cloud_io numpy.f2py
    numpy.fromfile numpy.lib numpy.load numpy.testing omegaconf pandas paramiko pip pooch requests
    setuptools sklearn.datasets tensorboard torch.distributed torch.hub torch.jit torch.load
    torch.multiprocessing torch.package torch.serialization torch.utils.benchmark
    torch.utils.bottleneck torch.utils.collect_env torch.utils.cpp_extension torch.utils.data
    torch.utils.model_zoo urllib3
    """.split()  # noqa: SIM905
)


def import_target(name: str) -> Any:
    """The object that a dotted name stands for.

    Raises:
        PermissionError: it may start processes, open connections or load code.
        ImportError: there is none, or it needs a package that is not installed.
    """
    refuse_name(name)
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:cut])
        try:
            target = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name and not module.startswith(error.name):
                raise ImportError(f"{name} needs the package {error.name}; install it") from error
            continue
        for part in parts[cut:]:
            if not hasattr(target, part):
                raise ImportError(f"{module} has no {part}")
            target = getattr(target, part)
            # `some.module.os.system` is refused by where it leads, not only by its name
            if isinstance(target, types.ModuleType):
                _refuse(name, target.__name__)
        _refuse(name, _origin(target))
        return target
    raise ImportError(f"no module {name}")


def refuse_untrusted(
    node: Any, *, where: str, trust: Sequence[str] | None, own: Sequence[str] = ()
) -> None:
    """Refuse a configuration node that names anything that must not be built.

    Args:
        node: the node, with all that is below it.
        where: what it is, for the message.
        trust: prefixes of allowed names; None allows all that `import_target` does.
        own: those below which any function may be called; elsewhere only networks are built.

    Raises:
        ValueError: names what is refused.
    """
    from torch import nn  # noqa: PLC0415 - import_target does without

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
            target = import_target(str(value))
        except (PermissionError, ImportError) as error:
            raise ValueError(f"{path}={value}: refused, {error}") from error
        origin = _origin(target)
        if trust is None or _below(str(value), own) and _below(origin, own):
            continue
        is_network = inspect.isclass(target) and issubclass(target, nn.Module)
        if not _below(origin, trust) or not (is_network or value in FACTORIES):
            raise ValueError(f"{path}={value}: refused, it is no network")


def targets(node: Any) -> set[str]:
    """All `_target_` in a configuration node."""
    return {str(value) for path, value in _values(node, "") if path.endswith("._target_")}


def refuse_name(name: str) -> None:
    """Raise PermissionError for what `import_target` refuses by its name alone."""
    _refuse(name, name)


def _refuse(name: str, dotted: str) -> None:
    if dotted.partition(".")[0] in sys.stdlib_module_names or _below(dotted, REFUSED):
        raise PermissionError(f"{name} may start processes, open connections or load code")


def _origin(target: Any) -> str:
    """Where an object is defined, which may be elsewhere than its dotted name says."""
    module = getattr(target, "__module__", None) or ""
    return f"{module}.{getattr(target, '__qualname__', '')}"


def _below(name: str, prefixes: Collection[str]) -> bool:
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
