"""What is asked of the files that a command reads, before its imports."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def nobody() -> Iterator[None]:
    """Root may write everywhere: another user meanwhile. Others stay who they are."""
    if os.geteuid():
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


# What each command needs, and the key that says where its results go.
COMMANDS = {
    "train": ([], "output_dir={}"),
    "prepare": ([], "output_dir={}"),
    "predict": (["run=none", "input=none"], "output={}"),
    "evaluate": (["run=none"], "output={}"),
    "compare": (["runs=none"], "output={}"),
    "export": (["run=none"], "output={}/model.onnx"),
}


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("mode", [0o555, 0o000], ids=["not written to", "not entered"])
def test_a_place_for_results_that_is_not_ones_own_is_refused_with_its_key(
    command: str, mode: int
) -> None:
    with tempfile.TemporaryDirectory() as parent:  # pytest's own folders are for one user alone
        Path(parent).chmod(0o755)
        folder = Path(parent) / "theirs"
        folder.mkdir(mode=mode)
        needed, output = COMMANDS[command]
        cfg = compose([*needed, output.format(folder / "results")], config_name=command)
        key = output.partition("=")[0]
        with pytest.raises(PermissionError, match=f"give another {key}: '{folder}"), nobody():
            require_files(cfg, command)
        folder.chmod(0o755)
        assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_data_that_may_not_be_read_are_named_with_their_key(tmp_path: Path) -> None:
    root = tmp_path / "theirs"
    root.mkdir(mode=0)
    cfg = compose(["dataset=folder", f"dataset.root={root}", f"output_dir={tempfile.gettempdir()}"])
    with pytest.raises(PermissionError, match=f"dataset.root={root}"), nobody():
        require_files(cfg, "train")
