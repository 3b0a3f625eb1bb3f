"""Shared by the tests of resumed runs."""

from collections.abc import Callable

import pytest

from seg.training.epoch_log import EpochLog
from seg.training.module import SegmentationModule
from tests.resume.trained import KILLED


@pytest.fixture(autouse=True)
def _quick(without_pictures: None) -> None:
    """Pictures would take most of the time, and tell nothing here."""


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
