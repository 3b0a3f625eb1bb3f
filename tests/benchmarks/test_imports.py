"""Scripts run where torchvision was compiled for another torch, see seg/broken_torchvision.py."""

import ast
from pathlib import Path

import pytest

BENCHMARKS = sorted((Path(__file__).resolve().parents[2] / "benchmarks").glob("*.py"))
IMPORT_TORCHVISION = {"pytorch_lightning", "torchmetrics", "timm", "segmentation_models_pytorch"}


def imported(path: Path) -> list[str]:
    """The packages that a script imports when it starts, in their order."""
    names: list[str] = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names += [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_seg_is_imported_before_what_imports_torchvision(path: Path) -> None:
    packages = imported(path)
    if IMPORT_TORCHVISION.intersection(packages):
        first = min(packages.index(name) for name in IMPORT_TORCHVISION.intersection(packages))
        assert "seg" in packages[:first]
