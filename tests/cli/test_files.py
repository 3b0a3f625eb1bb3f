"""What is asked of the files that a command reads, before its imports."""

from pathlib import Path

import pytest

from seg.cli.compose import compose
from seg.cli.files import require_files


def test_data_that_are_generated_are_not_made_yet(tmp_path: Path) -> None:
    require_files(compose([f"output_dir={tmp_path / 'out'}"]), "train")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", ["dataset=folder", "dataset=lgg"])
def test_data_that_are_not_there_are_named(given: str, tmp_path: Path) -> None:
    cfg = compose([given, f"dataset.root={tmp_path / 'none'}"])
    with pytest.raises(FileNotFoundError, match=str(tmp_path / "none")):
        require_files(cfg, "train")
    require_files(compose([given, f"dataset.root={tmp_path / 'none'}", "resume=auto"]), "train")
