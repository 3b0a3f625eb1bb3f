"""A torchvision that was made for another torch stops nothing that does not need it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import ROOT, started

TINY = [
    "dataset.patients=6", "dataset.frames=2", "dataset.size=48", "dataset.image_size=32",
    "model.width=4", "model.depth=2", "trainer.max_epochs=1", "trainer.precision=32",
]  # fmt: skip
# as far as torchvision is without its compiled operators: the registration fails, the rest works
WITHOUT_OPERATORS = """
import torch
@torch.library.register_fake("torchvision::nms")
def nms(boxes, scores, threshold):
    return boxes
"""
IN_PIECES = 'raise AttributeError("module torch has no attribute of_another_version")'


def install(folder: Path, code: str) -> str:
    """A package torchvision with its metadata, as pip leaves it; returns PYTHONPATH."""
    (folder / "torchvision").mkdir(parents=True)
    (folder / "torchvision" / "__init__.py").write_text(code)
    about = folder / "torchvision-0.28.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: torchvision\nVersion: 0.28.0\n")
    return os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])


def run(code: str, path: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )


def test_what_imports_torchvision_where_it_is_installed_goes_on(tmp_path: Path) -> None:
    path = install(tmp_path, IN_PIECES)
    assert run("import torchmetrics", path).returncode != 0  # without seg
    done = run("import seg, torchmetrics, pytorch_lightning", path)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len([line for line in lines if "torchvision does not fit" in line]) == 1
    assert "Traceback" not in done.stderr


def test_who_asks_for_it_gets_one_line_with_the_reason(tmp_path: Path) -> None:
    code = (
        "import seg\ntry: import torchvision\nexcept ImportError as error: print(error, error.name)"
    )
    done = run(code, install(tmp_path, IN_PIECES))
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.strip().splitlines()
    assert "of_another_version" in line
    assert "pip install 'torchvision==0." in line
    assert line.endswith("torchvision")


def test_missing_operators_are_declared_but_do_nothing(tmp_path: Path) -> None:
    path = install(tmp_path, WITHOUT_OPERATORS)
    assert run("import torchvision", path).returncode != 0
    code = (
        "import seg, importlib.metadata, torch, torchvision\n"
        "print(importlib.metadata.version('torchvision'), torchvision.__spec__.loader)\n"
        "try: torch.ops.torchvision.nms(torch.ones(1, 4), torch.ones(1), 0.5)\n"
        "except NotImplementedError: print('not implemented')"
    )
    done = run(code, path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0.28.0 ")
    assert "SourceFileLoader" in done.stdout  # tools that read the source find it
    assert done.stdout.endswith("not implemented\n")


def test_without_torchvision_nothing_changes(tmp_path: Path) -> None:
    code = (
        "import seg, sys, importlib.metadata, pathlib\n"
        "assert 'torch' not in sys.modules\n"
        "sys.path[:] = [p for p in sys.path if not (pathlib.Path(p) / 'torchvision').exists()]\n"
        "try: importlib.metadata.version('torchvision')\n"
        "except importlib.metadata.PackageNotFoundError: print('not found')\n"
        "try: import torchvision\n"
        "except ModuleNotFoundError: print('no module')"
    )
    done = run(code, os.environ.get("PYTHONPATH", ""))
    assert done.stdout == "not found\nno module\n", done.stderr


@pytest.mark.slow
def test_a_training_runs_beside_it(tmp_path: Path) -> None:
    # a new interpreter: a fork of this one would have imported torchmetrics already
    path = os.pathsep.join([install(tmp_path / "site", IN_PIECES), str(ROOT)])
    options = [*TINY, f"output_dir={tmp_path / 'runs'}"]
    done = started("-m", "seg.train", *options, cwd=tmp_path, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "torchvision does not fit" in done.stdout + done.stderr
    assert list(tmp_path.glob("runs/*/*/test.json"))
