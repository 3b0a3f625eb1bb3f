"""Checkpoints that survive a kill: written beside the target, synced, renamed."""

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint, ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from seg.runs.atomic import replacing

PREFIX = "model."


def write_atomically(content: Any, path: Path) -> None:
    """`torch.save` that leaves the old file or the whole new one, whenever it is interrupted.

    Lightning's own writes to TMPDIR first, and copies where that is another file system.
    """
    with replacing(path, sync=True) as handle:
        torch.save(content, handle)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's plugin, with `write_atomically`."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        write_atomically(checkpoint, Path(path))


class _Movable(ModelCheckpoint):
    """Lightning's callback forgets the best score when the run folder was moved; this does not."""

    @cached_property
    def state_key(self) -> str:
        """As Lightning's, which every hook of a batch asks for: it would be made anew each time."""
        return super().state_key

    def on_train_batch_end(self, *args: Any) -> None: ...  # saved after epochs alone

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        path = str(Path(self.dirpath, f"{self.filename}.ckpt"))
        scores = dict(zip([path], state_dict["best_k_models"].values(), strict=False))
        moved = {"dirpath": self.dirpath, "best_model_path": path, "best_k_models": scores}
        super().load_state_dict(state_dict | moved | {"kth_best_model_path": path})


class Top(Checkpoint):
    """Keeps the weights of the best epochs as epoch_007_0.8312.ckpt.

    Not ModelCheckpoint's `save_top_k`: the state of two that monitor one figure shares a key, and
    after a kill it loses track of files. Here the folder holds what the state says, no more.

    Args:
        monitor: the figure by which epochs are ranked; higher is better.
        count: how many are kept.
    """

    NAME = re.compile(r"epoch_\d{3,}_\d\.\d{4}\.ckpt")

    def __init__(self, *, folder: Path, monitor: str, count: int) -> None:
        self.folder = folder
        self.monitor = monitor
        self.count = count
        self.scores: dict[str, float] = {}

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        score = float(trainer.callback_metrics[self.monitor])
        name = f"epoch_{trainer.current_epoch + 1:03d}_{score:.4f}.ckpt"
        ranked = sorted((self.scores | {name: score}).items(), key=lambda item: -item[1])
        self.scores = dict(ranked[: self.count])  # of equal ones the earlier stays
        if name in self.scores:
            trainer.save_checkpoint(self.folder / name, weights_only=True)
        if trainer.is_global_zero and self.folder.is_dir():
            for path in self.folder.iterdir():
                if self.NAME.fullmatch(path.name) and path.name not in self.scores:
                    path.unlink()

    def state_dict(self) -> dict[str, Any]:
        return {"scores": dict(self.scores)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.scores = dict(state_dict["scores"])


def best_and_last(folder: Path, *, monitor: str, top_k: int = 1) -> list[Checkpoint]:
    """The callbacks that keep best.ckpt (highest `monitor`) and last.ckpt, at each epoch's end, and
    the `top_k` best in top/ where that is more than one.

    Two, since Lightning's `save_last` writes only in epochs that are the best so far. The best
    comes first, so that the last knows of it, and holds weights alone: a third of the bytes, and
    a run is resumed from `last`.
    """
    both = {"dirpath": folder, "save_on_train_epoch_end": True, "enable_version_counter": False}
    top = [Top(folder=folder / "top", monitor=monitor, count=top_k)] if top_k > 1 else []
    return [
        _Movable(filename="best", monitor=monitor, mode="max", save_weights_only=True, **both),
        *top,
        _Movable(filename="last", **both),
    ]


def refuse_loading(cls: type, checkpoint_path: Any, *args: Any, **more: Any) -> NoReturn:
    """In place of Lightning's `load_from_checkpoint`: what to call instead."""
    raise TypeError(
        f"call seg.load({str(checkpoint_path)!r}) instead: its .module is the torch module, and "
        "its .predict(image) predicts"
    )


def read(path: Path) -> dict[str, Any]:
    """A checkpoint's content, tensors and plain containers only.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or would run code.
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


def read_metadata(path: Path) -> dict[str, Any]:
    """What a checkpoint says about its run, and the `shapes` of its weights by name.

    The weights themselves are not kept in memory. Raises as `read`.
    """
    content = read(path)
    return content.get("seg", {}) | {"shapes": shapes(content.get("state_dict", {}))}


def shapes(state: Mapping[str, torch.Tensor]) -> dict[str, list[int]]:
    """The shape of each tensor of a state_dict, but for those of losses."""
    return {n: list(value.shape) for n, value in state.items() if not n.startswith("losses.")}


def model_weights(content: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The model's state_dict in a run's checkpoint; `content` itself where it is bare weights."""
    if "state_dict" not in content:
        return content
    return {
        key.removeprefix(PREFIX): value
        for key, value in content["state_dict"].items()
        if key.startswith(PREFIX)
    }
