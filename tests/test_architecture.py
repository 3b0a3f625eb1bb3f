"""What docs/architecture.md promises about the structure, checked on the code itself."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SEG = ROOT / "seg"
LONGEST = 250  # lines of a file

# A file imports from its own package and from packages on a lower line, never from the same line.
LAYERS = (
    ("models", "losses", "metrics", "data", "trust", "broken_torchvision"),
    ("runs",),
    ("training",),
    ("inference",),
    ("evaluation",),
    ("comparison", "preparation", "exporting"),
    ("report",),
    ("serving",),
    ("cli",),
    ("sweeps",),
    ("launch",),
    ("train", "evaluate", "predict", "export", "prepare", "compare"),
    ("demo", "api"),
)
COMMANDS = LAYERS[-2]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
HYDRA = (
    "cli",
    "sweeps",
    "launch",
    *COMMANDS,
    *LAYERS[-1],
)  # what may know Hydra and its configurations

# Files that only seg/runs/ may name, since every reader asks RunFolder for them.
OF_A_RUN = ("run.json", "config.yaml", "metrics.csv", "test.json", "test_cases.csv", "split.csv",
            "best.ckpt", "last.ckpt")  # fmt: skip
TAG = re.compile(r"<(td|tr|span|div|table|svg|path)\b")


def sources() -> list[Path]:
    return sorted(SEG.rglob("*.py"))


def package_of(path: Path) -> str:
    return path.relative_to(SEG).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> Iterator[str]:
    """Dotted names of all modules that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_there_is_code_to_check() -> None:
    assert len(sources()) > 100
    assert {package_of(path) for path in sources()} - {"__init__", "__main__"} == set(LEVEL)


def test_a_file_imports_from_its_own_package_and_from_lower_layers_alone() -> None:
    upward = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sources()
        for module in imported_modules(path)
        if module.startswith("seg.")
        for own, other in [(package_of(path), module.split(".")[1])]
        if other in LEVEL and own in LEVEL and own != other and LEVEL[other] >= LEVEL[own]
    ]
    assert upward == []


def test_the_configuration_stops_at_the_commands() -> None:
    named = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sources()
        if package_of(path) not in HYDRA
        for module in imported_modules(path)
        if module.split(".")[0] in ("hydra", "omegaconf")
    ]
    assert named == []


@pytest.mark.parametrize("name", OF_A_RUN)
def test_only_the_run_folder_knows_the_name_of_its_files(name: str) -> None:
    spelt = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources()
        if package_of(path) != "runs"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value == name
    ]
    assert spelt == []


def test_html_stands_in_templates_alone() -> None:
    tagged = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if TAG.search(line)
    ]
    assert tagged == []


@pytest.mark.parametrize("folder", ["seg", "hydra_plugins"])
def test_no_file_is_longer_than_one_idea_needs(folder: str) -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in sorted((ROOT / folder).rglob("*.py"))
    }
    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}
