"""What a profiler costs, and whose it is."""

from types import SimpleNamespace

import pytest
from pytorch_lightning.profilers import SimpleProfiler

from seg.cli.build import build_trainer
from seg.cli.compose import compose
from seg.runs.folder import RunFolder
from seg.training.hardware import choose_hardware
from seg.training.unprofiled import Unprofiled


@pytest.mark.parametrize(
    ("overrides", "kind"), [([], Unprofiled), (["+trainer.profiler=simple"], SimpleProfiler)]
)
def test_a_profiler_that_was_asked_for_is_taken(tmp_path, monkeypatch, overrides, kind):
    monkeypatch.setattr("seg.cli.build.build_callbacks", lambda *args, **more: [])
    cfg = compose(["trainer=cpu", *overrides])
    module = SimpleNamespace(stages=[SimpleNamespace(epochs=1)])
    hardware = choose_hardware("cpu", "32")
    trainer = build_trainer(cfg, hardware, None, module, RunFolder(tmp_path), [])
    assert type(trainer.profiler) is kind
    with trainer.profiler.profile("outer"), trainer.profiler.profile("inner"):
        pass
