"""What a configuration's `_target_` may name: any class, but nothing that runs or fetches code."""

import importlib
import types
from typing import Any

# Modules that start programs, open connections, read pickles, or hand out other callables by name.
REFUSED = frozenset(
    """
    ast asyncio builtins cloudpickle code codeop commands ctypes dill distutils ensurepip fabric
    ftplib functools http hydra imaplib imp importlib inspect io joblib marshal multiprocessing
    nntplib nt numpy.f2py numpy.fromfile numpy.lib numpy.load omegaconf operator os pandas.io
    pandas.read_pickle paramiko pathlib pdb pickle _pickle cPickle pip pkgutil platform pooch
    poplib posix pty requests runpy setuptools shelve shutil signal site smtplib socket
    socketserver ssl subprocess _posixsubprocess sys telnetlib tempfile _thread threading timeit
    torch.distributed torch.hub torch.jit torch.load torch.multiprocessing torch.package
    torch.serialization torch.utils.cpp_extension types urllib urllib3 venv webbrowser xmlrpc
    zipimport
    """.split()  # noqa: SIM905
)


def _refuse(name: str, dotted: str) -> None:
    if any(dotted == r or dotted.startswith(f"{r}.") for r in REFUSED):
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
