"""`trainer.compile`: the same training, and a training all the same where it fails."""

import csv
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from seg.train import train
from seg.training import checkpoint
from tests.resume.trained import configured

pytestmark = pytest.mark.usefixtures("without_pictures")

COMPILE = nn.Module.compile
SMALL = [
    "dataset.patients=8", "dataset.frames=3", "dataset.size=32", "dataset.image_size=32",
    "dataset.batch_size=5", "dataset.split.seed=1",
    "model.width=8", "model.depth=2", "trainer.max_epochs=2", "trainer=cpu",
]  # fmt: skip


def figures(run: Any) -> list[dict[str, str]]:
    with run.metrics_path.open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def trained(folder: Path, *overrides: str) -> Any:
    return train(configured([*SMALL, *overrides], folder)).run


def fails(graph: Any, inputs: Any) -> Any:
    raise RuntimeError("no compiler here\nand a long story")


def counted(calls: list[tuple]) -> Any:
    def backend(graph: torch.fx.GraphModule, inputs: list) -> Any:
        calls.append(tuple(i.shape for i in inputs if i.ndim == 4 and i.shape[-1] == 32))
        return graph.forward

    return backend


def test_a_compiled_training_has_the_figures_and_the_names_of_a_plain_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = trained(tmp_path / "plain")
    calls: list[tuple] = []
    # its own operations, so that every digit is the same
    monkeypatch.setattr(nn.Module, "compile", partialmethod(COMPILE, backend=counted(calls)))
    compiled = trained(tmp_path / "compiled", "trainer.compile=true")
    assert figures(compiled) == figures(plain)
    states = [checkpoint.read(run.checkpoint("best"))["state_dict"] for run in (plain, compiled)]
    assert states[0].keys() == states[1].keys()
    shapes = {shape for call in calls for shape in call}
    assert {shape[0] for shape in shapes} == {5}  # neither the small batch nor validation


def test_where_it_cannot_be_compiled_a_line_says_so_and_the_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plain = trained(tmp_path / "plain")
    monkeypatch.setattr(nn.Module, "compile", partialmethod(COMPILE, backend=fails))
    tried = trained(tmp_path / "tried", "trainer.compile=true")
    assert figures(tried) == figures(plain)
    warnings = [r.getMessage() for r in caplog.records if "torch.compile" in r.getMessage()]
    assert len(warnings) == 1
    assert "\n" not in warnings[0]


def test_auto_compiles_nothing_on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.Module, "compile", partialmethod(COMPILE, backend=fails))
    assert figures(trained(tmp_path / "auto", "trainer.compile=auto"))
