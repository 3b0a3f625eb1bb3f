"""Learning-rate schedules over all batches of a training, where torch has none of this form."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, PolynomialLR


def cosine_factor(step: int, *, total_steps: int, warmup: float, final: float) -> float:
    """Factor of the learning rate: a linear rise, then half a cosine.

    Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts.

    Args:
        step: from 0.
        total_steps: after which the factor stays.
        warmup: share of the steps in which the factor rises to 1.
        final: the last factor.
    """
    rise = max(1, round(warmup * total_steps)) if warmup > 0 else 0
    if step < rise:
        return (step + 1) / rise
    done = min(1.0, (step - rise) / max(1, total_steps - rise))
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done))


def cosine(
    optimizer: Optimizer, *, total_steps: int, warmup: float = 0.03, final: float = 0.01
) -> LambdaLR:
    """Warm-up and cosine decay over `total_steps` batches (see `cosine_factor`)."""
    if not (0 <= warmup < 1 and 0 <= final <= 1):
        raise ValueError(
            f"scheduler.warmup={warmup} must lie in 0 to 1, and scheduler.final={final} too"
        )
    return LambdaLR(
        optimizer,
        lambda step: cosine_factor(step, total_steps=total_steps, warmup=warmup, final=final),
    )


def poly(optimizer: Optimizer, *, total_steps: int, power: float = 0.9) -> PolynomialLR:
    """The rate times (1 - step / total_steps) ** power, as nnU-Net's.

    Chen et al. 2017, arXiv:1606.00915; Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, who
    step it after each epoch.
    """
    return PolynomialLR(optimizer, total_iters=total_steps, power=power)
