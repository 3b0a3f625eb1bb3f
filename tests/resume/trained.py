"""Small runs that are trained, cut short and compared."""

import os
import signal
from pathlib import Path

import pandas as pd
import torch
from omegaconf import DictConfig

from seg.cli.check import check
from seg.cli.compose import compose
from seg.runs.folder import RunFolder
from seg.train import train

KILLED = "killed"
# the score never rises; below 1e-8 a plateau would not lower the rate
SLOW = ["optimizer=sgd", "optimizer.lr=1e-6", "model.norm=none"]


def configured(overrides: list[str], output: Path) -> DictConfig:
    cfg = compose([*overrides, f"output_dir='{output}'"])
    check(cfg)
    return cfg


def run(overrides: list[str], output: Path) -> Path:
    """Train as the command does; returns the run folder."""
    train(configured(overrides, output))
    return only_run(output)


def only_run(output: Path) -> Path:
    (folder,) = (p.parent for p in output.glob("*-*/*/run.json"))
    return folder


def kill() -> None:
    raise RuntimeError(KILLED)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def assert_same(whole: Path, halves: Path) -> None:
    """metrics.csv and test_cases.csv agree to the last digit, the time that it took aside."""
    a, b = (
        pd.read_csv(f / "metrics.csv", dtype=str).drop(columns="seconds") for f in (whole, halves)
    )
    pd.testing.assert_frame_equal(a, b)
    assert (whole / "test_cases.csv").read_text() == (halves / "test_cases.csv").read_text()
    scores = [RunFolder(f).facts["val/dice"] for f in (whole, halves)]
    assert scores[0] == scores[1]
    weights = [torch.load(f / "model.pth", weights_only=True) for f in (whole, halves)]
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])


def rates(folder: Path) -> list[float]:
    return pd.read_csv(folder / "metrics.csv")["lr"].tolist()
