"""Train, compare and ship 2-D segmentation networks for medical images.

In Python: `seg.compose`, `seg.train.train` and `seg.load`, see docs/python.md.
"""

import importlib
import logging
from typing import TYPE_CHECKING, Any

from seg import broken_torchvision

if TYPE_CHECKING:
    from seg.api import compose as compose
    from seg.api import load as load

__version__ = "0.1.0"

broken_torchvision.watch()

_COMMANDS = ("train", "evaluate", "predict", "export", "prepare", "compare", "demo")


def __getattr__(name: str) -> Any:
    """Import what is asked for; `import seg` alone is quick."""
    if name in ("compose", "load"):
        return getattr(importlib.import_module("seg.api"), name)
    if name in _COMMANDS:
        module = importlib.import_module(f"seg.{name}")
        if logging.getLogger("seg").handlers:  # Lightning chooses its level when it is imported
            importlib.import_module("seg.cli.console").quiet_libraries()
        return module
    raise AttributeError(f"module 'seg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), "compose", "load", *_COMMANDS]
