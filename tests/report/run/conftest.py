"""Whole run folders, made once and copied for every test."""

import shutil
from pathlib import Path

import pytest

from tests.report.run.folders import write_whole


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """Two runs, `one` of a single class and `two` of two; only for reading."""
    root = tmp_path_factory.mktemp("made")
    write_whole(root / "one")
    write_whole(root / "two", classes=("nucleus", "cytoplasm"))
    return root


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy of the run of one class, to be spoilt."""
    return Path(shutil.copytree(made / "one", tmp_path / "outputs" / "polyps" / "run"))
