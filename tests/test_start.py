"""Help and refusals come at once: what takes seconds to import is imported for a run alone."""

import subprocess
import sys
from pathlib import Path

import pytest

import seg
from seg.cli.check import check
from seg.cli.compose import ConfigError, compose
from tests.commands import environment_of, started

COMMANDS = ["train", "evaluate", "predict", "export", "prepare", "compare", "demo"]
RUN = """
import runpy, sys
command, *sys.argv[1:] = sys.argv[1:]
try:
    runpy.run_module(f"seg.{command}", run_name="__main__")
except SystemExit as end:
    heavy = [m for m in ("torch", "pytorch_lightning", "albumentations") if m in sys.modules]
    print("status", end.code, heavy)
"""

# what a task gets, and how often the configuration was composed for it
COUNTED = """
import os
from hydra._internal.hydra import Hydra
from seg.launch import launch
compose, calls = Hydra.compose_config, []
Hydra.compose_config = lambda *given, **keys: calls.append(1) or compose(*given, **keys)
def task(cfg):
    print(len(calls), cfg.seed, cfg.name, os.environ.get("OF_HYDRA"))
launch(task, config_name="train")
"""


def ends_with(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_imports_no_torch(command: str) -> None:
    assert ends_with(command, "--help") == "status 0 []"


@pytest.mark.parametrize("command", ["seg", "seg.train", "seg.predict"])
def test_the_version_is_that_of_seg(command: str, tmp_path: Path) -> None:
    assert started("-m", command, "--version", cwd=tmp_path).stdout == f"seg {seg.__version__}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes of that kind")
def test_help_that_is_cut_by_a_pipe_says_nothing_of_it(tmp_path: Path) -> None:
    line = f"{sys.executable} -m seg.train --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, env=environment_of(), cwd=tmp_path
    )
    assert done.stderr == ""


@pytest.mark.parametrize("line", ["resume=true", "init_from=7", "init_from=[a]"])
def test_a_run_folder_that_is_no_text_is_refused(line: str) -> None:
    with pytest.raises(ConfigError, match=line.partition("=")[0]):
        check(compose([line]))


def test_a_file_without_its_key_is_refused_with_the_key(tmp_path: Path) -> None:
    done = started("-m", "seg.export", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 1
    assert f"run={tmp_path}" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--cfg", "job"], 0),
        (["--cfg", "job", "dataset=folder"], 0),  # whose root is required
        (["experiment=kvasir", "model=smp", "--cfg", "job"], 0),
        (["optimzer=adam"], 1),
        (["loss=dyce", "optimizer.lrr=3"], 1),
        (["dataset=folder"], 1),
        (["trainer.max_epochs=0"], 1),
        (["+optimizer.lrr=3"], 1),
        (["+trainer.max_epoch=3", "+model.wdth=8"], 1),
        (["++augmentation.transforms=[{_target_:albumentations.Affine,angle:3}]"], 1),
        (["optimizer._target_=torch.optim.Adamm"], 1),
        (["optimizer._target_=torch.load"], 1),
    ],
)
def test_what_is_shown_or_refused_imports_no_torch(arguments: list[str], status: int) -> None:
    assert ends_with("train", *arguments) == f"status {status} []"


def test_a_run_is_composed_once() -> None:
    done = started("-c", COUNTED, "seed=3", cwd=Path.cwd())
    assert done.stdout == "1 3 synthetic-unet-bce_dice None\n", done.stderr


def test_keys_of_hydra_have_their_effect() -> None:
    done = started("-c", COUNTED, "seed=3", "+hydra.job.env_set.OF_HYDRA=yes", cwd=Path.cwd())
    assert done.stdout.endswith(" 3 synthetic-unet-bce_dice yes\n"), done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "dataset=folder", "dataset.root=none"],
        ["train", "dataset=kvasir", "dataset.root=."],  # which is empty
        ["evaluate", "run=."],
        ["evaluate", "run=.", "checkpoint=none.ckpt"],
        ["export", "run=."],
        ["predict", "run=.", "input=none", "output=masks"],
        ["predict", "run=.", "input=.", "output=masks"],
        ["predict", "run=.", "input=image.png", "output=masks"],
    ],
)
def test_missing_files_are_refused_without_torch(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "input=image.png" in arguments:  # the run is what is missing
        (tmp_path / "image.png").touch()
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)
    assert ends_with(*arguments) == "status 1 []"


def test_a_training_prints_no_line_of_a_library(tmp_path: Path) -> None:
    small = ["dataset.patients=6", "dataset.frames=2", "dataset.size=48", "dataset.image_size=32",
             "model.width=4", "model.depth=2", "trainer.max_epochs=1"]  # fmt: skip
    done = started("-m", "seg.train", *small, f"output_dir={tmp_path}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("epoch ")]
    assert len(lines) == 2, lines  # the data, and the run with its device


def test_the_package_lists_its_commands_and_answers_one_that_is_typed_without_its_dot() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "seg"], capture_output=True, text=True, check=True
    ).stdout
    assert all(f"python -m seg.{command} " in listed for command in COMMANDS)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "seg", "train", "dataset=lgg"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("python -m seg.train dataset=lgg")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert imported & {"torch", "hydra"} == set()


def test_flags_of_other_tools_are_answered_without_a_usage() -> None:
    done = started("-m", "seg.train", "--epochs", "5", "--lr=1e-3", cwd=Path.cwd())
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 3, lines
    assert "trainer.max_epochs=" in lines[1]
    assert "optimizer.lr=1e-3" in lines[2]
