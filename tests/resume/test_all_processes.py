"""A signal to all processes of a run, as schedulers send it: to loader processes and ranks too."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from seg.runs.folder import RunFolder
from seg.training.checkpoint import read
from tests.commands import begun, forked
from tests.resume.trained import assert_same, only_run

RANKS = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "dataset.num_workers=0"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        ["dataset.num_workers=2"],
        RANKS,
        [
            *RANKS,
            "ema.decay=0.9",
            "model=resenc_unet",
            "model.blocks=[1,1,1]",
            "model.freeze_encoder_epochs=3",
            "optimizer.encoder_lr_scale=0.1",
        ],
    ],
    ids=["workers", "ranks", "ranks-ema-frozen"],
)
def test_a_signal_to_all_processes_of_a_run_ends_it_in_order_and_nothing_is_lost(
    tmp_path: Path, many: list[str], more: list[str]
) -> None:
    if "model=resenc_unet" in more:
        many = [o for o in many if not re.match(r"model\.(depth|dropout)", o)]
    options = [more[0], *many, *more[1:], "trainer.max_epochs=12"]
    whole = forked("train", *options, f"output_dir={tmp_path / 'whole'}", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    halves = begun("train", *options, f"output_dir={tmp_path / 'halves'}", cwd=tmp_path)
    deadline = time.time() + 200
    while not list(tmp_path.glob("halves/*-*/*/metrics.csv")) and time.time() < deadline:
        time.sleep(0.05)
    os.killpg(halves.pid, signal.SIGUSR1)
    output = halves.communicate(timeout=120)[1]
    assert halves.returncode == 128 + signal.SIGUSR1, output
    assert "SIGUSR1: " in output
    assert "Error" not in output
    folder = only_run(tmp_path / "halves")
    assert RunFolder(folder).status == "interrupted"
    position = read(folder / "checkpoints" / "last.ckpt")["seg"]["position"]
    assert position["epoch"] >= 1
    options.append("resume=auto")
    rest = forked("train", *options, f"output_dir={tmp_path / 'halves'}", cwd=tmp_path)
    assert rest.returncode == 0, rest.stderr
    assert_same(only_run(tmp_path / "whole"), folder)
