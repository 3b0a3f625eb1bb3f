"""Whether a node of a configuration fits the signature of what its `_target_` names."""

import difflib
import inspect
import math
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seg.cli.ranges import RANGES
from seg.trust import import_target

# Keys of `dataset` that are not its source's: of the data module, and of the download.
LOADING = {
    "image_size", "channels", "window", "batch_size", "num_workers", "split", "normalize",
    "cache_dir",
}  # fmt: skip
DOWNLOAD = {"url", "sha256", "mirrors", "kaggle", "by_hand"}
SPLIT = {"val", "test", "by", "seed", "folds", "fold", "file", "duplicates"}


def nearest(name: str, names: Iterable[str]) -> str:
    """` (nearest: ...)` for a message, or nothing if none is near."""
    found = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f" (nearest: {found[0]})" if found else ""


def problems(path: str, node: Mapping[str, Any]) -> list[str]:
    """What does not fit between a node with a `_target_` and the target's signature."""
    target = node["_target_"]
    if not isinstance(target, str):
        return [f"{path}._target_={target}: must be a dotted name"]
    try:
        factory = import_target(target)
    except PermissionError as error:
        return [f"{path}._target_: refused, {error}"]
    except Exception as error:  # whatever the user's own module raises on import
        return [f"{path}._target_={target}: cannot be imported ({error})"]
    if not callable(factory):
        return [f"{path}._target_={target}: is not callable"]
    try:
        parameters = inspect.signature(factory).parameters
    except ValueError:
        return []  # written in C, with no signature to hold it against
    found = []
    short = target.rpartition(".")[2]
    names = [
        n for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    takes_any = any(p.kind == p.VAR_KEYWORD for p in parameters.values())
    extra = LOADING | DOWNLOAD if path == "dataset" else set()
    given = [k for k in node if not (k.startswith("_") and k.endswith("_"))]
    found += [
        f"{path}.{key}: {short} takes no such key{nearest(key, [*names, *extra])}"
        for key in given
        if key not in names and key not in extra and not takes_any
    ]
    if path == "dataset":
        split = node.get("split")
        if isinstance(split, Mapping):
            found += [
                f"dataset.split.{k}: no such key{nearest(k, SPLIT)}" for k in split.keys() - SPLIT
            ]
        found += [f"dataset.{k}: missing" for k in sorted(LOADING - node.keys())]
    if not node.get("_partial_"):
        found += [
            f"{path}.{key}: missing, {short} needs it"
            for key in names
            if parameters[key].default is inspect.Parameter.empty
            and key not in node
            and key != "self"
        ]
    return found + _types(path, node, factory, names)


def _types(path: str, node: Mapping[str, Any], factory: Any, names: Sequence[str]) -> list[str]:
    try:
        hints = typing.get_type_hints(factory.__init__ if inspect.isclass(factory) else factory)
    except Exception:  # annotations that name what is not imported at run time say nothing to us
        return []
    found = []
    for key in names:
        value = node.get(key)
        if (
            key not in node
            or f"{path}.{key}" in RANGES
            or isinstance(value, Mapping)
            and "_target_" in value
        ):
            continue
        if key in hints and not fits(value, hints[key]):
            wanted = getattr(hints[key], "__name__", None) or str(hints[key]).replace("typing.", "")
            if typing.get_origin(hints[key]) is not None:
                wanted = str(hints[key]).replace("typing.", "")
            found.append(f"{path}.{key}={value!r}: must be {wanted}")
    return found


def fits(value: Any, hint: Any) -> bool:
    """Whether a plain value can be what an annotation says; True for annotations of other
    objects.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, a) for a in arguments)
    if origin is typing.Literal:
        return value in arguments
    if hint is type(None):
        return value is None
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is float:
        return (
            isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
        )
    if hint is str:
        return isinstance(value, str)
    if origin in (list, Sequence) or hint in (list, Sequence):
        return isinstance(value, list) and all(fits(v, a) for v in value for a in arguments[:1])
    if origin is dict or hint is dict:
        return isinstance(value, Mapping)
    # Other classes come as nested _target_ nodes; what is left over is accepted only if it is no
    # plain number or text.
    return not (
        inspect.isclass(hint)
        and isinstance(value, str | int | float | bool)
        and hint.__module__ != "typing"
    )
