"""The random numbers of a training step, such as those of dropout."""

from collections.abc import Sequence

import numpy as np
import torch


def seed_generators(place: Sequence[int], device: torch.device) -> None:
    """Seed what work on `device` draws from: its own generator, and the CPU's.

    `torch.manual_seed` would prepare to seed every kind of device, which takes longer than a step
    of a small network needs on the host.

    Args:
        place: numbers from 0 that say where in the training this is.
        device: cpu, cuda, or another.
    """
    seed = int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0])
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    elif device.type == "cuda":
        torch.default_generator.manual_seed(seed)
        torch.cuda.default_generators[device.index].manual_seed(seed)
    else:
        torch.manual_seed(seed)
