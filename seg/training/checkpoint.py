"""Checkpoints that survive a kill: written beside the target, synced, renamed."""

import os
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

PREFIX = "model."


def write_atomically(content: Any, path: Path) -> None:
    """torch.save that leaves the old file or the whole new one, whenever it is interrupted.

    Lightning stages in TMPDIR and moves, which is a copy where that is another file system.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as handle:
            torch.save(content, handle)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint files, written atomically."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        write_atomically(checkpoint, Path(path))


class _Movable(ModelCheckpoint):
    """Lightning's callback forgets the best score when the run folder was moved; this does not."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        path = str(Path(self.dirpath, f"{self.filename}.ckpt"))
        scores = dict(zip([path], state_dict["best_k_models"].values(), strict=False))
        moved = {"dirpath": self.dirpath, "best_model_path": path, "best_k_models": scores}
        super().load_state_dict(state_dict | moved | {"kth_best_model_path": path})


def best_and_last(folder: Path, *, monitor: str) -> list[ModelCheckpoint]:
    """The callbacks that keep best.ckpt (highest `monitor`) and last.ckpt, at each epoch's end.

    Two, since Lightning's `save_last` writes only in epochs that are the best so far. The best
    comes first, so that the last knows of it, and holds weights alone: a third of the bytes, and
    it is `last` that a run goes on from.
    """
    both = {"dirpath": folder, "save_on_train_epoch_end": True, "enable_version_counter": False}
    return [
        _Movable(filename="best", monitor=monitor, mode="max", save_weights_only=True, **both),
        _Movable(filename="last", **both),
    ]


def read(path: Path) -> dict[str, Any]:
    """A checkpoint's content, tensors and plain containers only.

    Raises FileNotFoundError, or ValueError for a file that is damaged or would run code.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen types for damaged files
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ValueError(
            f"{path}: cannot be read as a checkpoint ({reason}); "
            "it is damaged, or holds more than weights"
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: holds a {type(content).__name__}, not a checkpoint")
    return content


def model_weights(content: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The model's state_dict out of a run's checkpoint, or `content` itself where it is bare
    weights.
    """
    if "state_dict" not in content:
        return content
    return {
        key.removeprefix(PREFIX): value
        for key, value in content["state_dict"].items()
        if key.startswith(PREFIX)
    }
