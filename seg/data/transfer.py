"""Batches to the device that trains."""

import torch

from seg.data.dataset import Batch

_streams: dict[torch.device, torch.cuda.Stream] = {}  # one for each GPU


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch on `device`.

    A CUDA GPU copies in a stream of its own. The host is ahead of a busy GPU, so that the copy runs
    beside the step before; in the stream of the network it would wait for that step's end.
    """
    if device.type != "cuda":
        return {name: tensor.to(device) for name, tensor in batch.items()}
    if device not in _streams:
        _streams[device] = torch.cuda.Stream(device)
    copying, computing = _streams[device], torch.cuda.current_stream(device)
    with torch.cuda.stream(copying):
        copied = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
    computing.wait_stream(copying)
    for tensor in copied.values():
        tensor.record_stream(computing)  # its memory is not given away before the step has read it
    return copied
