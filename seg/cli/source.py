"""The signature of a function or class, read from its source: nothing of it is imported.

Importing torch takes seconds, and a key with a typing error is refused without. What cannot be told
from the source alone is left to an import.
"""

import ast
import builtins
import functools
import operator
import typing
from collections.abc import Iterator, Sequence
from inspect import Parameter, Signature
from typing import Any

from seg.cli.definitions import Definition, Module, Unreadable, find, is_missing, named

METACLASSES = ("type", "ABCMeta", "abc.ABCMeta")
ROOTS = ("object", "ABC", "abc.ABC", "Protocol", "Generic")
PLAIN = {kind.__name__: kind for kind in (bool, int, float, str, list, dict, Sequence)}


@functools.cache
def signature(target: str) -> Signature:
    """The signature of what a dotted name stands for, without `self`.

    Its annotations are those of numbers, texts, lists and mappings; others are left out. All
    defaults are None.

    Raises:
        ImportError: there is no such name.
        Unreadable: the source does not tell it.
    """
    module, _, name = target.rpartition(".")
    try:
        if is_missing(module, name):
            raise ImportError(f"{module} has no {name}")
        return _of(*find(module, name))
    except (SyntaxError, RecursionError, ValueError, OSError) as error:
        raise Unreadable(target) from error


def _of(own: Module, node: Definition) -> Signature:
    if isinstance(node, ast.FunctionDef):
        _require_plain(own, node)
        return _of_function(own, node)
    if [ast.unparse(d).partition("(")[0] for d in node.decorator_list] == ["dataclass"]:
        return _of_fields(own, node)
    lineage = list(_lineage(own, node))
    metaclasses = [
        named(where, keyword.value)
        for where, one in lineage
        for keyword in one.keywords
        if keyword.arg == "metaclass" and ast.unparse(keyword.value) not in METACLASSES
    ]
    if any(_answers(*metaclass) for metaclass in metaclasses):
        raise Unreadable(node.name)
    for where, one in lineage:
        methods = {m.name: m for m in one.body if isinstance(m, ast.FunctionDef)}
        if one.decorator_list or "__new__" in methods or "__signature__" in ast.dump(one):
            break
        if "__init__" in methods:
            _require_plain(where, methods["__init__"])
            # a metaclass may have wrapped it, and `get_type_hints` sees the wrapper
            return _of_function(where, methods["__init__"], skipped=1, hinted=not metaclasses)
        if len(one.bases) > 1:
            break
    raise Unreadable(node.name)


def _lineage(own: Module, node: ast.ClassDef) -> Iterator[tuple[Module, ast.ClassDef]]:
    """A class, its first base, the first base of that, and so on."""
    yield own, node
    if node.bases and ast.unparse(node.bases[0]).partition("[")[0] not in ROOTS:
        where, base = named(own, node.bases[0])
        if not isinstance(base, ast.ClassDef):
            raise Unreadable(node.name)
        yield from _lineage(where, base)


def _answers(own: Module, metaclass: Definition) -> bool:
    """Whether calling a class of this metaclass may be something else than its `__init__`."""
    if isinstance(metaclass, ast.FunctionDef):
        return True
    has_call = any(isinstance(m, ast.FunctionDef) and m.name == "__call__" for m in metaclass.body)
    bases = [base for base in metaclass.bases if ast.unparse(base) not in METACLASSES]
    return has_call or any(_answers(*named(own, base)) for base in bases)


def _require_plain(own: Module, function: ast.FunctionDef) -> None:
    """Refuse a decorator that may change the signature: one without functools.wraps."""
    for decorator in function.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        _, definition = named(own, called)
        inner = [one for one in ast.walk(definition) if isinstance(one, ast.FunctionDef)]
        if not any("wraps(" in ast.unparse(d) for one in inner for d in one.decorator_list):
            raise Unreadable(function.name)


def _of_function(
    own: Module, function: ast.FunctionDef, *, skipped: int = 0, hinted: bool = True
) -> Signature:
    a = function.args
    if a.posonlyargs:
        raise Unreadable(function.name)
    required = [None] * (len(a.args) - len(a.defaults))
    pairs = list(zip(a.args + a.kwonlyargs, required + a.defaults + a.kw_defaults, strict=True))
    hints = _Hints(own, [x.annotation for x, _ in pairs if x.annotation])
    hints.are_known &= hinted
    found = [hints.parameter(x.arg, d is not None, x.annotation) for x, d in pairs[skipped:]]
    found += [Parameter(a.kwarg.arg, Parameter.VAR_KEYWORD)] if a.kwarg else []
    return Signature(found)


def _of_fields(own: Module, node: ast.ClassDef) -> Signature:
    """The signature of a dataclass that inherits nothing."""
    fields = [one for one in node.body if isinstance(one, ast.AnnAssign)]
    special = ("ClassVar", "InitVar", "field(", "KW_ONLY", "__init__", "__new__")
    if node.bases or any(sign in ast.unparse(node) for sign in special):
        raise Unreadable(node.name)
    hints = _Hints(own, [one.annotation for one in fields])
    return Signature(
        [
            hints.parameter(ast.unparse(one.target), one.value is not None, one.annotation)
            for one in fields
        ]
    )


class _Hints:
    """Annotations of one signature; none where one of them has a name that is not there, since
    those of a function are resolved together.
    """

    def __init__(self, own: Module, annotations: Sequence[ast.expr]) -> None:
        names = {name for annotation in annotations for name in _names(annotation)}
        self.are_known = all(name in own.bound or hasattr(builtins, name) for name in names)

    def parameter(self, name: str, is_optional: bool, annotation: ast.expr | None) -> Parameter:
        try:
            known = annotation is not None and self.are_known
            hint = _type(_parsed(annotation)) if known else Parameter.empty
        except (Unreadable, ValueError):
            hint = Parameter.empty
        default = None if is_optional else Parameter.empty
        return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=hint)


def _names(node: ast.AST) -> Iterator[str]:
    """The names in an annotation, also those within quotes."""
    if isinstance(node, ast.Subscript) and "Literal" in ast.unparse(node.value):
        node = node.value
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        node = _parsed(node)
    if isinstance(node, ast.Name):
        yield node.id
    for child in ast.iter_child_nodes(node):
        yield from _names(child)


def _parsed(annotation: ast.expr) -> ast.expr:
    is_text = isinstance(annotation, ast.Constant) and isinstance(annotation.value, str)
    return ast.parse(annotation.value, mode="eval").body if is_text else annotation


def _type(node: ast.expr) -> Any:
    """What an annotation of plain types means; all others are unreadable."""
    if isinstance(node, ast.Name) and node.id in PLAIN:
        return PLAIN[node.id]
    if isinstance(node, ast.Constant) and node.value is None:
        return None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _type(node.left) | _type(node.right)
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        several = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        match node.value.id:
            case "Literal":
                return typing.Literal[tuple(ast.literal_eval(one) for one in several)]
            case "Optional":
                return _type(several[0]) | None
            case "Union":
                return functools.reduce(operator.or_, map(_type, several))
            case "list" | "dict" | "Sequence" as kind:
                return PLAIN[kind][tuple(map(_type, several))]
    raise Unreadable(ast.unparse(node))
