"""Tab completion proposes what a command takes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seg.cli.completion import candidates
from tests.commands import ROOT


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("python -m seg.tr", ["seg.train"]),
        ("python -m seg.train data", ["dataset.", "dataset="]),
        ("python -m seg.train dataset=kv", ["dataset=kvasir"]),
        ("python -m seg.train dataset.split.fo", ["dataset.split.fold=", "dataset.split.folds="]),
        ("python -m seg.train dataset.norm", ["dataset.normalize="]),
        ("python -m seg.train trainer.accelerator=c",
         ["trainer.accelerator=cpu", "trainer.accelerator=cuda"]),
        ("python -m seg.train loss=dice,bc", ["loss=dice,bce", "loss=dice,bce_dice"]),
        ("python -m seg.train model=lite_unet model.enc", ["model.encoder="]),
        ("python -m seg.train model=unet model.enc", []),
        ("python -m seg.train seed=", ["seed=42"]),
        ("python -m seg.train dataset.root=", []),  # the shell's own: files
        ("python -m seg.train --multirun loss=bce,dice optimizer=adamw sched", ["schedule_epochs=",
         "scheduler.", "scheduler="]),
        ("python -m seg.train --cfg ", ["job"]),
        ("python -m seg.train --he", ["--help"]),
        ("python -m seg.train experiment=kid",
         ["experiment=kidney", "experiment=kidney_best", "experiment=kidney_best_gpu"]),
        ("python -m seg.evaluate trainer=", []),  # no group of this command
        ("python -m seg.evaluate run=x protocol=pr", ["protocol=pranet"]),
        ("python -m seg.predict tt", ["tta=", "tta_check="]),
        ("python -m seg.nothing a", []),
        ("python -m seg.train losss=dice mode", ["model.", "model="]),  # a mistake before
    ],
)  # fmt: skip
def test_the_last_word_is_completed(typed: str, expected: list[str]) -> None:
    assert candidates(typed) == expected


def test_choices_of_ones_own_are_completed(tmp_path: Path) -> None:
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text("_target_: seg.losses.dice.DiceLoss\nmy: 2\n")
    line = f"python -m seg.train --config-dir {tmp_path} loss=mi"
    assert candidates(line) == ["loss=mine"]
    assert candidates(f"{line}ne loss.m") == ["loss.my="]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("typed", "word", "expected"),
    [
        ("python -m seg.train data", "data", "dataset.|dataset="),
        ("python -m seg.train dataset=kv", "kv", "kvasir"),  # bash divides words at =
        ("python other.py x", "x", ""),
    ],
)
def test_bash_completes(tmp_path: Path, typed: str, word: str, expected: str) -> None:
    script = tmp_path / "complete.sh"
    script.write_text(
        f'export PYTHONPATH="{ROOT}"\npython() {{ "{sys.executable}" "$@"; }}\n'
        'eval "$(python -m seg --completion bash)"\n'
        f'COMP_LINE="{typed}"; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=(python -m seg {word})\n'
        '_seg; IFS="|"; echo "${COMPREPLY[*]}"\n'
    )
    done = subprocess.run(["bash", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected
