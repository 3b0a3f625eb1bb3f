"""A run that was interrupted, in whatever way, and resumed equals one that was not."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import DictConfig
from torch import nn

from seg.cli import compose as config
from seg.cli.check import check
from seg.cli.compose import compose
from seg.runs.folder import RunFolder
from seg.train import train
from seg.training.checkpoint import read
from seg.training.epoch_log import EpochLog
from seg.training.module import SegmentationModule

KILLED = "killed"


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


@pytest.fixture(autouse=True)
def _without_pictures() -> Iterator[None]:
    """They would take most of the time, and tell nothing here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seg.report.panels.draw", lambda *_, **__: np.zeros((8, 8, 3), np.uint8))
        patch.setattr("seg.report.curves.draw", lambda *_, **__: None)
        yield


@pytest.fixture
def many(tiny: list[str]) -> list[str]:
    """6 batches an epoch, with dropout, in a precision that every machine has."""
    return [*tiny, "dataset.batch_size=2", "trainer.precision=32", "model.dropout=0.5"]


@pytest.fixture
def at_batch(monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Until `monkeypatch.undo()`: do something before a batch of an epoch, both from 0."""
    original = SegmentationModule.on_train_batch_start

    def set_(epoch: int, number: int, act: Callable[[], None]) -> None:
        def patched(self, batch, batch_idx) -> None:
            if (self.current_epoch, batch_idx) == (epoch, number):
                act()
            original(self, batch, batch_idx)

        monkeypatch.setattr(SegmentationModule, "on_train_batch_start", patched)

    return set_


@pytest.fixture
def at_epoch(monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Until `monkeypatch.undo()`, a training is killed when an epoch (from 0) starts."""
    original = EpochLog.on_train_epoch_start

    def set_(epoch: int) -> None:
        def killed(self, trainer, module) -> None:
            original(self, trainer, module)
            if trainer.current_epoch == epoch:
                raise RuntimeError(KILLED)

        monkeypatch.setattr(EpochLog, "on_train_epoch_start", killed)

    return set_


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


SAMPLED = ["dataset.sampling=foreground", "dataset.sampling_foreground=0.9"]


@pytest.mark.parametrize(
    "more", [[], ["ema.decay=0.9", "scheduler=poly", *SAMPLED]], ids=["plain", "ema"]
)
@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_run_that_sigterm_ended_within_an_epoch_equals_the_uninterrupted_one(
    tmp_path: Path,
    many: list[str],
    at_batch: Callable,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    more: list[str],
) -> None:
    options = [*many, "trainer.max_epochs=3", f"dataset.num_workers={workers}", *more]
    whole = run(options, tmp_path / "whole")
    at_batch(1, 2, terminate)
    with pytest.raises(SystemExit) as left:
        run(options, tmp_path / "halves")
    monkeypatch.undo()
    assert left.value.code == 143
    folder = only_run(tmp_path / "halves")
    assert RunFolder(folder).status == "interrupted"
    assert read(folder / "checkpoints" / "last.ckpt")["seg"]["position"] == {"epoch": 1, "batch": 3}
    assert_same(whole, run([*options, "resume=auto"], tmp_path / "halves"))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_killed_between_epochs_equals_the_uninterrupted_one(
    tmp_path: Path,
    many: list[str],
    at_epoch: Callable,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
) -> None:
    options = [*many, "trainer.max_epochs=4", f"dataset.num_workers={workers}"]
    whole = run(options, tmp_path / "whole")
    at_epoch(2)
    with pytest.raises(RuntimeError, match=KILLED):
        run(options, tmp_path / "halves")
    monkeypatch.undo()
    assert_same(whole, run([*options, "resume=auto"], tmp_path / "halves"))


# the score never rises; below 1e-8 a plateau would not lower the rate
SLOW = ["optimizer=sgd", "optimizer.lr=1e-6", "model.norm=none"]
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
@pytest.mark.parametrize("place", [(1, 4), (2, 0), (2, 3)], ids=["1.4", "2.0", "2.3"])
def test_a_run_killed_anywhere_equals_the_uninterrupted_one(
    tmp_path: Path,
    many: list[str],
    at_batch: Callable,
    monkeypatch: pytest.MonkeyPatch,
    more: list[str],
    place: tuple[int, int],
) -> None:
    if "model=lite_unet" in more:
        many = [o for o in many if not re.match(r"model\.(width|depth)", o)]
        more = [*more, "model.weights=null"]
    options = [*more[:2], *many, "trainer.max_epochs=4", *more, "checkpoints.every_steps=1"]
    options = [o for i, o in enumerate(options) if "=" in o and o not in options[:i]]
    whole = run(options, tmp_path / "whole")
    at_batch(*place, kill)
    with pytest.raises(RuntimeError, match=KILLED):
        run(options, tmp_path / "halves")
    monkeypatch.undo()
    assert_same(whole, run([*options, "resume=auto"], tmp_path / "halves"))


@pytest.mark.slow
def test_a_run_killed_at_every_third_batch_equals_the_uninterrupted_one(
    tmp_path: Path, many: list[str], at_batch: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [*many, "trainer.max_epochs=3", "checkpoints.every_steps=1"]
    whole = run(options, tmp_path / "whole")
    for number in range(2, 18, 3):
        at_batch(*divmod(number, 6), kill)
        with pytest.raises(RuntimeError, match=KILLED):
            run([*options, "resume=auto"], tmp_path / "parts")
        monkeypatch.undo()
    assert_same(whole, run([*options, "resume=auto"], tmp_path / "parts"))


@pytest.mark.slow
def test_a_run_killed_before_its_test_is_not_trained_on(
    tmp_path: Path, many: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Early stopping, too, is remembered."""
    still = ["optimizer.lr=1e-9", "model.norm=none", "early_stopping=1"]
    for name, more in (
        ("all", ["trainer.max_epochs=2"]),
        ("early", [*still, "trainer.max_epochs=9"]),
    ):
        options = [*many, *more]
        whole = run(options, tmp_path / name / "whole")
        with monkeypatch.context() as patch:
            patch.setattr("seg.train.test", lambda *_: kill())
            with pytest.raises(RuntimeError, match=KILLED):
                run(options, tmp_path / name / "halves")
        assert_same(whole, run([*options, "resume=auto"], tmp_path / name / "halves"))


def test_validation_is_left_at_once_and_a_second_signal_is_not_waited_for(
    tmp_path: Path, many: list[str], at_batch: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice() -> None:
        terminate()
        terminate()

    at_batch(0, 1, twice)
    with pytest.raises(SystemExit) as left:
        run(many, tmp_path / "twice")
    monkeypatch.undo()
    assert left.value.code == 143
    assert not (only_run(tmp_path / "twice") / "checkpoints" / "last.ckpt").exists()
    original = SegmentationModule.validation_step

    def signalled(self, batch, batch_idx) -> None:
        if self.current_epoch == 1:
            os.kill(os.getpid(), signal.SIGUSR1)
        original(self, batch, batch_idx)

    monkeypatch.setattr(SegmentationModule, "validation_step", signalled)
    with pytest.raises(SystemExit) as left:
        run(many, tmp_path / "validation")
    assert left.value.code == 128 + signal.SIGUSR1
    last = read(only_run(tmp_path / "validation") / "checkpoints" / "last.ckpt")
    assert last["seg"]["position"] == {"epoch": 1, "batch": 0}


def started(*argv: str, cwd: Path) -> subprocess.Popen:
    """The command, in a process group of its own."""
    root = Path(__file__).resolve().parents[1]
    return subprocess.Popen(
        [sys.executable, "-m", "seg.train", *argv],
        cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


RANKS = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "dataset.num_workers=0"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        ["dataset.num_workers=2"],
        RANKS,
        [*RANKS, "ema.decay=0.9"],
        [
            *RANKS,
            "model=resenc_unet",
            "model.blocks=[1,1,1]",
            "model.freeze_encoder_epochs=3",
            "optimizer.encoder_lr_scale=0.1",
        ],
    ],
    ids=["workers", "ranks", "ranks-ema", "ranks-frozen"],
)
def test_a_signal_to_all_processes_of_a_run_ends_it_in_order_and_nothing_is_lost(
    tmp_path: Path, many: list[str], more: list[str]
) -> None:
    """As schedulers send it: to loader processes and further ranks as well."""
    if "model=resenc_unet" in more:
        many = [o for o in many if not re.match(r"model\.(depth|dropout)", o)]
    options = [more[0], *many, *more[1:], "trainer.max_epochs=12"]
    whole = started(*options, f"output_dir={tmp_path / 'whole'}", cwd=tmp_path)
    assert whole.wait(timeout=300) == 0
    halves = started(*options, f"output_dir={tmp_path / 'halves'}", cwd=tmp_path)
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
    rest = started(*options, "resume=auto", f"output_dir={tmp_path / 'halves'}", cwd=tmp_path)
    assert rest.wait(timeout=300) == 0
    assert_same(only_run(tmp_path / "whole"), folder)


def test_the_handlers_from_before_are_back_after_a_fit(tmp_path: Path, many: list[str]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)]
    run([*many, "trainer.max_epochs=1"], tmp_path)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)] == before


def test_a_finished_run_is_not_repeated(tmp_path: Path, tiny: list[str]) -> None:
    options = [*tiny, "trainer.max_epochs=1"]
    folder = run(options, tmp_path)
    before = (folder / "run.json").read_text()
    score = train(configured([*options, "resume=auto"], tmp_path))
    assert score == json.loads(before)["val/dice"]
    assert (folder / "run.json").read_text() == before
    assert len(list(folder.parent.iterdir())) == 1


def test_a_moved_run_goes_on_and_keeps_its_best(
    tmp_path: Path, tiny: list[str], at_epoch: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [*tiny, "trainer.max_epochs=3", "checkpoints.top_k=2"]
    at_epoch(2)
    with pytest.raises(RuntimeError, match=KILLED):
        run(options, tmp_path / "a")
    monkeypatch.undo()
    moved = tmp_path / "elsewhere"
    only_run(tmp_path / "a").rename(moved)
    last = read(moved / "checkpoints" / "last.ckpt")
    state = next(v for k, v in last["callbacks"].items() if "val/dice" in k)
    train(configured([*options, f"resume={moved}"], tmp_path / "a"))
    facts = RunFolder(moved).facts
    assert facts["status"] == "finished"
    assert facts["val/dice"] >= float(state["best_model_score"])
    scores = pd.read_csv(moved / "metrics.csv")["val/dice"].nlargest(2)
    kept = sorted(p.name for p in (moved / "checkpoints" / "top").iterdir())
    assert kept == sorted(f"epoch_{i + 1:03d}_{v:.4f}.ckpt" for i, v in scores.items())


def rates(folder: Path) -> list[float]:
    return pd.read_csv(folder / "metrics.csv")["lr"].tolist()


@pytest.mark.parametrize("scheduler", ["cosine", pytest.param("onecycle", marks=pytest.mark.slow)])
def test_more_epochs_are_trained_at_the_schedules_last_rate(
    tmp_path: Path, many: list[str], caplog: pytest.LogCaptureFixture, scheduler: str
) -> None:
    options = [*many, f"scheduler={scheduler}"]
    folder = run([*options, "trainer.max_epochs=2"], tmp_path)
    before = rates(folder)
    last = read(folder / "checkpoints" / "last.ckpt")["optimizer_states"][0]["param_groups"][0][
        "lr"
    ]
    with caplog.at_level("INFO", logger="seg"):
        train(configured([*options, "trainer.max_epochs=3", f"resume={folder}"], tmp_path))
    (line,) = [r.message for r in caplog.records if "init_from" in r.message]
    assert all(text in line for text in ("3 epochs", "2 epochs", f"init_from={folder}"))
    assert rates(folder) == [*before, pytest.approx(last, rel=1e-5)]
    assert last < before[-1]
    assert RunFolder(folder).get("schedule_epochs") == 2
    # once more, and the schedule is still that of the first two
    train(configured([*options, "trainer.max_epochs=4", f"resume={folder}"], tmp_path))
    assert rates(folder) == [*before, *[pytest.approx(last, rel=1e-5)] * 2]
    stored = read(folder / "checkpoints" / "last.ckpt")["seg"]["config"]
    assert (stored["schedule_epochs"], stored["trainer"]["max_epochs"]) == (2, 4)
    assert RunFolder(folder).status == "finished"
    with pytest.raises(ValueError, match=r"max_epochs: 4 -> 3"):
        train(configured([*options, "trainer.max_epochs=3", f"resume={folder}"], tmp_path))


@pytest.mark.slow
def test_a_run_that_was_given_more_epochs_and_killed_goes_on_with_the_same_command(
    tmp_path: Path, many: list[str], at_batch: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run([*many, "trainer.max_epochs=2"], tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    copy = only_run(tmp_path / "b")
    longer = [*many, "trainer.max_epochs=4"]
    train(configured([*longer, f"resume={folder}"], tmp_path / "a"))
    at_batch(3, 2, terminate)
    with pytest.raises(SystemExit):
        train(configured([*longer, f"resume={copy}"], tmp_path / "b"))
    monkeypatch.undo()
    assert run([*longer, "resume=auto"], tmp_path / "b") == copy
    assert_same(folder, copy)


@pytest.mark.slow
def test_a_plateau_simply_goes_on_with_more_epochs(tmp_path: Path, many: list[str]) -> None:
    still = ["scheduler=plateau", "scheduler.patience=0", *SLOW]
    whole = run([*many, *still, "trainer.max_epochs=4"], tmp_path / "whole")
    folder = run([*many, *still, "trainer.max_epochs=2"], tmp_path / "longer")
    train(configured([*many, *still, "trainer.max_epochs=4", f"resume={folder}"], tmp_path))
    assert rates(whole) == [1e-6, 1e-6, 5e-7, 2.5e-7]
    assert_same(whole, folder)


def test_data_that_changed_are_noticed_on_resume(
    folder: Path, tmp_path: Path, at_epoch: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["dataset=folder", f"dataset.root={folder}", "dataset.image_size=32",
               "model.width=4", "model.depth=2", "trainer.max_epochs=2"]  # fmt: skip
    at_epoch(1)
    with pytest.raises(RuntimeError, match=KILLED):
        run(options, tmp_path / "out")
    monkeypatch.undo()
    begun = only_run(tmp_path / "out")
    (folder / "images" / "case_3.png").unlink()
    (folder / "masks" / "case_3.png").unlink()
    for which in ("auto", str(begun)):
        with pytest.raises(ValueError, match=r"split\.csv: .*images/case_"):
            train(configured([*options, f"resume={which}"], tmp_path / "out"))
    (begun / "split.csv").unlink()  # the checkpoint knows, too
    with pytest.raises(ValueError, match=r"last\.ckpt: .*fingerprint"):
        train(configured([*options, "resume=auto"], tmp_path / "out"))


def test_a_model_whose_code_changed_is_noticed_on_resume(
    tmp_path: Path, tiny: list[str], at_epoch: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seg.models.unet import UNet

    at_epoch(1)
    with pytest.raises(RuntimeError, match=KILLED):
        run(tiny, tmp_path)
    monkeypatch.undo()
    original = UNet.__init__

    def other(self, **arguments) -> None:
        original(self, **arguments)
        self.head = nn.Conv2d(self.head.in_channels, 1, 3, padding=1)

    monkeypatch.setattr(UNet, "__init__", other)
    with pytest.raises(
        ValueError, match=r"last\.ckpt: .*model\.head\.weight: \[1, 4, 1, 1\] -> \[1, "
    ):
        run([*tiny, "resume=auto"], tmp_path)


def test_a_job_of_a_sweep_goes_on_where_it_was_and_no_other_takes_its_folder(
    tmp_path: Path, many: list[str], at_batch: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tmp_path / "sweep" / "0_loss=bce"
    monkeypatch.setattr(config, "job_folder", lambda: job)
    at_batch(1, 1, terminate)
    with pytest.raises(SystemExit):
        train(configured(many, tmp_path))
    monkeypatch.undo()
    monkeypatch.setattr(config, "job_folder", lambda: job)
    trained = []
    original = SegmentationModule.training_step

    def spy(self, batch, batch_idx):
        trained.append((self.current_epoch, batch_idx))
        return original(self, batch, batch_idx)

    monkeypatch.setattr(SegmentationModule, "training_step", spy)
    score = train(configured(many, tmp_path))
    assert trained == [(1, 2), (1, 3), (1, 4), (1, 5)]
    assert score == pytest.approx(pd.read_csv(job / "metrics.csv")["val/dice"].max(), abs=1e-6)
    assert train(configured(many, tmp_path)) == score
    assert len(trained) == 4
    with pytest.raises(ValueError, match=r"0_loss=bce: .*seed: 42 -> 1"):
        train(configured([*many, "seed=1"], tmp_path))


def test_what_training_returns_is_the_best_of_validation(tmp_path: Path, many: list[str]) -> None:
    """A search maximises it, and must not see the test."""
    score = train(configured([*many, "trainer.max_epochs=3"], tmp_path))
    folder = only_run(tmp_path)
    assert score == pytest.approx(pd.read_csv(folder / "metrics.csv")["val/dice"].max(), abs=1e-6)
    test = json.loads((folder / "test.json").read_text())["metrics"]["dice"]["value"]
    assert score != pytest.approx(test, abs=1e-3)
