"""The metric state of a half epoch: a checkpoint holds it, so that a resumed epoch is whole."""

from typing import Any

import pytorch_lightning as pl
import torch
import torch.distributed as dist

from seg.metrics.cases import CaseCounts
from seg.metrics.mean_loss import MeanLoss


def position(trainer: pl.Trainer) -> dict[str, int]:
    """The epoch and the batch in it, both from 0, that a run resumed from here starts with."""
    progress = trainer.fit_loop.epoch_progress.current
    if progress.processed > progress.completed:  # the end of an epoch
        return {"epoch": progress.processed, "batch": 0}
    return {"epoch": progress.completed, "batch": trainer.fit_loop.batch_idx + 1}


def place(position: dict[str, int]) -> str:
    """A position in words."""
    epoch, batch = position["epoch"], position["batch"]
    return f"epoch {epoch + 1}, after batch {batch}" if batch else f"epoch {epoch + 1}"


def gather(table: CaseCounts, mean: MeanLoss) -> list[dict[str, Any]]:
    """The counts and the running mean loss of every rank, on the CPU. All ranks must call it."""
    table.count()
    own = {
        "cases": torch.cat(table.cases).cpu(),
        "counts": torch.cat(table.counts).cpu(),
        "mean_value": mean.mean_value.cpu(),
        "weight": mean.weight.cpu(),
    }
    if not (dist.is_available() and dist.is_initialized()):
        return [own]
    ranks: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(ranks, own)
    return ranks


def restore(table: CaseCounts, mean: MeanLoss, ranks: list[dict[str, Any]], rank: int) -> None:
    """Put into a rank's metrics what `gather` returned for it; they stay on their device."""
    own = ranks[rank]
    device = mean.weight.device
    table.cases, table.counts = [own["cases"].to(device)], [own["counts"].to(device)]
    # an earlier version counted batches, of which an epoch's end alone has a smaller one
    images = len(own["cases"]) / float(own["weight"])
    mean.mean_value = own["mean_value"].to(device) * images
    mean.weight = own["weight"].to(device) * images
