"""Networks that other libraries define: imported when one is asked for, with errors of one line."""

import difflib
import importlib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn


def load_library(module: str, *, extra: str) -> ModuleType:
    """A module of an optional library.

    Args:
        module: its dotted name.
        extra: of seg-med, which installs it.

    Raises:
        ImportError: it is missing or does not fit; it names the extra.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"model: needs the package {error.name}; pip install 'seg-med[{extra}]'"
        ) from error
    except ImportError as error:
        reason = _first_line(error)
        raise ImportError(
            f"model: {module.partition('.')[0]} cannot be imported, {reason}"
        ) from error


def build(
    factory: Callable[..., nn.Module],
    own: Mapping[str, Any],
    arguments: Mapping[str, Any],
    *,
    left_out: Collection[str] = (),
    passes_on: bool = False,
    url: str | None = None,
) -> nn.Module:
    """The network of a class.

    Args:
        factory: the class.
        own: arguments that are not the user's to set.
        arguments: further keys of `model`, as the class calls them.
        left_out: names that the class has and that must not be set.
        passes_on: whether the class hands further arguments to its encoder.
        url: of weights that the class downloads itself, by torch.hub.

    Raises:
        OSError: they cannot be downloaded; it says where to put them by hand.
        ValueError: it takes no such argument, or not this value.
    """
    name = factory.__name__
    signature = inspect.signature(factory.__init__).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    known = [p.name for p in signature if p.kind in kinds][1:]
    allowed = [key for key in known if key not in own and key not in left_out]
    for key in arguments:
        if key in known and key not in allowed or key not in known and not passes_on:
            raise ValueError(f"model.{key}: {name} takes no such key{nearest(key, allowed)}")
    try:
        return factory(**own, **arguments)
    except OSError as error:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise OSError(
            f"model.weights: they cannot be downloaded ({_first_line(error)}): put {url} into "
            f"{folder}, or set model.weights=null"
        ) from error
    except Exception as error:  # whatever a constructor of a library raises
        raise ValueError(f"model: {name} cannot be built, {_first_line(error)}") from error


def nearest(name: str, names: Iterable[str]) -> str:
    """` (nearest: ...)` for a message, or all names where none is near and they are few."""
    listed = list(names)
    near = difflib.get_close_matches(name, listed, n=1, cutoff=0.6)
    if near:
        return f" (nearest: {near[0]})"
    return f"; there are {', '.join(listed)}" if len(listed) < 20 else ""


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300]
