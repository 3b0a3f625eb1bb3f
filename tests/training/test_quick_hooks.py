"""What is taken from Lightning's hooks, and what stays."""

from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
from pytorch_lightning.profilers import SimpleProfiler
from torch import nn

from seg.cli.build import build_trainer
from seg.cli.compose import compose
from seg.runs.folder import RunFolder
from seg.training.hardware import choose_hardware
from seg.training.quick_hooks import QuickHooks, Unprofiled


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


def test_a_module_knows_its_hook_and_has_its_parts_as_every_other():
    module = QuickHooks()
    module.part, module.word = nn.Linear(2, 3), "x"
    seen = []
    module.on_fit_start = lambda: seen.append(module._current_fx_name)
    trainer = SimpleNamespace(lightning_module=module, profiler=Unprofiled())
    pl.trainer.call._call_lightning_module_hook(trainer, "on_fit_start", pl_module=module)
    assert seen == ["on_fit_start"]
    assert module._current_fx_name is None
    assert dict(module.named_children()) == {"part": module.part}
    assert module.word == "x"
    assert "_current_fx_name" not in module.state_dict()
