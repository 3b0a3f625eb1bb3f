"""Whether a node of a configuration fits the signature of what its `_target_` names."""

import difflib
import inspect
import math
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from seg.cli import source
from seg.trust import import_target, refuse_name

Known = tuple[Mapping[str, inspect.Parameter], Mapping[str, Any]]  # parameters, annotations
ANYTHING = {"any": inspect.Parameter("any", inspect.Parameter.VAR_KEYWORD)}
HYDRAS = ("_target_", "_partial_", "_recursive_", "_convert_", "_args_")  # keys of `instantiate`


def nearest(name: str, names: Iterable[str]) -> str:
    """` (nearest: ...)` for a message; empty if no name is near."""
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f" (nearest: {near[0]})" if near else ""


def is_target(node: Any) -> bool:
    """Whether something is built of a node."""
    return isinstance(node, Mapping) and "_target_" in node


def walk(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every node below this one, with its dotted path."""
    for key, value in node.items() if isinstance(node, Mapping) else enumerate(node):
        below = f"{path}.{key}" if path else str(key)
        yield below, value
        if isinstance(value, Mapping | list):
            yield from walk(value, below)


def problems(
    path: str,
    node: Mapping[str, Any],
    *,
    extra: Collection[str],
    ruled: Collection[str],
    reads: bool = False,
) -> Iterator[str]:
    """What does not fit, a line each.

    Args:
        path: dotted name of the node in the configuration.
        node: has a `_target_`.
        extra: keys that are allowed beside those of the signature; none of them is needed.
        ruled: paths whose values have a rule; their types are not compared.
        reads: take the signature from the source where that tells it, and import nothing then.
    """
    target = node["_target_"]
    if not isinstance(target, str):
        yield f"{path}._target_={target}: must be a dotted name"
        return
    try:
        known = (_read(target) if reads else None) or _imported(target)
    except PermissionError as error:
        yield f"{path}._target_: refused, {error}"
    except Exception as error:  # whatever a user's own module raises when it is imported
        yield f"{path}._target_={target}: cannot be imported ({error})"
    else:
        if known is None:
            yield f"{path}._target_={target}: is not callable"
        else:
            yield from _differences(path, node, *known, extra, ruled)


def _read(target: str) -> Known | None:
    """The parameters and annotations from the source, where that tells them."""
    refuse_name(target)
    if target.rpartition(".")[0] in sys.modules:  # what is imported already knows more
        return None
    try:
        parameters = source.signature(target).parameters
    except source.Unreadable:
        return None
    hints = {k: p.annotation for k, p in parameters.items() if p.annotation is not p.empty}
    return parameters, hints


def _imported(target: str) -> Known | None:
    """Those of the object itself; None where it cannot be called."""
    factory = import_target(target)
    if not callable(factory):
        return None
    try:
        return inspect.signature(factory).parameters, annotations(factory)
    except ValueError:
        return ANYTHING, {}  # written in C, without a signature


def _differences(
    path: str,
    node: Mapping[str, Any],
    parameters: Mapping[str, inspect.Parameter],
    hints: Mapping[str, Any],
    extra: Collection[str],
    ruled: Collection[str],
) -> Iterator[str]:
    signature = parameters.items()
    named = {k: p for k, p in signature if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    takes_any = any(p.kind == p.VAR_KEYWORD for _, p in signature)
    short = node["_target_"].rpartition(".")[2]
    for key in node:
        if not (key in HYDRAS or takes_any or key in named or key in extra):
            yield f"{path}.{key}: {short} takes no such key{nearest(key, [*named, *extra])}"
    for key, parameter in named.items():
        is_needed = parameter.default is parameter.empty and key not in ("self", *node, *extra)
        if is_needed and not node.get("_partial_"):
            yield f"{path}.{key}: missing, {short} needs it"
    for key, hint in hints.items():
        is_compared = key in node and key in named and f"{path}.{key}" not in ruled
        if is_compared and not is_target(node[key]) and not fits(node[key], hint):
            is_plain = typing.get_origin(hint) is None and hasattr(hint, "__name__")
            name = hint.__name__ if is_plain else str(hint).replace("typing.", "")
            yield f"{path}.{key}={node[key]!r}: must be {name}"


def annotations(factory: Callable) -> dict[str, Any]:
    """The annotations of the parameters of a function or class."""
    try:
        return typing.get_type_hints(factory.__init__ if inspect.isclass(factory) else factory)
    except Exception:  # annotations that name what is imported for type checkers alone
        return {}


def wants_tensor(value: Any, hint: Any) -> bool:
    """Whether a list or a number has to become a tensor to be what an annotation says."""
    options = typing.get_args(hint) or (hint,)
    is_plain = isinstance(value, Sequence | int | float) and not isinstance(value, str | bool)
    value = list(value) if isinstance(value, Sequence) else value
    others = [option for option in options if not _is_tensor(option)]
    is_other = any(fits(value, option) for option in others)
    return is_plain and len(others) < len(options) and not is_other


def _is_tensor(hint: Any) -> bool:
    return getattr(hint, "__module__", "").startswith("torch") and hint.__name__ == "Tensor"


def fits(value: Any, hint: Any) -> bool:
    """Whether a plain value can be what an annotation says.

    A number or a text fits no class of a library; a value of any other kind does.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is typing.Literal:
        return value in arguments
    if hint is type(None):
        return value is None
    if _is_tensor(hint):
        return isinstance(value, list) or type(value) in (int, float)  # see wants_tensor
    if hint in (bool, int, str):
        return type(value) is hint
    if hint is float:
        return type(value) in (int, float) and not math.isnan(value)
    if origin in (list, Sequence) or hint in (list, Sequence):
        return isinstance(value, list) and all(fits(v, a) for v in value for a in arguments[:1])
    if origin is dict or hint is dict:
        return isinstance(value, Mapping)
    is_class = inspect.isclass(hint) and hint.__module__ != "typing"
    return not (is_class and isinstance(value, str | int | float | bool))
