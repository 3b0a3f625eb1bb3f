"""What is read from source files is what an import finds."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from seg.cli import source
from seg.cli.compose import CONF_DIR
from seg.cli.signatures import annotations
from seg.trust import import_target

MORE = [
    "torch.nn.CrossEntropyLoss", "torch.nn.Conv2d", "torch.optim.RMSprop", "torch.optim.LBFGS",
    "torch.optim.lr_scheduler.CosineAnnealingLR", "pytorch_lightning.callbacks.EarlyStopping",
    "pytorch_lightning.loggers.TensorBoardLogger", "albumentations.RandomCrop",
]  # fmt: skip


def targets(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "_target_")
    for below in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from targets(below)


def of_conf() -> list[str]:
    files = [yaml.safe_load(path.read_text("utf-8")) for path in CONF_DIR.rglob("*.yaml")]
    names = {name for file in files for name in targets(file)}
    # the data sets import no torch, and some inherit the keys of a dataclass
    return sorted(name for name in names if not name.startswith("seg.data.sources."))


def named(parameters: Any) -> dict[str, bool]:
    """Whether each key is needed."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {k: p.default is p.empty for k, p in parameters.items() if p.kind in kinds}


@pytest.mark.parametrize("name", [*of_conf(), *MORE])
def test_the_signature_that_is_read_is_that_of_the_object(name: str) -> None:
    read = source.signature(name).parameters
    factory = import_target(name)
    real = inspect.signature(factory).parameters
    assert named(read) == named(real)
    is_open = [any(p.kind == p.VAR_KEYWORD for p in of.values()) for of in (read, real)]
    assert is_open[0] == is_open[1]
    hints = annotations(factory)
    for key, parameter in read.items():
        if parameter.annotation is not parameter.empty:
            assert hints[key] == parameter.annotation, key


def test_most_annotations_of_our_own_classes_are_read() -> None:
    read = source.signature("seg.models.unet.UNet").parameters
    assert {p.annotation for p in read.values()} >= {int, bool}


SOURCE = """
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from nowhere import Thing
try:
    from nowhere import Either
except ImportError:
    class Either:
        def __init__(self, *, a): ...

class Base:
    def __init__(self, *, width: int, depth: "int | None" = None): ...
class Below(Base):
    pass
class Hidden(Base):
    def __init__(self, thing: "Thing", width: int): ...
class New(Base):
    def __new__(cls, **keys): return super().__new__(cls)
class Meta(type):
    def __call__(cls, *, other): return 1
class Called(metaclass=Meta):
    def __init__(self, *, a): ...
def wraps(function):
    @functools.wraps(function)
    def inner(*args, **keys): return function(*args, **keys)
    return inner
def changes(function):
    return lambda **keys: function(**keys)
@wraps
def kept(*, a=1, b): ...
@changes
def changed(*, a): ...
@dataclass(kw_only=True)
class Plain:
    a: int
    b: float = 1.0
@dataclass
class Special:
    a: int = field(default=1)
Other = Base
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "only_read_here.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return "only_read_here"


@pytest.mark.parametrize(
    ("name", "needed"),
    [("Base", ["width"]), ("Below", ["width"]), ("Other", ["width"]), ("kept", ["b"]),
     ("Plain", ["a"]), ("Hidden", ["thing", "width"])],
)  # fmt: skip
def test_what_the_source_tells_is_read_without_an_import(
    module: str, name: str, needed: list[str]
) -> None:
    parameters = source.signature(f"{module}.{name}").parameters
    assert [key for key, is_needed in named(parameters).items() if is_needed] == needed
    assert module not in sys.modules


def test_a_type_beside_one_that_is_not_there_is_not_compared(module: str) -> None:
    # `typing.get_type_hints` fails as a whole, and so a run would take any value
    parameters = source.signature(f"{module}.Hidden").parameters
    assert {p.annotation for p in parameters.values()} == {inspect.Parameter.empty}
    assert source.signature(f"{module}.Base").parameters["depth"].annotation == int | None


@pytest.mark.parametrize("name", ["Either", "New", "Called", "changed", "Special"])
def test_what_only_an_import_tells_is_left_to_it(module: str, name: str) -> None:
    with pytest.raises(source.Unreadable):
        source.signature(f"{module}.{name}")


def test_a_name_that_is_not_there_is_told_apart_from_one_that_cannot_be_read(module: str) -> None:
    with pytest.raises(ImportError):
        source.signature(f"{module}.Bass")
    with pytest.raises(source.Unreadable):
        source.signature("math.sqrt")
    with pytest.raises(source.Unreadable):
        source.signature("no_such_package.Net")
