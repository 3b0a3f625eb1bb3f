"""Checkpoints: whole or not at all, and never run as code."""

import os
import pickle
import zipfile

import pytest
import pytorch_lightning as pl
import torch

from seg.models.unet import UNet
from seg.training.checkpoint import (
    AtomicCheckpointIO,
    best_and_last,
    model_weights,
    read,
    write_atomically,
)


class Malicious:
    """Unpickled, it would write a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def _content():
    return {"epoch": 3, "state_dict": {"model.a": torch.arange(6.0).view(2, 3)}, "name": "polyp"}


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "checkpoints" / "best.ckpt"  # the folder is not there yet
    write_atomically(_content(), path)
    content = read(path)
    assert content["epoch"] == 3
    assert content["name"] == "polyp"
    assert torch.equal(content["state_dict"]["model.a"], torch.arange(6.0).view(2, 3))
    assert [p.name for p in path.parent.iterdir()] == ["best.ckpt"]


@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt()])
def test_a_write_that_is_cut_off_leaves_the_old_file(tmp_path, monkeypatch, error):
    path = tmp_path / "best.ckpt"
    write_atomically(_content(), path)
    before = path.read_bytes()

    def half(content, handle):
        handle.write(b"half of it")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", half)
        with pytest.raises(type(error)):
            write_atomically({"epoch": 4}, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["best.ckpt"]


def test_a_first_write_that_is_cut_off_leaves_nothing(tmp_path, monkeypatch):
    def fail(content, handle):
        handle.write(b"half")
        raise OSError

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError):
        write_atomically({}, tmp_path / "best.ckpt")
    assert list(tmp_path.iterdir()) == []


def test_the_new_file_is_on_the_disk_before_it_takes_the_old_ones_place(tmp_path, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace

    def synced(descriptor):
        done.append("sync")
        sync(descriptor)

    def replaced(source, target):
        done.append("replace")
        assert source.parent == target.parent  # one file system: a rename, not a copy
        assert read(source)["epoch"] == 3
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    write_atomically(_content(), tmp_path / "best.ckpt")
    assert done == ["sync", "replace"]


def test_lightnings_plugin_writes_atomically_too(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(_content(), str(path))
    before = path.read_bytes()

    def fail(content, handle):
        raise OSError

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError):
        AtomicCheckpointIO().save_checkpoint({}, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("format", ["zip", "legacy", "pickle"])
def test_a_malicious_file_is_refused_and_not_run(tmp_path, format):
    marker, path = tmp_path / "was_run", tmp_path / "evil.ckpt"
    content = {"state_dict": {"model.a": torch.zeros(1)}, "extra": Malicious(marker)}
    if format == "pickle":
        path.write_bytes(pickle.dumps(content["extra"], protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=format == "zip")
    with pytest.raises(ValueError, match=r"evil\.ckpt"):
        read(path)
    assert not marker.exists()
    if format == "pickle":  # and it would have been
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)
    assert marker.exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused_by_name(tmp_path, share):
    path = tmp_path / "broken.ckpt"
    write_atomically(_content(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"broken\.ckpt: "):
        read(path)


@pytest.mark.parametrize(
    "content",
    [
        b"version https://git-lfs.github.com/spec/v1\n",
        b"<html>not found</html>",
        b"\x00" * 64,
        b"\n",
    ],
    ids=["git-lfs", "html", "zeros", "newline"],
)
def test_a_file_of_something_else_is_refused_by_name(tmp_path, content):
    path = tmp_path / "text.ckpt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"text\.ckpt: ") as caught:
        read(path)
    assert len(str(caught.value).splitlines()) == 1


def test_another_zip_file_is_refused_by_name(tmp_path):
    path = tmp_path / "images.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "text")
    with pytest.raises(ValueError, match=r"images\.ckpt"):
        read(path)


@pytest.mark.parametrize("content", [torch.zeros(3), [1, 2], 5])
def test_a_file_that_holds_no_dictionary_is_refused_by_name(tmp_path, content):
    torch.save(content, tmp_path / "list.pth")
    with pytest.raises(ValueError, match=rf"list\.pth: .*{type(content).__name__}"):
        read(tmp_path / "list.pth")


def test_a_file_that_is_not_there_is_named(tmp_path):
    for path in (tmp_path / "none.ckpt", tmp_path):
        with pytest.raises(FileNotFoundError, match=f"^{path}: "):
            read(path)


@pytest.mark.parametrize("wrapped", [True, False], ids=["checkpoint", "bare weights"])
def test_weights_come_back_to_the_last_digit(tmp_path, wrapped):
    def network():
        return UNet(in_channels=1, out_channels=2, width=4, depth=2, norm="batch")

    source, other = network(), network()
    weights = source.state_dict()
    if wrapped:
        prefixed = {f"model.{key}": value for key, value in weights.items()}
        weights = {"state_dict": prefixed | {"normalize.mean": torch.zeros(1)}, "epoch": 1}
    write_atomically(weights, tmp_path / "w.pth")
    other.load_state_dict(model_weights(read(tmp_path / "w.pth")))
    assert source.state_dict().keys() == other.state_dict().keys()
    for name, value in source.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
    image = torch.rand(1, 1, 9, 12)
    assert torch.equal(source.eval()(image), other.eval()(image))


def test_only_the_first_model_of_a_name_is_the_prefix():
    content = {"state_dict": {"model.model.a": torch.zeros(1), "losses.0.weight": torch.ones(2)}}
    assert list(model_weights(content)) == ["model.a"]


def _train(scores, keepers):
    """A training whose validation gives these scores, epoch by epoch."""
    data = torch.utils.data.DataLoader([torch.zeros(1)])
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=len(scores),
        callbacks=keepers,
        plugins=[AtomicCheckpointIO()],
        logger=False,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(_Scripted(scores), data, data)
    return trainer


class _Scripted(pl.LightningModule):
    """Validates to these scores; its weight counts the epochs."""

    def __init__(self, scores):
        super().__init__()
        self.scores = scores
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch, batch_idx):
        return -self.weight.sum()  # SGD with lr 1 adds 1 a step

    def validation_step(self, batch, batch_idx):
        self.log("val/dice", self.scores[self.current_epoch])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([0.1, 0.2, 0.3], 3),
        ([0.1, 0.5, 0.3, 0.2], 2),
        ([0.5, 0.1, 0.1], 1),
        ([0.2, 0.4, 0.4], 2),
        ([0.0, 0.0], 1),
    ],
)
def test_best_is_of_the_best_epoch_and_last_is_of_the_last(tmp_path, scores, best):
    keepers = best_and_last(tmp_path, monitor="val/dice")
    trainer = _train(scores, keepers)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best.ckpt", "last.ckpt"]
    assert read(tmp_path / "best.ckpt")["state_dict"]["weight"].item() == best
    assert read(tmp_path / "last.ckpt")["state_dict"]["weight"].item() == len(scores)
    assert trainer.checkpoint_callback.best_model_score == pytest.approx(max(scores))


@pytest.mark.filterwarnings("ignore")
def test_the_best_few_are_kept_by_name_and_what_a_killed_run_left_is_removed(tmp_path):
    (tmp_path / "top").mkdir()
    left, foreign = tmp_path / "top" / "epoch_009_0.9000.ckpt", tmp_path / "top" / "mine.ckpt"
    for path in (left, foreign):
        path.touch()
    scores = [0.3, 0.5, 0.1, 0.5, 0.4]
    keepers = best_and_last(tmp_path, monitor="val/dice", top_k=3)
    trainer = _train(scores, keepers)
    kept = {p.name: p for p in (tmp_path / "top").iterdir()}
    expected = {f"epoch_{i:03d}_{scores[i - 1]:.4f}.ckpt": i for i in (2, 4, 5)}
    assert kept.keys() == expected.keys() | {"mine.ckpt"}
    for name, epoch in expected.items():
        content = read(kept[name])
        assert content["state_dict"]["weight"].item() == epoch
        assert "optimizer_states" not in content
    states = read(tmp_path / "last.ckpt")["callbacks"]
    assert len(states["Top"]["scores"]) == 3
    assert trainer.checkpoint_callback.best_model_path.endswith("best.ckpt")
