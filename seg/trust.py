"""What a configuration's `_target_` may name: any class, but nothing that runs or fetches code."""

import importlib
import sys
import types
from typing import Any

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


def _refuse(name: str, dotted: str) -> None:
    if dotted.partition(".")[0] in sys.stdlib_module_names or any(
        dotted == refused or dotted.startswith(f"{refused}.") for refused in REFUSED
    ):
        raise PermissionError(f"{name} may start processes, open connections or load code")


def import_target(name: str) -> Any:
    """The object of a dotted name. Raises ImportError, or PermissionError if it is refused."""
    _refuse(name, name)
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:cut])
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name and not module.startswith(error.name):
                raise ImportError(f"{name} needs the package {error.name}; install it") from error
            continue
        for part in parts[cut:]:
            if not hasattr(found, part):
                raise ImportError(f"{module} has no {part}")
            found = getattr(found, part)
            # `some.module.os.system` is refused by where it leads, not only by its name
            if isinstance(found, types.ModuleType):
                _refuse(name, found.__name__)
        home = getattr(found, "__module__", None) or ""
        _refuse(name, f"{home}.{getattr(found, '__qualname__', '')}")
        return found
    raise ImportError(f"no module {name}")
