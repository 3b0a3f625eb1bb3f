"""Loader processes only where there is shared memory for them, and no batch lost without a word."""

import logging
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from seg.data import shared_memory
from seg.data.datamodule import SegmentationDataModule
from seg.data.shared_memory import workers_that_fit
from seg.data.sources.folder import Folder
from tests.data.test_datamodule import SPLIT

MB = 2**20


@pytest.mark.parametrize(
    ("free", "workers", "ranks", "expected"),
    [
        (None, 8, 1, 8),  # no limit
        (64, 8, 1, 8),  # 19 batches
        (18, 8, 1, 7),
        (5, 8, 1, 1),
        (4, 8, 1, 0),
        (0, 8, 1, 0),
        (64, 8, 4, 6),
        (0, 0, 1, 0),
    ],
)
def test_as_many_processes_as_their_batches_fit(
    free: int | None, workers: int, ranks: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_memory, "free_bytes", lambda: free if free is None else free * MB)
    assert workers_that_fit(workers, batch_bytes=MB, ranks=ranks) == expected


def test_a_folder_that_is_missing_has_no_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_memory.sys, "platform", "linux")
    monkeypatch.setattr(shared_memory, "FOLDER", tmp_path / "none")
    assert shared_memory.free_bytes() == 0
    monkeypatch.setattr(shared_memory.sys, "platform", "darwin")
    assert shared_memory.free_bytes() is None


def test_fewer_processes_are_started_and_the_log_says_so_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("seg").propagate = True
    batch = 4 * 32 * 32 * (3 + 1) + 4 * 8
    monkeypatch.setattr(shared_memory, "free_bytes", lambda: 6 * batch)
    data = SegmentationDataModule(
        source=Folder(root=str(folder)), image_size=32, channels=3, batch_size=4, num_workers=4,
        split=SPLIT, normalize="unit", cache_dir=str(tmp_path / "c"),
    )  # fmt: skip
    data.setup()
    loaders = [data.train_dataloader(), data.val_dataloader(), data.test_dataloader()]
    assert [loader.num_workers for loader in loaders] == [1, 1, 1]
    assert [caplog.text.count(key) for key in ("dataset.num_workers", "--shm-size")] == [1, 1]
    assert sum(len(b["case"]) for loader in loaders for b in loader) == 12


@pytest.mark.parametrize("workers", [0, 1])
def test_loader_processes_hand_over_what_is_shared_already(workers: int) -> None:
    """Else torch shares it in a thread, and a full /dev/shm loses the batch: a hang."""
    cases = [{"case": torch.arange(3)}]

    def collate(batch: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
        shared = shared_memory.share({"case": batch[0]["case"] + 1})
        return {"was_shared": torch.tensor(shared["case"].is_shared())}

    [batch] = DataLoader(cases, num_workers=workers, collate_fn=collate)
    assert bool(batch["was_shared"]) == bool(workers)
