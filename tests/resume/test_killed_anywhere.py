"""Whatever is trained: killed at three places and resumed, it equals the uninterrupted run."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.resume.trained import KILLED, SLOW, assert_same, kill, run

STAGES = [
    "experiment=hyperkvasir", "dataset=synthetic", "trainer.max_epochs=2",
    "stages.dice.max_epochs=2",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        ["scheduler=cosine"],
        ["scheduler=onecycle"],
        # the score never rises, and the rate falls with every epoch, or the run ends
        ["scheduler=plateau", "scheduler.patience=0", *SLOW],
        ["early_stopping=2", "trainer.max_epochs=9", "optimizer.lr=1e-9", "model.norm=none"],
        ["trainer.accumulate_grad_batches=2"],
        ["optimizer=sgd", "model.norm=group"],
        STAGES,
        ["scheduler=poly"],
        ["scheduler=warmup_cosine", "model.deep_supervision=true"],
        ["ema.decay=0.9", "checkpoints.top_k=2"],
        ["ema.decay=0.9", "trainer.accumulate_grad_batches=2"],
        [*STAGES, "ema.decay=0.9"],
        # thawed after the interruption, with it, and before it
        ["model=lite_unet", "model.freeze_encoder_epochs=3", "optimizer.encoder_lr_scale=0.1"],
        ["model=lite_unet", "model.freeze_encoder_epochs=2", "scheduler=onecycle"],
        ["model=lite_unet", "model.freeze_encoder_epochs=1", "ema.decay=0.9"],
        ["optimizer.decay_norms_and_biases=true"],
    ],
    ids=[
        "cosine", "onecycle", "plateau", "stopping", "accumulation", "sgd", "stages", "poly",
        "warmup_cosine", "ema", "ema-accumulation", "ema-stages", "frozen", "thawed",
        "long-thawed", "decay",
    ],
)  # fmt: skip
def test_a_run_killed_again_and_again_equals_the_uninterrupted_one(
    tmp_path: Path,
    many: list[str],
    at_batch: Callable,
    monkeypatch: pytest.MonkeyPatch,
    more: list[str],
) -> None:
    """Within an epoch, before the first batch of the next one, and within that one."""
    if "model=lite_unet" in more:
        many = [o for o in many if not re.match(r"model\.(width|depth)", o)]
        more = [*more, "model.weights=null"]
    options = [*more[:2], *many, "trainer.max_epochs=4", *more, "checkpoints.every_steps=1"]
    options = [o for i, o in enumerate(options) if "=" in o and o not in options[:i]]
    whole = run(options, tmp_path / "whole")
    for place in ((1, 4), (2, 0), (2, 3)):
        at_batch(*place, kill)
        with pytest.raises(RuntimeError, match=KILLED):
            run([*options, "resume=auto"], tmp_path / "parts")
        monkeypatch.undo()
    assert_same(whole, run([*options, "resume=auto"], tmp_path / "parts"))
