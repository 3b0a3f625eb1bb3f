"""A torchvision that does not fit torch must not stop what can do without its compiled operators.

torchmetrics and timm import torchvision wherever it is installed. One that was compiled for another
torch, such as the CUDA build of the default index beside a CPU build of torch, raises RuntimeError
when it is imported, and `import torchmetrics` with it.
"""

import importlib
import logging
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

NAME = "torchvision"
# It imports without its compiled operators, but for the registrations of these two, which have to
# be declared. Networks do not call them; one that does is told that there is no implementation.
OPERATORS = ("nms", "qnms")
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

log = logging.getLogger(__name__)
declared: list[Any] = []  # libraries of operators, which live as long as their object


def watch() -> None:
    """From now on `import torchvision` works with a build for another torch, or raises ImportError;
    one that cannot be imported counts as not installed.
    """
    sys.meta_path.insert(0, _Finder())


class _Finder:
    """Asked by `import`, and by importlib.metadata for the version of an installed package."""

    has_failed = False

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> Any:
        spec = PathFinder.find_spec(name, path) if name == NAME else None
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec

    def find_distributions(self, context: Any) -> Iterable[Any]:
        if context.name != NAME or NAME in sys.modules or PathFinder.find_spec(NAME) is None:
            return []
        if not self.has_failed:
            try:
                importlib.import_module(NAME)
            except ImportError as error:
                self.has_failed = True
                log.warning("%s", error)
        # without an answer here, the next finder tells its version
        return [_unusable()] if self.has_failed else []


class _Loader:
    """The loader of torchvision, which turns a failure into an ImportError of one line."""

    def __init__(self, own: Any) -> None:
        self.own = own

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        try:
            try:
                self.own.exec_module(module)
            except RuntimeError as error:
                if f"operator {NAME}::" not in str(error) or declared:
                    raise
                _declare_operators()
                self.own.exec_module(module)
        except Exception as error:  # whatever a package in pieces raises
            raise ImportError(_misfit(error), name=NAME) from error
        module.__loader__ = module.__spec__.loader = self.own


def _declare_operators() -> None:
    from torch.library import Library  # noqa: PLC0415 - `import seg` does without torch

    library = Library(NAME, "DEF")
    for name in OPERATORS:
        library.define(name + SCHEMA)
    declared.append(library)


def _misfit(error: Exception) -> str:
    import torch  # noqa: PLC0415

    minor = int(torch.__version__.split(".")[1])  # torch 2.N is released with torchvision 0.(N+15)
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return (
        f"torchvision does not fit torch {torch.__version__} ({reason}): pip install "
        f"'torchvision==0.{minor + 15}.*', or pip uninstall torchvision if nothing needs it"
    )


def _unusable() -> Any:
    """A distribution without a valid version, which importers take for one that is missing."""
    from importlib.metadata import Distribution  # noqa: PLC0415

    class Unusable(Distribution):
        def read_text(self, filename: str) -> str | None:
            text = f"Name: {NAME}\nVersion: does not fit torch\n"
            return text if filename == "METADATA" else None

        def locate_file(self, path: Any) -> Any:
            return path

    return Unusable()
