"""What is resumed: the run as it lies there, and no other data, model or job."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from torch import nn

from seg.cli import compose as config
from seg.models.unet import UNet
from seg.runs.folder import RunFolder
from seg.train import train
from seg.training.checkpoint import read
from seg.training.module import SegmentationModule
from tests.resume.trained import KILLED, configured, only_run, run, terminate


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
