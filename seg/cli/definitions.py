"""Where a function or class is defined, told from source files: nothing of them is imported."""

import ast
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.machinery import PathFinder
from pathlib import Path

Definition = ast.FunctionDef | ast.ClassDef
# what gives a module names that its text does not have
HIDDEN = (b"__getattr__", b"globals()", b"setattr(", b"import *", b"exec(")


class Unreadable(Exception):
    """What is asked for cannot be told from the source."""


@dataclass(frozen=True)
class _Link:
    """A name that is bound to a module, or to a name in one."""

    module: str
    name: str | None


@dataclass(frozen=True)
class Module:
    """A module as a file."""

    name: str
    path: Path | None
    below: Sequence[str]  # where its own modules are
    package: str

    @cached_property
    def tree(self) -> ast.Module:
        if self.path is None or self.path.suffix != ".py":
            raise Unreadable(self.name)
        return ast.parse(self.path.read_bytes())

    @cached_property
    def bound(self) -> dict[str, list[ast.AST | _Link]]:
        """What each name of the module may be; more than one where it depends on something."""
        names: dict[str, list[ast.AST | _Link]] = {}
        for name, value in self._bindings(self.tree.body):
            names.setdefault(name, []).append(value)
        return names

    def _bindings(self, statements: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.AST | _Link]]:
        for one in statements:
            if isinstance(one, Definition):
                yield one.name, one
            elif isinstance(one, ast.Import):
                for a in one.names:
                    yield a.asname or a.name.partition(".")[0], _Link(a.name, None)
            elif isinstance(one, ast.ImportFrom):
                above = self.package.split(".")[: -one.level + 1 or None] if one.level else []
                module = ".".join([*above, *([one.module] if one.module else [])])
                yield from ((a.asname or a.name, _Link(module, a.name)) for a in one.names)
            elif isinstance(one, ast.Assign):
                yield from ((t.id, one.value) for t in one.targets if isinstance(t, ast.Name))
            elif not (isinstance(one, ast.If) and "TYPE_CHECKING" in ast.dump(one.test)):
                for part in ("body", "orelse", "finalbody", "handlers"):
                    for inner in getattr(one, part, []):
                        yield from self._bindings(
                            inner.body if isinstance(inner, ast.ExceptHandler) else [inner]
                        )


@cache
def module_of(name: str) -> Module:
    """The module of a dotted name. Raises Unreadable where there is none."""
    above, _, _ = name.rpartition(".")
    if above:
        spec = PathFinder.find_spec(name, module_of(above).below)
    else:
        spec = importlib.util.find_spec(name)
    if spec is None:
        raise Unreadable(name)
    path = Path(spec.origin) if spec.has_location and spec.origin else None
    return Module(name, path, list(spec.submodule_search_locations or ()), spec.parent or "")


def find(module: str, name: str) -> tuple[Module, Definition]:
    """The one definition that a name of a module leads to, with the module that it is in."""
    own = module_of(module)
    values = own.bound.get(name, [])
    if not values:  # `from .losses import *`
        stars = [link.module for link in own.bound.get("*", []) if isinstance(link, _Link)]
        found = [one for star in stars for one in _finds(star, name)]
        if len({id(node) for _, node in found}) != 1:
            raise Unreadable(f"{module}.{name}")
        return found[0]
    value = values[0]
    if len(values) > 1:
        raise Unreadable(f"{module}.{name}")
    if isinstance(value, Definition):
        return own, value
    if isinstance(value, _Link) and value.name:
        return find(value.module, value.name)
    return named(own, value)


def is_missing(module: str, name: str) -> bool:
    """Whether a module has no such name for certain."""
    own = module_of(module)
    if own.path is None or own.path.suffix != ".py":
        return False
    text = own.path.read_bytes()
    is_hidden = any(sign in text for sign in (*HIDDEN, name.encode()))
    return not is_hidden and PathFinder.find_spec(f"{module}.{name}", own.below) is None


def _finds(module: str, name: str) -> list[tuple[Module, Definition]]:
    try:
        return [find(module, name)]
    except Unreadable:
        return []


def named(own: Module, value: ast.AST | _Link) -> tuple[Module, Definition]:
    """The definition that an expression names: `Adam`, `nn.Module`, `torch.optim.Adam`."""
    if isinstance(value, ast.Subscript):  # Generic[T]
        value = value.value
    if isinstance(value, ast.Name):
        return find(own.name, value.id)
    if isinstance(value, ast.Attribute):
        first, *middle = ast.unparse(value.value).split(".")
        link = own.bound.get(first, [None])[0]
        if isinstance(link, _Link):
            starts = [link.module, link.name] if link.name else [link.module.partition(".")[0]]
            if not link.name and ast.unparse(value.value) == first:
                starts = [link.module]  # import torch.nn as nn
            return find(".".join([*map(str, starts), *middle]), value.attr)
    raise Unreadable(own.name)
